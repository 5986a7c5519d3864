import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Attribution, Commit } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import { addressKey } from '../catalogue/personal.ts';
import type { Fault } from '../faults.ts';
import { keyBytes } from './box-form.ts';
import type { SubjectKeys } from './subject-keys.ts';

/** Whose personal values go. */
export interface Erasure {
  /**
   * Object id; also that of a role, an assignment or a scope, for what has been written about it; or an address, which is
   * not recorded.
   */
  readonly id: string;
  /** Addresses (sign-in names) under which others may have asked for them. */
  readonly addresses: readonly string[];
}

export interface Erased {
  /** Keys that were destroyed; 0 where nothing is known. */
  readonly keys: number;
  /** False while another process keeps the database's journal from being cleared: the next start clears it. */
  readonly complete: boolean;
}

export interface ErasingParts {
  readonly store: Store;
  readonly keys: SubjectKeys;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly fault: Fault;
  readonly log: Log;
}

/** Present for as long as the journal of the database may still hold what has been erased. */
const marker = 'ledger.erasure';

/** The log is not to say for good what was to be erased. Ids of CI runs hold slashes. */
const addressAlone = /^[^\s@/]+@[^\s@/]+$/;

/**
 * Destroys the keys: the values, wherever copies of them are, are random bytes from then on. One transaction with its
 * event; then the database's journal is cleared of what the pages were before. An interruption before the commit has
 * changed nothing, one after it is completed by the next start.
 */
export async function erase(
  { store, keys, commit, clock, fault, log }: ErasingParts,
  by: Attribution,
  { id, addresses }: Erasure,
): Promise<Erased> {
  const isAddress = addressAlone.test(id);
  const named = isAddress ? [id, ...addresses] : addresses;
  const subjects = [id, ...named.map(addressKey)].map((one) => keys.digest(one));
  const destroyed = await commit(by, async (tx, record) => {
    const { numUpdatedRows } = await tx
      .updateTable('personal_keys')
      .set({ secret: new Uint8Array(keyBytes), subject: '', erased_at: clock.now() })
      .where('subject', 'in', subjects)
      .where('erased_at', 'is', null)
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('meta')
      .values({ key: marker, value: 'the journal is to be cleared' })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const destroyed = Number(numUpdatedRows);
    record({ kind: 'person.erased', person: isAddress ? 'address' : id.toLowerCase(), keys: destroyed });
    return destroyed;
  });
  keys.forget(subjects);
  fault('erase.scrub', 'before');
  const complete = await scrub(store);
  fault('erase.scrub', 'after');
  if (!complete)
    log.warn(
      'another process keeps the journal of the database; what was erased leaves it at the next start',
    );
  return { keys: destroyed, complete };
}

const looks = 20;
const betweenLooksMilliseconds = 50;

/** Clears the journal where an erasure has left that to be done; whether nothing is left of it. */
export async function scrub({ db, raw }: Store): Promise<boolean> {
  const isDue = await db.selectFrom('meta').select('key').where('key', '=', marker).executeTakeFirst();
  if (isDue === undefined) return true;
  for (let look = 0; look < looks; look++) {
    const cleared = await db.connection().execute(async () => {
      // Pages go to where they belong, over what they were; then the journal is cut to nothing.
      if (Number(raw.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] ?? 1) !== 0) return false;
      raw.prepare('delete from meta where key = ?').run(marker);
      return true;
    });
    if (cleared) return true;
    await sleep(betweenLooksMilliseconds);
  }
  return false;
}
