import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Schema } from '../../store/schema.ts';
import type { Sealer } from '../../store/sealer.ts';
import type { KeyKind, PublicJwk } from './key-kind.ts';
import { clockSkewSeconds, type KeyLife, type Rotation } from './rotation.ts';

export interface SigningKey<Jwk extends PublicJwk> extends KeyLife {
  readonly kid: string;
  readonly algorithm: Jwk['alg'];
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: Jwk;
  /** Milliseconds since the epoch. */
  readonly publishedUntil: number;
}

/** A new key, as a row; the private half is sealed under its own kid. */
export async function makeKeyRow<Jwk extends PublicJwk>(
  kind: KeyKind<Jwk>,
  options: {
    readonly sealer: Sealer;
    readonly tenantId: string;
    readonly rotation: Rotation;
    readonly now: number;
    readonly activeFrom: number;
  },
): Promise<Schema['signing_keys']> {
  const pair = await kind.generate();
  const activeUntil = options.activeFrom + options.rotation.signSeconds * 1000;
  const publishedUntil = activeUntil + (options.rotation.longestTokenSeconds + clockSkewSeconds) * 1000;
  const publication = { tenantId: options.tenantId, from: options.now, until: publishedUntil };
  const publicJwk = kind.publish(pair, publication);
  const { kid } = publicJwk;
  const privateJwk = JSON.stringify(pair.privateKey.export({ format: 'jwk' }));
  return {
    kid,
    algorithm: kind.algorithm,
    public_jwk_json: canonicalJson(publicJwk),
    private_jwk_sealed: options.sealer.seal(privateJwk, sealContext(kid)),
    created_at: options.now,
    active_from: options.activeFrom,
    active_until: activeUntil,
    published_until: publishedUntil,
  };
}

/** Throws if the row was changed, or sealed with another key. */
export function openKeyRow<Jwk extends PublicJwk>(
  kind: KeyKind<Jwk>,
  row: Schema['signing_keys'],
  sealer: Sealer,
): SigningKey<Jwk> {
  const publicJwk = kind.readPublic(JSON.parse(row.public_jwk_json));
  const privateKey = createPrivateKey({
    key: kind.readPrivate(JSON.parse(sealer.open(row.private_jwk_sealed, sealContext(row.kid)))),
    format: 'jwk',
  });
  const publicKey = createPublicKey(privateKey);
  if (publicJwk.kid !== row.kid || !kind.isHalfOf(publicKey, publicJwk))
    throw new Error(`the published half of signing key ${row.kid} does not belong to its private half`);
  return {
    kid: row.kid,
    algorithm: kind.algorithm,
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
