import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { KeyKind } from './key-kind.ts';

const generate = promisify(generateKeyPair);

const publicJwkSchema = z.strictObject({
  kty: z.literal('EC'),
  use: z.literal('sig'),
  alg: z.literal('ES256'),
  kid: z.string(),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
});

/** RFC 7518 §6.2.2. */
const privateJwkSchema = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});

export type AssertionJwk = z.infer<typeof publicJwkSchema>;

/**
 * What signs the statements of identity to upstreams, one for each request: P-256 with ES256, which takes a tenth of the
 * time of RS256, named by its thumbprint (RFC 7638). These keys sign no token: whoever takes tokens takes RS256 alone.
 */
export const assertionKeyKind: KeyKind<AssertionJwk> = {
  algorithm: 'ES256',
  generate: () => generate('ec', { namedCurve: 'P-256' }),
  publish: ({ publicKey }) => {
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const named = { crv: 'P-256', kty: 'EC', x, y } as const;
    const kid = createHash('sha256').update(canonicalJson(named)).digest('base64url');
    return { ...named, use: 'sig', alg: 'ES256', kid };
  },
  readPublic: (json) => publicJwkSchema.parse(json),
  readPrivate: (json) => privateJwkSchema.parse(json),
  isHalfOf: (publicKey, jwk) => {
    const { x, y } = publicKey.export({ format: 'jwk' });
    return jwk.x === x && jwk.y === y;
  },
};
