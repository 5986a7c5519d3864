import type { EventId } from '../lib/ids.ts';
import type {
  Attribution,
  Change,
  Commit,
  CommitGuard,
  CommittedChange,
  Follower,
  Tx,
} from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import type { Position } from './catalogue/entry.ts';
import { EventRows, type WrittenEntry } from './event-rows.ts';
import type { Fact, RecordFact, RequestFact } from './events.ts';
import type { Fault } from './faults.ts';
import type { Health } from './health.ts';
import { RecordQueue } from './record-queue.ts';
import type { SubjectKeys } from './privacy/subject-keys.ts';
import { isStoreFailing, ledgerFailure } from './storage-failure.ts';

export interface AppenderOptions {
  readonly store: Store;
  readonly health: Health;
  readonly fault: Fault;
  readonly keys: SubjectKeys;
  readonly entryOf: (fact: Fact, position: Position | null) => WrittenEntry;
  /** Called after every durable append. */
  readonly onAppended: () => void;
  /** Default 5,000. */
  readonly patienceMilliseconds?: number;
}

interface Appended {
  readonly entry: WrittenEntry;
  readonly sequence: number;
  readonly change: Change | null;
}

/**
 * The one writer of the change feed. Everything goes through the database's own turn (Kysely gives its single
 * connection to one user at a time), so a group of facts never lands inside somebody's transaction, followers see
 * changes in the order of the feed, and nobody reads between a COMMIT and its followers.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #rows: EventRows;
  readonly #followers = new Set<Follower>();
  readonly #guards = new Set<CommitGuard>();
  readonly #idle = new Set<() => void>();
  readonly #records: RecordQueue;
  #working = 0;
  #closed = false;
  /** Why everything is refused until a restart. */
  #stopped: Error | null = null;
  #lastSequence: number;
  /** Written by a COMMIT that failed and could not be read back yet: whether it exists is unknown. */
  #unsettled: readonly Appended[] = [];

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#rows = new EventRows(options.store, options.keys);
    this.#records = new RecordQueue({
      ...options,
      append: (entries) => this.#appendTogether(entries),
      onDurable: (sequence) => this.#durableThrough(sequence),
      onLost: (why) => this.stop(why),
      onIdle: () => this.#tellIdle(),
    });
    this.#lastSequence = this.#rows.newestSequence();
    this.lastTime = this.#rows.newestTime();
  }

  /** When the newest event was recorded, in the feed as it stood when this was opened; null for none. */
  readonly lastTime: number | null;

  /** Of what is on the disk. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Resolves once all that is written now is on the disk: nothing is told of before. Throws `ledger_unavailable`. */
  async durable(): Promise<void> {
    if (!this.#records.isUnsynced) return;
    try {
      await this.#options.store.journal.synced();
    } catch (error) {
      throw ledgerFailure(error);
    }
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => {
      this.#followers.delete(follower);
    };
  }

  guard(guard: CommitGuard): () => void {
    this.#guards.add(guard);
    return () => {
      this.#guards.delete(guard);
    };
  }

  readonly commit: Commit = async (by, work) => {
    this.#refuseWhenStopped();
    this.#working += 1;
    try {
      // The turn is kept until the followers have run.
      return await this.#options.store.db.connection().execute(async (turn) => {
        this.#enterTurn();
        const tx = await turn.startTransaction().execute();
        return this.#commitIn(tx, by, work, {
          commit: async () => tx.commit().execute(),
          rollback: async () => tx.rollback().execute(),
        });
      });
    } finally {
      this.#working -= 1;
      this.#tellIdle();
    }
  };

  async #commitIn<T>(
    tx: Tx,
    by: Attribution,
    work: (tx: Tx, record: (change: Change) => void) => Promise<T>,
    end: { readonly commit: () => Promise<void>; readonly rollback: () => Promise<void> },
  ): Promise<T> {
    const recorded: { entry: WrittenEntry; change: Change }[] = [];
    let appended: Appended[] = [];
    let open = true;
    let result: T;
    try {
      result = await work(tx, (change) => {
        if (!open) throw new Error(`${change.kind} was recorded after its transaction had ended`);
        const position = this.#rows.nextPosition(recorded.at(-1)?.entry.position ?? null);
        const entry = this.#options.entryOf({ kind: 'change', attribution: by, change }, position);
        recorded.push({ change, entry });
      });
      open = false;
      const changes = recorded.map(({ change }) => change);
      for (const guard of this.#guards) await guard(tx, changes);
      this.#requireTransaction();
      appended = recorded.map(({ entry, change }) => ({ entry, change, sequence: this.#rows.append(entry) }));
    } catch (error) {
      open = false;
      await quietly(end.rollback);
      if (!isStoreFailing(error)) throw error;
      this.#options.health.failed('append', error);
      throw ledgerFailure(error);
    }
    try {
      this.#options.fault('commit.commit', 'before');
      await end.commit();
      this.#options.fault('commit.commit', 'after');
    } catch (error) {
      await quietly(end.rollback);
      this.#settleAfter(error, appended);
      return result;
    }
    this.#applied(appended);
    const newest = appended.at(-1);
    if (newest !== undefined) this.#durableThrough(newest.sequence);
    return result;
  }

  readonly record: RecordFact = (fact: RequestFact) =>
    new Promise<EventId>((resolve, reject) => {
      this.#refuseWhenStopped();
      this.#records.refuseWhenBehind();
      this.#records.add(this.#options.entryOf(fact, null), resolve, reject);
    });

  /** Refuses everything until a restart. */
  stop(why: Error): void {
    this.#stopped ??= ledgerFailure(why);
    this.#options.health.failed('sync', why);
  }

  /** Refuses what comes from now on and waits until what came before is durable or refused. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#idle.add(resolve);
    });
  }

  /** Facts without a change, in one transaction, without leaving the event loop; see RecordQueue. */
  #appendTogether(entries: readonly WrittenEntry[]): number {
    const { raw, journal } = this.#options.store;
    this.#enterTurn();
    let appended: Appended[] = [];
    try {
      journal.deferred(() => {
        raw.exec('begin immediate');
        appended = entries.map((entry) => ({ entry, change: null, sequence: this.#rows.append(entry) }));
        this.#options.fault('record.commit', 'before');
        raw.exec('commit');
        this.#options.fault('record.commit', 'after');
      });
      this.#applied(appended);
    } catch (error) {
      this.#settleAfter(error, appended);
    }
    return appended.at(-1)?.sequence ?? 0;
  }

  #durableThrough(sequence: number): void {
    this.#lastSequence = Math.max(this.#lastSequence, sequence);
  }

  #applied(appended: readonly Appended[]): void {
    const newest = appended.at(-1);
    if (newest === undefined) return;
    this.#options.health.worked('append');
    const committed: CommittedChange[] = [];
    for (const { sequence, change, entry } of appended) {
      this.#options.keys.written(entry.keys);
      if (change === null) continue;
      committed.push({ sequence, previous: entry.position?.previous ?? 0, change, event: entry.id });
    }
    if (committed.length > 0) this.#tellFollowers(committed);
    this.#options.onAppended();
  }

  /** A follower that throws no longer enforces what is recorded, so from then on everything is refused. */
  #tellFollowers(committed: readonly CommittedChange[]): void {
    for (const follower of this.#followers) {
      try {
        follower(committed);
      } catch (error) {
        this.#stopped ??= new Error('a follower has lost step with the feed; restart', { cause: error });
        this.#options.health.failed('follow', error);
      }
    }
  }

  /**
   * A COMMIT that reports a failure may still have happened. What the database now holds decides: returns when the
   * rows are there (they have been applied then), throws when they are not or cannot be read.
   */
  #settleAfter(error: unknown, appended: readonly Appended[]): void {
    this.#unsettled = appended;
    this.#options.health.failed('append', error);
    let existed: boolean;
    try {
      existed = this.#settle();
    } catch {
      throw ledgerFailure(error);
    }
    if (!existed) throw ledgerFailure(error);
  }

  /** Within our turn nothing is open: a transaction that could not be rolled back when it failed is rolled back now. */
  #enterTurn(): void {
    const { raw } = this.#options.store;
    if (raw.isTransaction) raw.exec('rollback');
    this.#settle();
  }

  /** Whether the rows in doubt were there; false too when none were in doubt. */
  #settle(): boolean {
    const [first] = this.#unsettled;
    if (first === undefined) return false;
    if (this.#options.store.raw.isTransaction) {
      throw ledgerFailure(new Error('a transaction that failed cannot be rolled back'));
    }
    const existed = this.#rows.has(first.entry);
    const settled = this.#unsettled;
    this.#unsettled = [];
    if (existed) this.#applied(settled);
    return existed;
  }

  /** SQLite may have rolled a transaction back by itself while `work` went on. */
  #requireTransaction(): void {
    if (!this.#options.store.raw.isTransaction) {
      throw ledgerFailure(new Error('the database ended the transaction before its time'));
    }
  }

  #refuseWhenStopped(): void {
    if (this.#closed) throw ledgerFailure(new Error('it is closed'));
    if (this.#stopped !== null) throw ledgerFailure(this.#stopped);
  }

  #isIdle(): boolean {
    return this.#working === 0 && this.#records.isIdle;
  }

  #tellIdle(): void {
    if (!this.#isIdle()) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}

/** Rolls back; that it cannot (SQLite may have done so already) adds nothing to the error that led here. */
async function quietly(rollback: () => Promise<void>): Promise<void> {
  await rollback().catch(() => undefined);
}
