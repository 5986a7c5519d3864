import { importJWK, type CryptoKey } from 'jose';
import type { Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import { fetchIssuerDocuments, type OutsideJwk } from './issuer-documents.ts';
import { isFetchable } from './issuer-address.ts';

export interface ExternalIssuersOptions {
  readonly clock: Clock;
  /** How long a key set is used before it is fetched again; default 10 minutes. */
  readonly freshSeconds?: number;
  /** How long the last key set serves while the issuer cannot be reached; default 1 hour. */
  readonly staleSeconds?: number;
  /** At most one fetch per issuer in so long, however many unknown keys are presented; default 30 s. */
  readonly refetchSeconds?: number;
  /** For one document; default 5 s. */
  readonly timeoutSeconds?: number;
}

interface KeySet {
  readonly keys: readonly OutsideJwk[];
  readonly fetchedAt: number;
}

interface Known {
  set: KeySet | null;
  triedAt: number;
  failed: unknown;
  fetching: Promise<void> | null;
}

/** Which kind of key an algorithm needs; what is not listed is not accepted. RFC 7518 §3.1. */
const keyTypes: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
};

export const outsideAlgorithms: readonly string[] = Object.keys(keyTypes);

/**
 * The public keys of outside issuers, found by OpenID Connect Discovery and kept for a while. It fetches only what
 * it is asked for, so ask only for issuers that a federated credential names.
 */
export class ExternalIssuers {
  readonly #clock: Clock;
  readonly #fresh: number;
  readonly #stale: number;
  readonly #refetch: number;
  readonly #timeoutSeconds: number;
  readonly #known = new Map<string, Known>();
  /** Gone with the key set that they were published in. */
  readonly #importedKeys = new WeakMap<OutsideJwk, Map<string, CryptoKey>>();

  constructor(options: ExternalIssuersOptions) {
    this.#clock = options.clock;
    this.#fresh = (options.freshSeconds ?? 600) * 1000;
    this.#stale = (options.staleSeconds ?? 3600) * 1000;
    this.#refetch = (options.refetchSeconds ?? 30) * 1000;
    this.#timeoutSeconds = options.timeoutSeconds ?? 5;
  }

  /**
   * The one key of that id that fits the algorithm. Throws `invalid_client`: the algorithm is not accepted, the
   * issuer has no such key (or two), or it cannot be reached at the moment (`details.temporary`).
   */
  async key(issuer: string, algorithm: string, kid: string): Promise<CryptoKey> {
    const wanted = keyTypes[algorithm];
    if (wanted === undefined) throw refused(`its algorithm is not one of ${outsideAlgorithms.join(', ')}`);
    if (!isFetchable(issuer)) throw refused('its issuer has no https address');
    const known = this.#entry(issuer);
    const now = this.#clock.now();
    if (known.set === null || now - known.set.fetchedAt >= this.#fresh) await this.#renew(issuer, known);
    if (!known.set?.keys.some((key) => key.kid === kid)) await this.#renew(issuer, known);
    if (known.set === null || this.#clock.now() - known.set.fetchedAt >= this.#stale)
      throw unreachable(issuer, known.failed);
    const fitting = known.set.keys.filter((key) => key.kid === kid);
    const [key] = fitting;
    if (key === undefined) throw refused(`${issuer} publishes no key ${printable(kid)}`);
    if (fitting.length > 1) throw refused(`${issuer} publishes more than one key ${printable(kid)}`);
    const fits =
      key.kty === wanted.kty &&
      (wanted.crv === undefined || key.crv === wanted.crv) &&
      (key.alg === undefined || key.alg === algorithm) &&
      (key.use === undefined || key.use === 'sig') &&
      (key.key_ops === undefined || key.key_ops.includes('verify'));
    if (!fits) throw refused(`the key ${printable(kid)} of ${issuer} is not for ${algorithm} signatures`);
    return this.#imported(issuer, key, algorithm);
  }

  async #imported(issuer: string, key: OutsideJwk, algorithm: string): Promise<CryptoKey> {
    const known = this.#importedKeys.get(key) ?? new Map<string, CryptoKey>();
    const before = known.get(algorithm);
    if (before !== undefined) return before;
    const { kty, n, e, crv, x, y } = key;
    const imported = await importJWK(
      kty === 'RSA' ? { kty, n: n ?? '', e: e ?? '' } : { kty, crv: crv ?? '', x: x ?? '', y: y ?? '' },
      algorithm,
    ).catch((cause: unknown) => {
      throw refused(`the key ${printable(key.kid ?? '')} of ${issuer} is malformed`, cause);
    });
    if (imported instanceof Uint8Array) throw refused(`the key of ${issuer} is not a public key`);
    this.#importedKeys.set(key, known.set(algorithm, imported));
    return imported;
  }

  #entry(issuer: string): Known {
    const found = this.#known.get(issuer);
    if (found !== undefined) return found;
    const entry: Known = { set: null, triedAt: -Infinity, failed: null, fetching: null };
    this.#known.set(issuer, entry);
    return entry;
  }

  /** Fetches once for all who wait, and not again before the refetch interval has passed. */
  async #renew(issuer: string, known: Known): Promise<void> {
    if (known.fetching === null) {
      if (this.#clock.now() - known.triedAt < this.#refetch) return;
      known.triedAt = this.#clock.now();
      known.fetching = this.#fetch(issuer, known).finally(() => {
        known.fetching = null;
      });
    }
    await known.fetching;
  }

  async #fetch(issuer: string, known: Known): Promise<void> {
    try {
      const keys = await fetchIssuerDocuments(issuer, this.#timeoutSeconds);
      known.set = { keys, fetchedAt: this.#clock.now() };
      known.failed = null;
    } catch (thrown) {
      known.failed = thrown;
    }
  }
}

function unreachable(issuer: string, cause: unknown) {
  const why = cause instanceof Error ? cause.message : 'it did not answer';
  return new LockstepError({
    code: 'invalid_client',
    publicMessage: `The keys of ${issuer} cannot be had at the moment, so its tokens cannot be verified: ${why}. Try again shortly.`,
    details: { temporary: true, aadsts: 90033 },
    cause,
  });
}

function refused(why: string, cause?: unknown) {
  return new LockstepError({
    code: 'invalid_client',
    publicMessage: `The presented assertion cannot be verified: ${why}.`,
    details: { aadsts: 700211 },
    cause,
  });
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
