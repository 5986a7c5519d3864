import type { Caller } from '../identity/caller.ts';
import { failure } from '../lib/errors.ts';
import type { RequestHead, Surface } from './types.ts';

export const sessionCookieName = '__Host-lockstep-session';

export interface Credentials {
  /** Throws `invalid_token` or `expired_token`. */
  verifyToken(token: string, audiences: readonly string[]): Promise<Caller>;
  /** Null when the cookie names no open session. */
  callerFromCookie(value: string): Caller | null;
}

/**
 * Who is asking: the bearer token (RFC 6750 §2.1, header only) or, where the surface takes it, the session cookie.
 * Null when neither is there. Throws `invalid_token`, `expired_token`, or `conflicting_credentials` when both are.
 */
export function createRecogniser(
  credentials: Credentials,
): (head: RequestHead, surface: Surface) => Promise<Caller | null> {
  return async (head, surface) => {
    const cookie = surface.acceptsSessionCookie ? sessionCookieOf(head) : null;
    const { authorization } = head.headers;
    if (authorization !== undefined) {
      if (cookie !== null) {
        throw failure(
          'conflicting_credentials',
          'The request has an Authorization header and a session cookie; send one of them.',
        );
      }
      return credentials.verifyToken(bearerTokenOf(authorization), surface.audiences);
    }
    if (cookie === null) return null;
    return credentials.callerFromCookie(cookie);
  };
}

const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

function bearerTokenOf(authorization: string): string {
  const token = bearer.exec(authorization)?.[1];
  if (token === undefined) {
    throw failure('invalid_token', 'The Authorization header must be `Bearer` and one token.');
  }
  return token;
}

function sessionCookieOf(head: RequestHead): string | null {
  const header = head.headers.cookie;
  if (header === undefined || !header.includes(sessionCookieName)) return null;
  let value: string | null = null;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== sessionCookieName) continue;
    if (value !== null) throw failure('conflicting_credentials', 'The session cookie stands twice.');
    value = pair.slice(equals + 1).trim();
  }
  return value;
}
