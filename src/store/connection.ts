import { DatabaseSync } from 'node:sqlite';
import type { Journal } from './journal.ts';

/** Which database, and whether it is to survive a loss of power. */
export interface Database {
  /** File path, or `:memory:`. */
  readonly path: string;
  /** Default true: every commit reaches the disk before it is acknowledged. */
  readonly dangerouslyNotDurable?: boolean;
}

/** One connection, and whose turn it is to use it. */
export interface Turns {
  /** For statements that must cost microseconds. Use it only in a turn. */
  readonly raw: DatabaseSync;
  readonly journal: Journal;
  /** Runs `act`, which leaves no transaction open, while nobody else uses the connection. */
  turn<T>(act: () => T): Promise<T>;
}

/** A connection as all of ours are: WAL, synchronous=FULL, foreign keys on, waiting for another writer for up to 5 s. */
export function openConnection({ path, dangerouslyNotDurable }: Database): DatabaseSync {
  const raw = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5_000 });
  // Of a new file only: an event of the ledger takes somewhat more than half of a page of 4 KiB.
  raw.exec(`pragma page_size = 8192`);
  raw.exec(`pragma journal_mode = wal`);
  raw.exec(`pragma synchronous = ${dangerouslyNotDurable ? 'off' : 'full'}`);
  // What is deleted is overwritten: an erased key must not be found in the free space of a page.
  raw.exec(`pragma secure_delete = on`);
  return raw;
}
