import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Schema } from '../../store/schema.ts';
import type { Sealer } from '../../store/sealer.ts';
import { clockSkewSeconds, type KeyLife, type Rotation } from './rotation.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

const generate = promisify(generateKeyPair);

/** One entry of the published key set, in Entra's shape. RFC 7517 §4. */
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

export type PublicJwk = z.infer<typeof publicJwkSchema>;

export interface SigningKey extends KeyLife {
  readonly kid: string;
  readonly algorithm: 'RS256';
  /** The same as `kid`, as Entra has it: the SHA-1 thumbprint of the certificate. */
  readonly x5t: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: PublicJwk;
  /** Milliseconds since the epoch. */
  readonly publishedUntil: number;
}

/** A new RSA key of 2048 bits, as a row; the private half is sealed under its own kid. */
export async function makeKeyRow(options: {
  readonly sealer: Sealer;
  readonly tenantId: string;
  readonly rotation: Rotation;
  readonly now: number;
  readonly activeFrom: number;
}): Promise<Schema['signing_keys']> {
  const { privateKey, publicKey } = await generate('rsa', { modulusLength: 2048, publicExponent: 0x10001 });
  const activeUntil = options.activeFrom + options.rotation.signSeconds * 1000;
  const publishedUntil = activeUntil + (options.rotation.longestTokenSeconds + clockSkewSeconds) * 1000;
  const certificate = selfSignedCertificate(privateKey, publicKey, {
    commonName: `lockstep ${options.tenantId}`,
    notBefore: options.now,
    notAfter: publishedUntil,
  });
  const kid = createHash('sha1').update(certificate).digest('base64url');
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const x5c = [certificate.toString('base64')];
  const publicJwk: PublicJwk = { kty: 'RSA', use: 'sig', alg: 'RS256', kid, x5t: kid, n, e, x5c };
  const privateJwk = JSON.stringify(privateKey.export({ format: 'jwk' }));
  return {
    kid,
    algorithm: 'RS256',
    public_jwk_json: canonicalJson(publicJwk),
    private_jwk_sealed: options.sealer.seal(privateJwk, sealContext(kid)),
    created_at: options.now,
    active_from: options.activeFrom,
    active_until: activeUntil,
    published_until: publishedUntil,
  };
}

/** Throws if the row was changed, or sealed with another key. */
export function openKeyRow(row: Schema['signing_keys'], sealer: Sealer): SigningKey {
  const publicJwk = publicJwkSchema.parse(JSON.parse(row.public_jwk_json));
  const privateKey = createPrivateKey({
    key: privateJwkSchema.parse(JSON.parse(sealer.open(row.private_jwk_sealed, sealContext(row.kid)))),
    format: 'jwk',
  });
  const publicKey = createPublicKey(privateKey);
  const { n, e } = publicKey.export({ format: 'jwk' });
  if (publicJwk.kid !== row.kid || publicJwk.n !== n || publicJwk.e !== e)
    throw new Error(`the published half of signing key ${row.kid} does not belong to its private half`);
  return {
    kid: row.kid,
    algorithm: 'RS256',
    x5t: row.kid,
    privateKey,
    publicKey,
    publicJwk,
    activeFrom: row.active_from,
    activeUntil: row.active_until,
    publishedUntil: row.published_until,
  };
}

function sealContext(kid: string): string {
  return `signing-key:${kid}`;
}
