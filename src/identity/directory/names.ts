import { failure } from '../../lib/errors.ts';
import { isGuid, type PrincipalId } from '../../lib/ids.ts';

/** What a name may not contain: control characters, and marks that reorder or hide text. */
const deceptive = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** The characters that Entra ID admits in a user principal name; ASCII, so that no two look alike. */
const userPrincipalName = /^[A-Za-z0-9'._!#^~+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,46}[A-Za-z0-9])?$/;
const credentialName = /^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$/;

/** A display name of 1 to 256 characters, trimmed. Throws `invalid_request` naming the field. */
export function displayNameOf(text: string, field = 'displayName'): string {
  const name = text.trim();
  if (name === '' || name.length > 256) throw invalid(field, `has 1 to 256 characters, not ${name.length}`);
  if (deceptive.test(name) || !name.isWellFormed()) throw invalid(field, 'holds characters that do not show');
  return name;
}

/** Throws `invalid_request` unless the text is `name@domain` in the characters that Entra ID admits. */
export function userPrincipalNameOf(text: string): string {
  if (!userPrincipalName.test(text))
    throw invalid('userPrincipalName', `must be name@domain in ASCII letters, digits and '._!#^~+-`);
  return text;
}

/** Throws `invalid_request` unless the text looks like one mail address of at most 254 characters. */
export function mailOf(text: string): string {
  if (text.length > 254 || !/^[^\s@<>"]+@[^\s@<>"]+$/.test(text) || deceptive.test(text))
    throw invalid('mail', 'must be one mail address');
  return text;
}

/** A GUID in lower case. Throws `invalid_request` naming the field. */
export function guidOf(text: string, field: string): string {
  if (!isGuid(text)) throw invalid(field, 'must be a GUID');
  return text.toLowerCase();
}

export function principalIdOf(text: string, field = 'id'): PrincipalId {
  return guidOf(text, field) as PrincipalId;
}

/** The name of a federated credential: 3 to 120 characters, letters, digits, `-` and `_`. */
export function credentialNameOf(text: string): string {
  if (!credentialName.test(text))
    throw invalid('name', 'has 3 to 120 characters: letters, digits, "-" and "_", first a letter or digit');
  return text;
}

/** Exact redirect addresses: https, http on loopback, or a private scheme; never with a fragment. RFC 8252 §7. */
export function redirectUriOf(text: string): string {
  if (text.length > 2048 || /[\s\\*]/.test(text) || !URL.canParse(text))
    throw invalid('redirectUris', `has an entry that is not an absolute address: ${text.slice(0, 200)}`);
  const url = new URL(text);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  const admitted =
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && loopback) ||
    /^(?:msal[a-z0-9-]+|[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+):$/.test(url.protocol);
  if (!admitted || text.includes('#') || url.username !== '' || url.password !== '')
    throw invalid(
      'redirectUris',
      `may hold https addresses, http on loopback and private schemes, without fragment or user: ${text.slice(0, 200)}`,
    );
  return text;
}

export function invalid(field: string, what: string) {
  return failure('invalid_request', `${field} ${what}.`, { field });
}
