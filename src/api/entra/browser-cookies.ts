import type { IncomingHttpHeaders } from 'node:http';
import { cookieOf } from '../../gateway/browser/cookies.ts';
import { sessionCookieName, type Sessions } from '../../identity/signin/sessions.ts';
import type { SessionRecord } from '../../store/changes.ts';

/** Ties the forms of pages without a session to one browser. */
export const browserCookieName = '__Host-lockstep-browser';

export function sessionFromHeaders(headers: IncomingHttpHeaders, sessions: Sessions): SessionRecord | null {
  const value = cookieOf(headers, sessionCookieName);
  return value === null ? null : sessions.fromCookie(value);
}
