import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from './identity.ts';
import { folded, headerName, received } from './received.ts';
import { createVerifier, Refused, type Verifier, type VerifierOptions } from './verifier.ts';

/** A request that was let in. */
export interface LockstepRequest extends IncomingMessage {
  readonly originalUrl?: string;
  lockstep?: Identity;
}

export type Middleware = (
  request: LockstepRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

export type MiddlewareOptions = (VerifierOptions | { readonly verify: Verifier }) & {
  /** Told of every refusal, for the log. */
  readonly onRefused?: (refused: Refused) => void;
};

/**
 * Lets in whoever comes with a statement of the gateway's that holds for the request, as `request.lockstep`; everybody else
 * is told 401 in JSON, and 503 while Lockstep's keys cannot be fetched. Put it before everything that serves.
 */
export function lockstepIdentity(options: MiddlewareOptions): Middleware {
  const verify = 'verify' in options ? options.verify : createVerifier(options);
  return (request, response, next) => {
    delete request.lockstep;
    verify(received(request)).then(
      (identity) => {
        for (const name of Object.keys(request.headers)) {
          if (folded(name) === headerName) delete request.headers[name];
        }
        request.lockstep = identity;
        next();
      },
      (thrown: unknown) => {
        const refused =
          thrown instanceof Refused ? thrown : new Refused('the check itself failed', 503, thrown);
        options.onRefused?.(refused);
        refuse(response, refused.status);
      },
    );
  };
}

function refuse(response: ServerResponse, status: 401 | 503): void {
  const error =
    status === 401
      ? {
          code: 'AuthenticationFailed',
          message: "Only Lockstep's gateway may ask, and for this very request.",
        }
      : { code: 'KeysUnavailable', message: 'Who is asking cannot be checked at the moment.' };
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify({ error }));
}
