import { sign } from 'node:crypto';
import type { JsonObject } from '../../lib/canonical-json.ts';
import type { AssertionJwk } from './assertion-key-kind.ts';
import type { SigningKeys } from './signing-keys.ts';

/** How long an upstream may take it for true. */
export const assertionSeconds = 60;
/** The `typ` of its JOSE header, which keeps it from ever being taken for an access token (RFC 8725 §3.11). */
export const assertionType = 'lockstep-assertion+jwt';

/**
 * Signs statements of identity for upstreams, as compact JWS with ES256 (RFC 7515 §7.1, RFC 7518 §3.4). On this thread: to
 * have it done on another takes longer than the signature.
 */
export function assertionSigner(keys: Pick<SigningKeys<AssertionJwk>, 'signer'>) {
  const headers = new Map<string, string>();
  const headerOf = (kid: string): string => {
    let header = headers.get(kid);
    if (header === undefined) {
      header = `${base64url(JSON.stringify({ alg: 'ES256', typ: assertionType, kid }))}.`;
      headers.clear();
      headers.set(kid, header);
    }
    return header;
  };
  return async (claims: JsonObject): Promise<string> => {
    const { kid, privateKey } = await keys.signer();
    const signed = headerOf(kid) + base64url(JSON.stringify(claims));
    // Asked for IEEE P1363's form, Node takes three times as long, for looking at its options.
    const signature = p1363FromDer(sign('sha256', Buffer.from(signed, 'ascii'), privateKey));
    return `${signed}.${signature.toString('base64url')}`;
  };
}

/**
 * `r` and `s` of an ECDSA signature on P-256, 32 bytes each, from the ASN.1 sequence that OpenSSL makes of them.
 * RFC 7518 §3.4; RFC 3279 §2.2.3.
 */
export function p1363FromDer(der: Buffer): Buffer {
  const out = Buffer.alloc(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0;
    // An integer has a zero before it where its first bit is set, and none of its own leading zeros.
    const start = length > 32 ? at + 2 + length - 32 : at + 2;
    const next = at + 2 + length;
    der.copy(out, end - (next - start), start, next);
    at = next;
  }
  return out;
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
