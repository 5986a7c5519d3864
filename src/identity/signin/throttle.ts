import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import type { Tx } from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import { addressBlock } from './address-block.ts';

/** How failures turn into waiting. */
export interface ThrottleRule {
  /** Failures that cost nothing but themselves. */
  readonly freeFailures: number;
  /** The first wait; each further failure doubles it. */
  readonly firstLockMilliseconds: number;
  readonly longestLockMilliseconds: number;
  /** Without an attempt for so long, the count begins anew. */
  readonly forgetAfterMilliseconds: number;
}

export interface ThrottleRules {
  readonly account: ThrottleRule;
  readonly address: ThrottleRule;
}

const minute = 60_000;

/** Ten guesses at one account take 16 minutes; an address (an office, a NAT) has more room. */
export const defaultThrottleRules: ThrottleRules = {
  account: {
    freeFailures: 4,
    firstLockMilliseconds: minute / 2,
    longestLockMilliseconds: 15 * minute,
    forgetAfterMilliseconds: 24 * 60 * minute,
  },
  address: {
    freeFailures: 30,
    firstLockMilliseconds: minute / 2,
    longestLockMilliseconds: 15 * minute,
    forgetAfterMilliseconds: 60 * minute,
  },
};

export interface Attempt {
  /** What was typed as the account's name, or a client id; it need not exist. */
  readonly account: string;
  /** What the account is; counts of one kind say nothing of another of the same name. Default `person`. */
  readonly kind?: 'person' | 'client';
  /** IP address of the client, null where there is none. */
  readonly sourceAddress: string | null;
}

export type Admission =
  | {
      readonly kind: 'admitted';
      /** Call when the secret was right: the account's count ends, and the address gets its attempt back. */
      succeeded(): Promise<void>;
    }
  /** Refused without looking at the secret. */
  | { readonly kind: 'locked'; readonly retryAfterSeconds: number };

/**
 * Slows guessing down, per account and per source address, across restarts.
 * An attempt counts as a failure from the moment it is admitted, so that attempts in parallel gain nothing;
 * accounts that do not exist are counted like those that do, so that the answer tells nothing about them.
 */
export class SignInThrottle {
  readonly #db: Kysely<Schema>;
  readonly #clock: Clock;
  readonly #rules: ThrottleRules;

  constructor(options: { db: Kysely<Schema>; clock: Clock; rules?: ThrottleRules }) {
    this.#db = options.db;
    this.#clock = options.clock;
    this.#rules = options.rules ?? defaultThrottleRules;
  }

  async admit(attempt: Attempt): Promise<Admission> {
    const counters = this.#counters(attempt);
    const now = this.#clock.now();
    const lockedUntil = await this.#db.transaction().execute(async (tx) => {
      let latest = 0;
      for (const { key } of counters) latest = Math.max(latest, (await read(tx, key)).locked_until);
      if (latest > now) return latest;
      for (const { key, rule } of counters) await countFailure(tx, key, rule, now);
      return null;
    });
    if (lockedUntil !== null) {
      return { kind: 'locked', retryAfterSeconds: Math.ceil((lockedUntil - now) / 1000) };
    }
    return { kind: 'admitted', succeeded: async () => this.#forgive(attempt) };
  }

  /** Removes counters that no longer count. */
  async sweep(): Promise<void> {
    const longest = Math.max(
      this.#rules.account.forgetAfterMilliseconds,
      this.#rules.address.forgetAfterMilliseconds,
    );
    const now = this.#clock.now();
    await this.#db
      .deleteFrom('signin_throttle')
      .where('window_started_at', '<', now - longest)
      .where('locked_until', '<=', now)
      .execute();
  }

  #counters(attempt: Attempt): { key: string; rule: ThrottleRule }[] {
    const counters = [{ key: accountKey(attempt), rule: this.#rules.account }];
    if (attempt.sourceAddress !== null) {
      counters.push({ key: `address:${addressBlock(attempt.sourceAddress)}`, rule: this.#rules.address });
    }
    return counters;
  }

  async #forgive(attempt: Attempt): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      await tx.deleteFrom('signin_throttle').where('key', '=', accountKey(attempt)).execute();
      if (attempt.sourceAddress === null) return;
      const key = `address:${addressBlock(attempt.sourceAddress)}`;
      const { failures } = await read(tx, key);
      if (failures <= 1) await tx.deleteFrom('signin_throttle').where('key', '=', key).execute();
      else {
        const back = { failures: failures - 1, locked_until: 0 };
        await tx.updateTable('signin_throttle').set(back).where('key', '=', key).execute();
      }
    });
  }
}

/** A digest: people type passwords into the name field, and those must not rest in a table. */
function accountKey({ account, kind = 'person' }: Attempt): string {
  const name = account.normalize('NFKC').trim().toLowerCase();
  return `${kind === 'person' ? 'account' : kind}:${createHash('sha256').update(name).digest('base64url')}`;
}

async function read(tx: Tx, key: string): Promise<Schema['signin_throttle']> {
  const row = await tx.selectFrom('signin_throttle').selectAll().where('key', '=', key).executeTakeFirst();
  return row ?? { key, failures: 0, window_started_at: 0, locked_until: 0 };
}

async function countFailure(tx: Tx, key: string, rule: ThrottleRule, now: number): Promise<void> {
  const before = await read(tx, key);
  const failures = now - before.window_started_at > rule.forgetAfterMilliseconds ? 1 : before.failures + 1;
  const over = failures - rule.freeFailures;
  const wait = Math.min(rule.firstLockMilliseconds * 2 ** (over - 1), rule.longestLockMilliseconds);
  const row = { key, failures, window_started_at: now, locked_until: over > 0 ? now + wait : 0 };
  await tx
    .insertInto('signin_throttle')
    .values(row)
    .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
    .execute();
}
