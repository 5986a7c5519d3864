import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution, type Commit } from '../../store/changes.ts';
import type { Sealer } from '../../store/sealer.ts';
import type { Store } from '../../store/sqlite.ts';
import type { KeyKind, PublicJwk } from './key-kind.ts';
import { nextActivation, type Rotation } from './rotation.ts';
import { makeKeyRow, openKeyRow, type SigningKey } from './signing-key.ts';

export interface SigningKeysOptions<Jwk extends PublicJwk> {
  /** Keys of other kinds in the same store belong to others. */
  readonly kind: KeyKind<Jwk>;
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly tenantId: TenantId;
  readonly rotation: Rotation;
}

/**
 * The keys that sign for one purpose. A key is published before it signs and stays published until the last token that
 * it signed has expired, so that no verifier meets a token whose key it cannot find. Several processes on one store
 * may rotate at the same time: one of them makes the key, the others read it.
 */
export class SigningKeys<Jwk extends PublicJwk> {
  readonly #options: SigningKeysOptions<Jwk>;
  readonly #listeners = new Set<() => void>();
  #keys: readonly SigningKey<Jwk>[] = [];
  #rotating: Promise<void> | null = null;

  private constructor(options: SigningKeysOptions<Jwk>) {
    this.#options = options;
  }

  /** Reads the keys, and makes the first one where there is none. Throws if a key cannot be unsealed. */
  static async open<Jwk extends PublicJwk>(options: SigningKeysOptions<Jwk>): Promise<SigningKeys<Jwk>> {
    const keys = new SigningKeys(options);
    await keys.rotateIfDue();
    return keys;
  }

  get longestTokenSeconds(): number {
    return this.#options.rotation.longestTokenSeconds;
  }

  /** The key that signs now. Throws `internal` if rotation is overdue; `rotateIfDue` mends that. */
  current(): SigningKey<Jwk> {
    const key = this.#active();
    if (key === null)
      throw new LockstepError({
        code: 'internal',
        internalMessage: 'no signing key is active: rotation is overdue',
      });
    return key;
  }

  /** The key that signs now, made on the spot if rotation is overdue. */
  async signer(): Promise<SigningKey<Jwk>> {
    if (this.#active() === null) await this.rotateIfDue();
    return this.current();
  }

  /** The JSON Web Key Set to publish: RFC 7517 §5. */
  publicJwks(): { keys: Jwk[] } {
    return { keys: this.#published().map((key) => key.publicJwk) };
  }

  /** The public key behind a `kid` that is published, or null. */
  verificationKey(kid: string): KeyObject | null {
    return this.#published().find((key) => key.kid === kid)?.publicKey ?? null;
  }

  /** Every published key with its private half, for the interactive protocol's own signatures. */
  published(): readonly SigningKey<Jwk>[] {
    return this.#published();
  }

  /** Reads what other processes did, retires what has lapsed and makes the next key when it is time. */
  rotateIfDue(): Promise<void> {
    this.#rotating ??= this.#rotate().finally(() => {
      this.#rotating = null;
    });
    return this.#rotating;
  }

  /** Called after the set of keys has changed; answers how to stop listening. */
  onRotation(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #rotate(): Promise<void> {
    const { kind, clock, rotation, sealer, tenantId } = this.#options;
    const { algorithm } = kind;
    await this.#read();
    const now = clock.now();
    const activeFrom = nextActivation(this.#keys, now, rotation);
    const lapsed = this.#keys.some((key) => key.publishedUntil <= now);
    if (activeFrom === null && !lapsed) return;
    const candidate =
      activeFrom === null ? null : await makeKeyRow(kind, { sealer, tenantId, rotation, now, activeFrom });
    await this.#options.commit(systemAttribution(tenantId, 'key rotation'), async (tx, record) => {
      // The write comes first: from here on no other process can decide the same thing.
      const retired = await tx
        .deleteFrom('signing_keys')
        .where('algorithm', '=', algorithm)
        .where('published_until', '<=', now)
        .returning('kid')
        .execute();
      for (const { kid } of retired) record({ kind: 'signing-key.retired', kid, algorithm });
      const rows = await tx
        .selectFrom('signing_keys')
        .select(['active_from', 'active_until'])
        .where('algorithm', '=', algorithm)
        .execute();
      const lives = rows.map((row) => ({ activeFrom: row.active_from, activeUntil: row.active_until }));
      if (candidate === null || nextActivation(lives, now, rotation) !== candidate.active_from) return;
      await tx.insertInto('signing_keys').values(candidate).execute();
      record({ kind: 'signing-key.added', kid: candidate.kid, algorithm });
    });
    await this.#read();
  }

  async #read(): Promise<void> {
    const { kind, store, sealer } = this.#options;
    const rows = await store.db
      .selectFrom('signing_keys')
      .selectAll()
      .where('algorithm', '=', kind.algorithm)
      .orderBy('active_from')
      .execute();
    const known = new Map(this.#keys.map((key) => [key.kid, key]));
    const changed = rows.length !== known.size || rows.some((row) => !known.has(row.kid));
    if (!changed) return;
    this.#keys = rows.map((row) => known.get(row.kid) ?? openKeyRow(kind, row, sealer));
    for (const listener of this.#listeners) listener();
  }

  #active(): SigningKey<Jwk> | null {
    const now = this.#options.clock.now();
    return this.#keys.findLast((key) => key.activeFrom <= now && now < key.activeUntil) ?? null;
  }

  #published(): SigningKey<Jwk>[] {
    const now = this.#options.clock.now();
    return this.#keys.filter((key) => now < key.publishedUntil);
  }
}
