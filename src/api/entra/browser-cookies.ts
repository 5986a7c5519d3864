import type { IncomingHttpHeaders } from 'node:http';
import { sessionCookieName, type Sessions } from '../../identity/signin/sessions.ts';
import type { SessionRecord } from '../../store/changes.ts';

/** Ties the forms of pages without a session to one browser. */
export const browserCookieName = '__Host-lockstep-browser';

/**
 * The value of a cookie. One that is sent twice counts as none: a sibling host may have planted the other
 * (cookie tossing), and there is no telling which.
 */
export function cookieOf(headers: IncomingHttpHeaders, name: string): string | null {
  let found: string | null = null;
  for (const part of (headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at < 0 || part.slice(0, at).trim() !== name) continue;
    if (found !== null) return null;
    found = part.slice(at + 1).trim();
  }
  return found;
}

export function sessionFromHeaders(headers: IncomingHttpHeaders, sessions: Sessions): SessionRecord | null {
  const value = cookieOf(headers, sessionCookieName);
  return value === null ? null : sessions.fromCookie(value);
}

/** `__Host-` demands Secure, Path=/ and no Domain (RFC 6265bis §4.1.3.2); it ends with the browser. */
export function setCookie(name: string, value: string): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax`;
}

export function clearCookie(name: string): string {
  return `${setCookie(name, '')}; Max-Age=0`;
}
