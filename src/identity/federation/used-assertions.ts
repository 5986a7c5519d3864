import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Attribution, Commit } from '../../store/changes.ts';

export interface AssertionUse {
  readonly principal: PrincipalId;
  readonly issuer: string;
  /** `jti` where the token has one, else the whole token; both name it among the tokens of its issuer. */
  readonly jti: string | null;
  readonly token: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** What to tell whoever presents it again. */
  readonly remedy: string;
}

/** Remembers assertions that may be exchanged once, until they expire by themselves. */
export class UsedAssertions {
  readonly #commit: Commit;
  readonly #clock: Clock;
  #sweepAt = 0;

  constructor(options: { commit: Commit; clock: Clock }) {
    this.#commit = options.commit;
    this.#clock = options.clock;
  }

  /** Uses the assertion up: of many at the same time exactly one succeeds. Throws `assertion_replayed`. */
  async use(by: Attribution, use: AssertionUse): Promise<void> {
    const digest = digestOf(use);
    const now = this.#clock.now();
    const expiresAt = use.expiresAt * 1000;
    await this.#commit(by, async (tx, record) => {
      if (now >= this.#sweepAt) {
        this.#sweepAt = now + 60_000;
        await tx.deleteFrom('used_assertions').where('expires_at', '<', now).execute();
      }
      const inserted = await tx
        .insertInto('used_assertions')
        .values({ digest, expires_at: expiresAt })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows !== 1n)
        throw new LockstepError({
          code: 'assertion_replayed',
          publicMessage: `This assertion was exchanged before, and it may be exchanged once. ${use.remedy}`,
          details: { aadsts: 5_000_819 },
        });
      const { principal, issuer } = use;
      record({ kind: 'assertion.used', principal, issuer, digest, expiresAt });
    });
  }
}

/**
 * Unambiguous: the parts are framed by JSON, and a `jti` never collides with a token. The signature is left out:
 * an ECDSA signature has a second valid spelling, which must not count as a second token.
 */
function digestOf(use: AssertionUse): string {
  const signed = use.token.slice(0, use.token.lastIndexOf('.'));
  const named = use.jti === null ? ['token', use.issuer, signed] : ['jti', use.issuer, use.jti];
  return createHash('sha256').update(JSON.stringify(named)).digest('base64url');
}
