import type { IncomingHttpHeaders } from 'node:http';

/**
 * The value of a cookie. One that is sent twice counts as none: a sibling host may have planted the other
 * (cookie tossing), and there is no telling which.
 */
export function cookieOf(headers: IncomingHttpHeaders, name: string): string | null {
  const values = cookiesOf(headers, name);
  return values.length === 1 ? (values[0] ?? null) : null;
}

/** The values of all cookies of a name. */
export function cookiesOf({ cookie }: IncomingHttpHeaders, name: string): string[] {
  if (cookie?.includes(name) !== true) return [];
  return cookie.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=');
    return equals !== -1 && pair.slice(0, equals).trim() === name ? [pair.slice(equals + 1).trim()] : [];
  });
}

/** `__Host-` demands Secure, Path=/ and no Domain (RFC 6265bis §4.1.3.2); it ends with the browser, or after some seconds. */
export function setCookie(name: string, value: string, maxAgeSeconds?: number): string {
  const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`;
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax${age}`;
}

export function clearCookie(name: string): string {
  return setCookie(name, '', 0);
}
