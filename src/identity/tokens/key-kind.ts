import type { JsonWebKey, KeyObject } from 'node:crypto';
import type { JsonObject } from '../../lib/canonical-json.ts';

/** What every entry of a published key set says. RFC 7517 §4. */
export type PublicJwk = JsonObject & {
  readonly kty: 'RSA' | 'EC';
  readonly use: 'sig';
  readonly alg: 'RS256' | 'ES256';
  readonly kid: string;
};

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** How long a key is published, in milliseconds since the epoch, and for whom. */
export interface Publication {
  readonly tenantId: string;
  readonly from: number;
  readonly until: number;
}

/** One algorithm of signing keys: how a pair is made, and how each half is written down. */
export interface KeyKind<Jwk extends PublicJwk> {
  readonly algorithm: Jwk['alg'];
  generate(): Promise<KeyPair>;
  publish(pair: KeyPair, publication: Publication): Jwk;
  /** Throws for what is no public key of this kind. */
  readPublic(json: unknown): Jwk;
  /** Throws for what is no private key of this kind. */
  readPrivate(json: unknown): JsonWebKey;
  /** Whether the published half is that of the key. */
  isHalfOf(publicKey: KeyObject, jwk: Jwk): boolean;
}
