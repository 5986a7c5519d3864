import { failure } from '../../lib/errors.ts';

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether the address is https, or http on this machine. */
export function isFetchable(text: string): boolean {
  if (text.length > 600 || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopbackHosts.has(url.hostname));
}

/**
 * An issuer identifier as outside tokens spell it: https, or http on loopback, without query, fragment or user.
 * Throws `invalid_request`. OpenID Connect Discovery 1.0 §2.
 */
export function issuerAddressOf(text: string): string {
  const refused = (why: string) => failure('invalid_request', `issuer ${why}.`, { field: 'issuer' });
  if (!isFetchable(text) || /\s/.test(text)) throw refused('must be an https address, or http on loopback');
  const url = new URL(text);
  if (/[?#]/.test(text) || url.username !== '' || url.password !== '')
    throw refused('has no query, fragment or user');
  return text;
}
