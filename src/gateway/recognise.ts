import type { Caller } from '../identity/caller.ts';
import { sessionCookieName } from '../identity/signin/sessions.ts';
import { failure } from '../lib/errors.ts';
import { cookiesOf } from './browser/cookies.ts';
import type { RequestHead, Surface } from './types.ts';

export interface Credentials {
  /** Throws `invalid_token` or `expired_token`. */
  verifyToken(token: string, audiences: readonly string[]): Promise<Caller>;
  /** Null when the cookie names no open session; `connection`: at which connection it was sent, null for our own host. */
  callerFromCookie(value: string, connection: string | null): Caller | null;
}

/**
 * Who is asking: the bearer token (RFC 6750 §2.1, header only) or, where the surface takes it, the session cookie.
 * Null when neither is there. Throws `invalid_token`, `expired_token`, or `conflicting_credentials` when both are.
 */
export function createRecogniser(
  credentials: Credentials,
): (head: RequestHead, surface: Surface) => Promise<Caller | null> {
  return async (head, surface) => {
    const connection = surface.cookieConnection?.(head) ?? null;
    const cookie = surface.acceptsSessionCookie || connection !== null ? sessionCookieOf(head) : null;
    const { authorization } = head.headers;
    if (authorization !== undefined) {
      if (cookie !== null) {
        throw failure(
          'conflicting_credentials',
          'The request has an Authorization header and a session cookie; send one of them.',
        );
      }
      return credentials.verifyToken(bearerTokenOf(authorization, surface.bearerSchemes), surface.audiences);
    }
    if (cookie === null) return null;
    return credentials.callerFromCookie(cookie, connection);
  };
}

const credential = /^([a-z]+) +([A-Za-z0-9._~+/-]+=*)$/i;

function bearerTokenOf(authorization: string, alsoCalled: readonly string[] = []): string {
  const [, scheme = '', token] = credential.exec(authorization) ?? [];
  const isBearer = ['bearer', ...alsoCalled].includes(scheme.toLowerCase());
  if (!isBearer || token === undefined) {
    throw failure('invalid_token', 'The Authorization header must be `Bearer` and one token.');
  }
  return token;
}

function sessionCookieOf({ headers }: RequestHead): string | null {
  const values = cookiesOf(headers, sessionCookieName);
  if (values.length > 1) throw failure('conflicting_credentials', 'The session cookie stands twice.');
  return values[0] ?? null;
}
