import type { StatementSync } from 'node:sqlite';

/** While pages are written: so soon after one another it is done. */
const busyMilliseconds = 25;
/** Pages since the last time from which on they count as written without a pause. */
const busyPages = 128;
/** For what comes now and then, and for the checkpoints of everybody else. */
const idleMilliseconds = 5_000;
/** A write-ahead log of so many pages is to begin anew, even if writers have to pause for that. */
const longPages = 4_000;
/** It may be that a reader elsewhere is in the way. */
const betweenPausesMilliseconds = 500;

export interface BackfillOptions {
  /** A connection that nobody waits for. */
  readonly raw: { prepare(sql: string): Pick<StatementSync, 'get'> };
  /** Runs `act` while nobody else in this process writes. */
  readonly whilePaused: (act: () => void) => Promise<void>;
  /** After it had failed. */
  readonly worked: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Brings what the write-ahead log holds to where it belongs, beside whoever writes, so that no COMMIT has to. SQLite's
 * passive checkpoint holds nobody up, and waits for the disk before the log may begin anew; that it does when somebody
 * writes while nothing of it is left to bring, for which it takes a moment without a writer where one hardly pauses by himself.
 * (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files"; sqlite.org/pragma.html#pragma_wal_checkpoint)
 */
export class Backfill {
  readonly #options: BackfillOptions;
  readonly #checkpoint: Pick<StatementSync, 'get'>;
  #timer: NodeJS.Timeout | null = null;
  #due = Infinity;
  #pages = 0;
  #pausedAt = -Infinity;
  #failing = false;
  #stopped = false;
  #working: Promise<void> = Promise.resolve();

  constructor(options: BackfillOptions) {
    this.#options = options;
    this.#checkpoint = options.raw.prepare('pragma wal_checkpoint(passive)');
    this.#schedule(idleMilliseconds);
  }

  /** Much has been written. */
  hurry(): void {
    if (this.#due - performance.now() > busyMilliseconds) this.#schedule(busyMilliseconds);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#working;
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#due = performance.now() + milliseconds;
    this.#timer = setTimeout(() => {
      this.#working = this.#run();
    }, milliseconds);
  }

  async #run(): Promise<void> {
    let written = 0;
    try {
      written = this.#bring();
      const now = performance.now();
      if (written > 0 && this.#pages > longPages && now - this.#pausedAt > betweenPausesMilliseconds) {
        this.#pausedAt = now;
        await this.#options.whilePaused(() => {
          this.#bring();
        });
      }
      if (this.#failing) this.#options.worked();
      this.#failing = false;
    } catch (error) {
      this.#failing = true;
      this.#options.failed(error);
    }
    this.#schedule(written >= busyPages ? busyMilliseconds : idleMilliseconds);
  }

  /** How many pages have been written since the last time. */
  #bring(): number {
    const pages = Number(this.#checkpoint.get()?.['log'] ?? 0);
    const written = pages < this.#pages ? pages : pages - this.#pages;
    this.#pages = pages;
    return written;
  }
}
