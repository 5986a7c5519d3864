import type { LockstepError } from '../lib/errors.ts';
import type { EventId } from '../lib/ids.ts';
import type { Store } from '../store/sqlite.ts';
import type { WrittenEntry } from './event-rows.ts';
import type { Fault } from './faults.ts';
import type { Health } from './health.ts';
import { ledgerFailure } from './storage-failure.ts';

/** Facts that share one transaction at most: bounds how long the event loop is held. */
const maxBatch = 512;
/** Facts that may wait; beyond it the ledger refuses instead of eating memory. */
const maxWaiting = 50_000;
/** Begun so soon after one another, transactions cost more than they hold: what comes meanwhile waits for the next. */
const gatherMilliseconds = 3;
/** Of so many facts at least the last one must have been: whoever is alone waits for nobody. */
const gatheredFrom = 4;
/** Facts that are worth a transaction at once, even while another waits for the disk. */
const gathered = 32;
/** Transactions that wait for the disk at most: while one does, the entries of the next are made and written. */
const maxUnsynced = 2;
/** How long the oldest fact may have waited, for a disk that is slow, before newer ones are refused. */
const defaultPatienceMilliseconds = 5_000;

export interface RecordQueueOptions {
  readonly store: Store;
  readonly health: Health;
  readonly fault: Fault;
  /** Default 5,000. */
  readonly patienceMilliseconds?: number;
  /**
   * Writes them in one transaction that does not wait for the disk, within the database's turn; answers the sequence of the
   * last. Throws when they are refused.
   */
  readonly append: (entries: readonly WrittenEntry[]) => number;
  /** All up to this sequence is on the disk. */
  readonly onDurable: (sequence: number) => void;
  /** The disk did not keep what it was given. */
  readonly onLost: (why: LockstepError) => void;
  /** Nothing is left to write, nor to wait for. */
  readonly onIdle: () => void;
}

interface Waiting {
  readonly entry: WrittenEntry;
  /** On the monotonic clock. */
  readonly since: number;
  readonly resolve: (id: EventId) => void;
  readonly reject: (error: LockstepError) => void;
}

interface Written {
  readonly batch: readonly Waiting[];
  /** Sequence of the last. */
  readonly newest: number;
}

/** What is to be recorded without a change, gathered into transactions that wait for the disk beside one another. */
export class RecordQueue {
  readonly #options: RecordQueueOptions;
  /** To be written. */
  #queue: Waiting[] = [];
  /** Written, and not known to be on the disk yet; the oldest first. */
  #unsynced: readonly Written[] = [];
  /** Takes back what is scheduled. */
  #unschedule: (() => void) | null = null;
  #isWriting = false;
  #flushedAt = -Infinity;
  /** The oldest that was found to wait too long, and whether the event loop has turned since. */
  #overdue: { readonly oldest: Waiting; readonly turned: boolean } | null = null;
  #lastBatch = 0;

  constructor(options: RecordQueueOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#unsynced.length === 0 && !this.#isWriting;
  }

  /** Whether something is written that is not known to be on the disk. */
  get isUnsynced(): boolean {
    return this.#unsynced.length > 0;
  }

  /** What has been taken is still written; whoever comes now is told at once instead of waiting behind all of it. */
  refuseWhenBehind(): void {
    const oldest = this.#unsynced[0]?.batch[0] ?? this.#queue[0];
    if (oldest === undefined) return;
    const { patienceMilliseconds = defaultPatienceMilliseconds } = this.#options;
    const waited = performance.now() - oldest.since;
    const waiting = this.#unsynced.reduce((sum, { batch }) => sum + batch.length, this.#queue.length);
    if (waiting < maxWaiting && (waited <= patienceMilliseconds || !this.#isLate(oldest))) return;
    const failure = ledgerFailure(
      new Error(`the disk does not keep up: ${waiting} events wait, the oldest for ${Math.round(waited)} ms`),
    );
    this.#options.health.failed('append', failure);
    throw failure;
  }

  /**
   * Whoever held the event loop for so long may be to blame, and not the disk: what that has to say is heard first. Ten
   * thousand streams that end at once are recorded, each of them.
   */
  #isLate(oldest: Waiting): boolean {
    if (this.#overdue?.oldest !== oldest) {
      const overdue = { oldest, turned: false };
      this.#overdue = overdue;
      setImmediate(() => {
        overdue.turned = true;
      });
    }
    return this.#overdue.turned;
  }

  /** Tells its id once it is on the disk, or why it is refused. */
  add(entry: WrittenEntry, resolve: (id: EventId) => void, reject: (error: LockstepError) => void): void {
    this.#queue.push({ entry, since: performance.now(), resolve, reject });
    this.#scheduleFlush();
  }

  /**
   * One turn of the event loop, and each wait for the disk, lets what arrives meanwhile join the same transaction; what is
   * enough for one waits for neither.
   */
  #scheduleFlush(): void {
    if (this.#isWriting || this.#queue.length === 0) return;
    const isEnough = this.#queue.length >= gathered;
    if (this.#unsynced.length >= (isEnough ? maxUnsynced : 1)) return;
    if (isEnough) {
      void this.#flush();
      return;
    }
    if (this.#unschedule !== null) return;
    const flush = () => void this.#flush();
    const early = this.#flushedAt + gatherMilliseconds - performance.now();
    if (early > 0 && this.#lastBatch >= gatheredFrom) {
      const timer = setTimeout(flush, early);
      this.#unschedule = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(flush);
      this.#unschedule = () => clearImmediate(immediate);
    }
  }

  async #flush(): Promise<void> {
    this.#unschedule?.();
    this.#unschedule = null;
    this.#isWriting = true;
    this.#flushedAt = performance.now();
    try {
      const { db } = this.#options.store;
      await db.connection().execute(async () => this.#appendTogether());
    } catch (error) {
      const failure = ledgerFailure(error);
      this.#options.health.failed('append', failure);
      for (const waiting of this.#queue.splice(0)) waiting.reject(failure);
    }
    this.#isWriting = false;
    this.#scheduleFlush();
    if (this.isIdle) this.#options.onIdle();
  }

  /** What waits, in one transaction, without leaving the event loop. Never throws. */
  #appendTogether(): void {
    // Half of what is enough for two: while that waits for the disk the other half is written.
    const isForTwo = this.#unsynced.length === 0 && this.#queue.length >= 2 * gathered;
    const batch = this.#queue.splice(
      0,
      Math.min(maxBatch, Math.ceil(this.#queue.length / (isForTwo ? 2 : 1))),
    );
    this.#lastBatch = batch.length;
    try {
      // Within the turn: whoever reads next finds that it is to be waited for.
      const written = { batch, newest: this.#options.append(batch.map(({ entry }) => entry)) };
      this.#unsynced = [...this.#unsynced, written];
      void this.#tellOnceDurable(written);
    } catch (error) {
      const failure = ledgerFailure(error);
      for (const { reject } of batch) reject(failure);
    }
  }

  /**
   * The wait for the disk holds up nobody else. When the disk says that it did not keep what it was given, nobody knows what
   * of it is there: what waits is refused, and all that comes. Never throws.
   */
  async #tellOnceDurable(written: Written): Promise<void> {
    const { batch, newest } = written;
    try {
      this.#options.fault('record.sync', 'before');
      await this.#options.store.journal.synced();
      this.#options.fault('record.sync', 'after');
      this.#options.onDurable(newest);
      for (const { entry, resolve } of batch) resolve(entry.id);
    } catch (error) {
      const failure = ledgerFailure(error);
      this.#options.onLost(failure);
      for (const { reject } of batch) reject(failure);
    }
    this.#unsynced = this.#unsynced.filter((one) => one !== written);
    this.#scheduleFlush();
    if (this.isIdle) this.#options.onIdle();
  }
}
