import { sessionCookieName } from '../../identity/signin/sessions.ts';
import {
  connectionSecretCookie,
  isOnwardPath,
  type ConnectionSignIns,
} from '../../identity/signin/connection-sign-ins.ts';
import { failure } from '../../lib/errors.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import { renderJsonError } from '../../gateway/denial/generic-surface.ts';
import { opensPage } from '../../gateway/browser/page-visit.ts';
import { clearCookie, cookieOf, setCookie } from '../../gateway/browser/cookies.ts';
import type { Exchange, Guard, Reply, RequestHead, Surface } from '../../gateway/types.ts';
import { errorPage } from '../entra/pages/error-page.ts';

/** Where a browser comes back to, on the connection's own host; no path of an upstream. */
export const signedInPath = '/.lockstep/signed-in';

export interface ConnectionSurfaceOptions {
  readonly connections: ReadonlySet<string>;
  /** Connections have hosts beneath it. */
  readonly baseDomain: string;
  readonly signIns: ConnectionSignIns;
  readonly record: RecordFact;
  nameOf(id: PrincipalId): string | null;
}

const scope = '/providers/lockstep.access';
const anyone: Guard = { kind: 'public', rule: 'connection.sign-in', scope };

/** The end of a sign-in at a connection: the browser brings its code to the connection's host and gets its cookie there. */
export function connectionSurface(options: ConnectionSurfaceOptions): Surface {
  const { signIns, baseDomain, connections } = options;

  const connectionOf = ({ host }: RequestHead): string | null => {
    const suffix = `.${baseDomain}`;
    const name = host.endsWith(suffix) ? host.slice(0, -suffix.length) : '';
    return connections.has(name) ? name : null;
  };

  async function signedIn(exchange: Exchange): Promise<Reply> {
    const { head } = exchange;
    const connection = connectionOf(head) ?? '';
    const secret = cookieOf(head.headers, connectionSecretCookie);
    const redeemed = signIns.redeem(head.query.get('code') ?? '', connection, secret);
    if (redeemed === null) {
      throw failure(
        'invalid_request',
        'This sign-in was begun in another browser, has been used, or has taken too long. Open the page that you want again.',
      );
    }
    const { cookie, path, session } = redeemed;
    const name = options.nameOf(session.principalId) ?? session.principalId;
    await options.record({
      kind: 'authentication',
      attribution: {
        ...exchange.attribution,
        chain: [{ kind: 'user', id: session.principalId, name }],
        sessionId: session.id,
      },
      activity: 'sign-in',
      succeeded: true,
      failureCode: null,
      principalId: session.principalId,
      principalName: name,
      method: 'session',
      audience: `api://lockstep/connections/${connection}`,
      tokenId: null,
      expiresAt: null,
      detail: {},
    });
    return {
      status: 303,
      headers: {
        location: isOnwardPath(path) ? path : '/',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'set-cookie': [setCookie(sessionCookieName, cookie), clearCookie(connectionSecretCookie)],
      },
    };
  }

  return {
    name: 'connection-sign-in',
    audiences: [],
    acceptsSessionCookie: false,
    matches: (head) => head.path === signedInPath && connectionOf(head) !== null,
    describe: (head) =>
      head.method !== 'GET'
        ? null
        : {
            operation: 'Lockstep.Access/signIn/connection/write',
            guard: anyone,
            effect: 'read',
            body: { kind: 'none' },
            serve: signedIn,
          },
    renderError: (error, head) =>
      opensPage(head)
        ? errorPage(error.status, {
            error: error.code,
            error_description: error.publicMessage,
            requestId: head.id,
            alone: true,
          })
        : renderJsonError(error, head),
  };
}
