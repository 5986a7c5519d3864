import { setImmediate } from 'node:timers/promises';
import { JoinedRuns } from '../../lib/joined-runs.ts';
import type { Turns } from '../../store/connection.ts';
import { ledgerFailure } from '../storage-failure.ts';
import type { AsLogged } from '../logged-entries.ts';
import type { TellRows } from '../privacy/teller.ts';
import { factsIn } from './event-facts.ts';
import { EventKeys } from './event-keys.ts';
import { IndexRows, type FeedRow, type SegmentSpan } from './index-rows.ts';
import { OpenSegment } from './open-segment.ts';
import { segmentWidth } from './postings.ts';
import { TermKeys } from './term-keys.ts';

/** Events read in one turn of the database, and indexed without leaving the event loop: bounds how long it is held. */
const chunkRows = 32;
/** How long news may wait before it is indexed, unless a search asks. */
const idleMilliseconds = 250;
/** While nobody searches, so much longer than it worked it rests: appending goes first. */
const restFactor = 9;
/** Further behind than this it does not rest, so that what a search must wait for stays bounded. */
const maxRestingBehind = 50_000;

/** Where it is said that events cannot be indexed. */
export interface IndexLog {
  error(what: { readonly err: unknown }, message: string): void;
}

/** What a search looks into: complete segments in the database, the newest one in memory. */
export interface SearchIndex {
  readonly rows: IndexRows;
  readonly keys: TermKeys;
  readonly open: OpenSegment;
  readonly asLogged: AsLogged;
  readonly told: TellRows;
  /** In order. */
  readonly sealed: readonly SegmentSpan[];
}

/**
 * Keeps the search index just behind the feed, so that appending pays nothing for it. A complete segment is stored, the
 * newest one is kept in memory and read again from the rows at the next start. One run at a time; after a failure the
 * next run goes on from where the last one was.
 */
export class Indexer {
  readonly #rows: IndexRows;
  readonly #log: IndexLog;
  readonly #keyBits: number;
  readonly #asLogged: AsLogged;
  readonly #told: TellRows;
  #keys: TermKeys | null = null;
  #eventKeys: EventKeys | null = null;
  #sealed: SegmentSpan[] = [];
  #open = new OpenSegment(0);
  #through = 0;
  /** Newest when it began: what has been stored for a while may have been altered since. */
  #stored = 0;
  readonly #runs = new JoinedRuns(() => this.#run());
  /** Searches that wait. */
  #awaited = 0;
  #wake: () => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;
  #failing = false;
  #closed = false;

  /** `keyBits` is for tests. */
  constructor(store: Turns, log: IndexLog, asLogged: AsLogged, told: TellRows, keyBits = 32) {
    this.#told = told;
    this.#keyBits = keyBits;
    this.#asLogged = asLogged;
    this.#rows = new IndexRows(store);
    this.#log = log;
  }

  /** Sequence up to which events can be found. */
  get through(): number {
    return this.#through;
  }

  /** There is news: it will be indexed soon. */
  schedule(): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#catchUp().then(
        () => {
          this.#failing = false;
        },
        (error: unknown) => {
          if (!this.#failing && !this.#closed)
            this.#log.error({ err: error }, 'events cannot be indexed for search');
          this.#failing = true;
        },
      );
    }, idleMilliseconds).unref();
  }

  /** Resolves once all that was durable when it was called can be found. */
  async caughtUp(): Promise<SearchIndex> {
    this.#awaited += 1;
    this.#wake();
    try {
      await this.#catchUp();
    } finally {
      this.#awaited -= 1;
    }
    if (this.#keys === null || this.#closed) throw ledgerFailure(new Error('it is closed'));
    return {
      rows: this.#rows,
      keys: this.#keys,
      open: this.#open,
      sealed: this.#sealed,
      asLogged: this.#asLogged,
      told: this.#told,
    };
  }

  async #catchUp(): Promise<void> {
    await this.#runs.request();
  }

  /** Nothing before this sequence has a row any more. */
  async forget(before: number): Promise<void> {
    await this.#catchUp();
    const segment = Math.floor(before / segmentWidth);
    this.#sealed = this.#sealed.filter((span) => span.segment >= segment);
    await this.#rows.forget(segment);
  }

  /** How many events are not indexed yet. */
  async behind(): Promise<number> {
    return this.#rows.turn(() => {
      this.#begin();
      return Math.max(0, this.#rows.newestSequence() - this.#through);
    });
  }

  /** Ends a run that is under way at its next step; what it has not done is done at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#runs.idle();
  }

  async #run(): Promise<void> {
    const newest = await this.#rows.turn(() => {
      this.#begin();
      return this.#rows.newestSequence();
    });
    while (this.#through < newest && !this.#closed) {
      const started = performance.now();
      const rows = await this.#rows.turn(() => this.#rows.rowsAfter(this.#through, chunkRows));
      if (rows.length === 0) return;
      const isOld = this.#through < this.#stored;
      for (const row of isOld ? await this.#asLogged(rows) : rows) await this.#add(row);
      await this.#rest((performance.now() - started) * restFactor, newest - this.#through);
    }
  }

  async #rest(milliseconds: number, behind: number): Promise<void> {
    if (this.#awaited > 0 || this.#closed || behind > maxRestingBehind) return setImmediate();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
  }

  /** On first use: what is stored, whoever stored it. */
  #begin(): void {
    if (this.#keys !== null) return;
    this.#sealed = this.#rows.segments(0);
    this.#through = this.#rows.sealedThrough();
    this.#stored = this.#rows.newestSequence();
    this.#open = new OpenSegment(Math.floor((this.#through + 1) / segmentWidth));
    this.#keys = new TermKeys(this.#rows.salt(), this.#keyBits);
    this.#eventKeys = new EventKeys(this.#keys);
  }

  async #add({ sequence, time, entry }: FeedRow): Promise<void> {
    const segment = Math.floor(sequence / segmentWidth);
    if (segment !== this.#open.segment) await this.#seal(segment);
    // What is no event can be found by its time.
    const facts = factsIn(entry);
    this.#open.add(sequence, time, facts === null ? [] : (this.#eventKeys?.of(facts) ?? []));
    this.#through = sequence;
  }

  async #seal(next: number): Promise<void> {
    const { segment, events, times } = this.#open;
    if (events > 0) {
      await this.#rows.seal(this.#open.sealed());
      this.#sealed = [...this.#sealed, { segment, firstTime: times.first, lastTime: times.last }];
    }
    this.#open = new OpenSegment(next);
  }
}
