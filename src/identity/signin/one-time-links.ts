import { createHash, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import { newSecret, type PrincipalId, type Secret } from '../../lib/ids.ts';
import type { Attribution, Change, Commit, CredentialRecord, Tx } from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';

/**
 * Links that sign one person in once: for the first start and for a forgotten password.
 * Only the SHA-256 of the 256-bit code is stored; making and using one are in the ledger.
 */
export class OneTimeLinks {
  readonly #db: Kysely<Schema>;
  readonly #commit: Commit;
  readonly #clock: Clock;

  constructor(options: { db: Kysely<Schema>; commit: Commit; clock: Clock }) {
    this.#db = options.db;
    this.#commit = options.commit;
    this.#clock = options.clock;
  }

  async create(by: Attribution, principalId: PrincipalId, ttlSeconds: number): Promise<Secret> {
    const code = newSecret();
    const digest = digestOf(code);
    const expiresAt = this.#clock.now() + ttlSeconds * 1000;
    await this.#commit(by, async (tx, record) => {
      await tx
        .insertInto('one_time_links')
        .values({ digest, principal_id: principalId, expires_at: expiresAt, used_at: null })
        .execute();
      record({ kind: 'credential.added', principal: principalId, credential: credentialOf(digest) });
    });
    return code;
  }

  /** Whom a code would sign in, without using it up; null if it is unknown, used or lapsed. */
  async peek(code: string): Promise<PrincipalId | null> {
    const digest = digestOf(code);
    const row = await this.#db
      .selectFrom('one_time_links')
      .selectAll()
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (row === undefined || row.used_at !== null || row.expires_at <= this.#clock.now()) return null;
    return timingSafeEqual(Buffer.from(row.digest), Buffer.from(digest))
      ? (row.principal_id as PrincipalId)
      : null;
  }

  /** Uses a code up: of two at the same instant, one gets the principal and the other null. */
  async redeem(by: Attribution, code: string): Promise<PrincipalId | null> {
    if ((await this.peek(code)) === null) return null;
    const digest = digestOf(code);
    const now = this.#clock.now();
    return this.#commit(by, async (tx, record) => {
      const used = await tx
        .updateTable('one_time_links')
        .set({ used_at: now })
        .where('digest', '=', digest)
        .where('used_at', 'is', null)
        .where('expires_at', '>', now)
        .returning('principal_id')
        .executeTakeFirst();
      if (used === undefined) return null;
      const principal = used.principal_id as PrincipalId;
      record({ kind: 'credential.removed', principal, credential: credentialOf(digest) });
      return principal;
    });
  }

  /** Removes links that lapsed or were used. */
  async sweep(): Promise<void> {
    await this.#db.deleteFrom('one_time_links').where('expires_at', '<=', this.#clock.now()).execute();
  }
}

/** Withdraws the links that a person still has, within the caller's transaction: whoever is shut out stays out. */
export async function withdrawLinks(
  tx: Tx,
  record: (change: Change) => void,
  principal: PrincipalId,
  now: number,
): Promise<void> {
  const open = await tx
    .updateTable('one_time_links')
    .set({ used_at: now })
    .where('principal_id', '=', principal)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning('digest')
    .execute();
  for (const { digest } of open) {
    record({ kind: 'credential.removed', principal, credential: credentialOf(digest) });
  }
}

function digestOf(code: string): string {
  return createHash('sha256').update(code).digest('base64url');
}

function credentialOf(digest: string): CredentialRecord {
  return { id: `one-time-link/${digest.slice(0, 12)}`, kind: 'secret', hint: 'one-time sign-in link' };
}
