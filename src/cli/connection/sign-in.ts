import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oidc from 'openid-client';
import { CliError } from '../cli-error.ts';
import type { Client } from './client.ts';
import type { Account } from './credentials.ts';
import { discover, tokenFailure } from './tokens.ts';

export interface SignInOptions {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Called with the address that a browser, or whoever plays one, must open. */
  readonly open: (address: URL) => Promise<void>;
}

/** How long a person may take to sign in. */
const patienceMilliseconds = 10 * 60_000;

/**
 * The authorization code flow with PKCE of a native application: the reply comes to a loopback port of this machine
 * that listens for this one sign-in only. RFC 8252 §7.3
 */
export async function signInPerson({ client, signal, open }: SignInOptions): Promise<Account> {
  const { issuer, cliClientId, resources } = await client.discovery();
  const source = { server: client.server, agent: client.options.agent, advice: client.options.advice };
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const callback = await listen(state);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMilliseconds)]);
  try {
    const config = await discover(source, issuer, cliClientId, oidc.None());
    const address = oidc.buildAuthorizationUrl(config, {
      redirect_uri: callback.redirectUri,
      scope: `openid profile offline_access ${resources.admin}/.default`,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const [, reply] = await Promise.all([open(address), callback.reply(deadline)]);
    const granted = await oidc.authorizationCodeGrant(config, reply, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = granted.claims();
    return {
      kind: 'person',
      clientId: cliClientId,
      issuer,
      principal: {
        id: text(claims?.['oid'] ?? claims?.sub),
        name: text(claims?.['preferred_username'] ?? claims?.['name']),
      },
      refreshToken: granted.refresh_token ?? null,
      proofFile: null,
      caFile: client.options.caFile,
      tokens: {
        [resources.admin]: {
          accessToken: granted.access_token,
          expiresAt: Date.now() + (granted.expiresIn() ?? 60) * 1000,
        },
      },
    };
  } catch (error) {
    if (error instanceof oidc.AuthorizationResponseError) {
      throw new CliError(
        'not-signed-in',
        error.error_description ?? `The sign-in was refused: ${error.error}.`,
        {
          code: error.error,
          cause: error,
        },
      );
    }
    throw tokenFailure(error, source, { kind: 'person' });
  } finally {
    callback.close();
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

interface Callback {
  readonly redirectUri: string;
  reply(signal: AbortSignal): Promise<URL>;
  close(): void;
}

/** Takes the one reply that carries `state`; whatever else a page or a program of this machine sends is not listened to. */
async function listen(state: string): Promise<Callback> {
  const received = Promise.withResolvers<URL>();
  // Whoever waits attaches later; a reply that nobody waits for is no fault.
  received.promise.catch(() => undefined);
  let redirectUri = '';
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', redirectUri);
    const answers = url.searchParams.has('code') || url.searchParams.has('error');
    const ours = url.searchParams.get('state') === state;
    if (request.method !== 'GET' || url.pathname !== '/callback' || !answers || !ours) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Nothing is here.\n');
      return;
    }
    const failed = url.searchParams.has('error');
    response
      .writeHead(failed ? 400 : 200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
      .end(
        failed
          ? 'The sign-in was refused; the terminal says why.\n'
          : 'Signed in. You may close this page.\n',
      );
    received.resolve(url);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve());
  });
  redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    redirectUri,
    async reply(signal) {
      const stop = () =>
        received.reject(
          new CliError('not-signed-in', 'The sign-in was not finished.', {
            hint: 'Run `lockstep login` again.',
          }),
        );
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      return received.promise;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
