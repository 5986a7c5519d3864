import type { Ledger } from '../ledger/ledger.ts';
import type { Clock } from '../lib/clock.ts';
import type { Attribution } from '../store/changes.ts';

const dayMilliseconds = 86_400_000;

export interface RetentionOptions {
  readonly ledger: Pick<Ledger, 'prune' | 'pruneArchive' | 'renewRetention'>;
  readonly retention: { readonly keepDays?: number | undefined; readonly hold: boolean };
  readonly by: Attribution;
  readonly clock: Clock;
}

/**
 * To be called now and then: once a day what is older than the period goes, first from the database, then from the log.
 * The statement of what is kept follows the exchange of the log's key at once.
 */
export function keepingTo({ ledger, retention, by, clock }: RetentionOptions): () => Promise<void> {
  let next = -Infinity;
  return async () => {
    await ledger.renewRetention();
    const { keepDays, hold } = retention;
    const now = clock.now();
    if (keepDays === undefined || hold || now < next) return;
    next = now + dayMilliseconds;
    const before = now - keepDays * dayMilliseconds;
    await ledger.prune(by, before);
    await ledger.pruneArchive(by, before);
  };
}
