import { randomBytes } from 'node:crypto';
import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import { failure } from '../../lib/errors.ts';
import { cookieOf, setCookie } from '../../gateway/browser/cookies.ts';
import type { RequestHead } from '../../gateway/types.ts';
import { browserCookieName } from '../entra/browser-cookies.ts';

/**
 * Whether a browser says that this request comes from a page of ours. A form of another site, a sibling host or a
 * sandboxed frame (`Origin: null`) does not pass; neither does a request that says nothing.
 * https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
 */
export function fromOwnPage(head: RequestHead, publicUrl: string): boolean {
  const site = head.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin } = head.headers;
  if (origin === undefined) return site === 'same-origin';
  return origin === new URL(publicUrl).origin || origin === head.origin;
}

/** Throws `csrf_refused` for a form of another site. */
export function mustComeFromOwnPage(head: RequestHead, publicUrl: string): void {
  if (!fromOwnPage(head, publicUrl)) {
    throw failure('csrf_refused', 'The form was sent from another site, so nothing was done.');
  }
}

/** One form of one browser or session. */
export type FormPurpose = 'sign-in' | 'one-time-link' | 'account' | 'access-request';

/** A token that only the page we served to this browser (or session) can carry. */
export function formToken(keys: CookieKeys, purpose: FormPurpose, binding: string): string {
  return keys.tag('form', `${purpose}\0${binding}`);
}

export function formTokenHolds(
  keys: CookieKeys,
  purpose: FormPurpose,
  binding: string | null,
  token: string | undefined,
): boolean {
  return binding !== null && token !== undefined && keys.verify('form', `${purpose}\0${binding}`, token);
}

/** The id that ties forms to a browser without a session, and the cookie to set if it has none yet. */
export function browserOf(head: RequestHead): { id: string; setCookies: readonly string[] } {
  const known = browserIdOf(head);
  if (known !== null) return { id: known, setCookies: [] };
  const id = randomBytes(18).toString('base64url');
  return { id, setCookies: [setCookie(browserCookieName, id)] };
}

export function browserIdOf(head: RequestHead): string | null {
  const value = cookieOf(head.headers, browserCookieName);
  return value !== null && /^[\w-]{24}$/.test(value) ? value : null;
}
