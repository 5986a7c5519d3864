import { constants, verify, type KeyObject } from 'node:crypto';

/**
 * Whether an RSA signature fits: RS256 (PKCS #1 v1.5) or PS256 (PSS with a salt as long as the hash). RFC 7518 §3.3, §3.5.
 * On the calling thread: the 40 µs that it takes are less than the way to another.
 */
export function rsaSignatureFits(
  algorithm: 'RS256' | 'PS256',
  signed: Buffer,
  key: KeyObject,
  signature: Buffer,
): boolean {
  return algorithm === 'RS256'
    ? verify('sha256', signed, key, signature)
    : verify('sha256', signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, signature);
}
