import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { KeyKind } from './key-kind.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

const generate = promisify(generateKeyPair);

/** In Entra's shape. RFC 7517 §4. */
const publicJwkSchema = z.strictObject({
  kty: z.literal('RSA'),
  use: z.literal('sig'),
  alg: z.literal('RS256'),
  kid: z.string(),
  x5t: z.string(),
  n: z.string(),
  e: z.string(),
  x5c: z.array(z.string()).length(1),
});

/** RFC 7518 §6.3.2. */
const privateJwkSchema = z.strictObject({
  kty: z.literal('RSA'),
  n: z.string(),
  e: z.string(),
  d: z.string(),
  p: z.string(),
  q: z.string(),
  dp: z.string(),
  dq: z.string(),
  qi: z.string(),
});

export type TokenJwk = z.infer<typeof publicJwkSchema>;

/** What signs tokens: RSA of 2048 bits with RS256, named by the SHA-1 thumbprint of a certificate, as clients of Entra expect. */
export const tokenKeyKind: KeyKind<TokenJwk> = {
  algorithm: 'RS256',
  generate: () => generate('rsa', { modulusLength: 2048, publicExponent: 0x10001 }),
  publish: ({ privateKey, publicKey }, { tenantId, from, until }) => {
    const certificate = selfSignedCertificate(privateKey, publicKey, {
      commonName: `lockstep ${tenantId}`,
      notBefore: from,
      notAfter: until,
    });
    const kid = createHash('sha1').update(certificate).digest('base64url');
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
    const x5c = [certificate.toString('base64')];
    return { kty: 'RSA', use: 'sig', alg: 'RS256', kid, x5t: kid, n, e, x5c };
  },
  readPublic: (json) => publicJwkSchema.parse(json),
  readPrivate: (json) => privateJwkSchema.parse(json),
  isHalfOf: (publicKey, jwk) => {
    const { n, e } = publicKey.export({ format: 'jwk' });
    return jwk.n === n && jwk.e === e;
  },
};
