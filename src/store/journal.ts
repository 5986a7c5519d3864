import { open, type FileHandle } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { JoinedRuns } from '../lib/joined-runs.ts';
import type { Database } from './connection.ts';

/**
 * SQLite's write-ahead log, and when it reaches the disk. With synchronous=FULL a COMMIT waits for that, and the whole
 * process with it. What is committed `deferred` does not: it is durable once `synced`, which waits beside everything else
 * and for many commits at once. (sqlite.org/wal.html, "Performance Considerations"; sqlite.org/pragma.html#pragma_synchronous)
 */
export interface Journal {
  /**
   * Runs `act`, which begins and commits a transaction, without waiting for the disk. Within the database's turn, outside of
   * a transaction.
   */
  deferred<T>(act: () => T): T;
  /**
   * Resolves once all that was committed when it was called is on the disk; any later COMMIT that waits sees to that too.
   * Rejects when the disk says that it did not keep it, and from then on: nobody knows what of it there is after a loss of
   * power, and a disk that is asked again may say that all is well (wiki.postgresql.org/wiki/Fsync_Errors).
   */
  synced(): Promise<void>;
  /** As if the disk had said so here: it has told another connection. */
  lose(cause: unknown): void;
  /** Called once, should the disk ever say so. */
  whenLost(told: (error: Error) => void): void;
  close(): Promise<void>;
}

type Connection = Pick<DatabaseSync, 'exec' | 'isTransaction' | 'close'>;

/** Of a connection that has just been opened. */
export function journalIn(raw: Connection, { path, dangerouslyNotDurable }: Database): Journal {
  return path === ':memory:' || dangerouslyNotDurable === true ? noJournal(raw) : journalOf(raw, path);
}

/** Of a database that is not to survive anything. */
function noJournal(raw: Connection): Journal {
  return {
    deferred: (act) => {
      try {
        return act();
      } finally {
        if (raw.isTransaction) raw.exec('rollback');
      }
    },
    synced: async () => Promise.resolve(),
    lose: () => undefined,
    whenLost: () => undefined,
    close: async () => Promise.resolve(),
  };
}

/** A connection that cannot be brought to wait again is closed: nothing may be taken for durable that is not. */
function waitAgain(raw: Connection): void {
  try {
    if (raw.isTransaction) raw.exec('rollback');
    raw.exec('pragma synchronous = full');
  } catch (error) {
    raw.close();
    throw error;
  }
}

/** `raw` is in WAL mode with synchronous=FULL, and stays open for as long as this is used. */
export function journalOf(raw: Connection, databasePath: string): Journal {
  let file: Promise<FileHandle> | null = null;
  let lost: Error | null = null;
  const runs = new JoinedRuns(async () => {
    if (lost !== null) throw lost;
    try {
      // The file is there from the first commit on, and the same until the last connection is closed.
      file ??= open(`${databasePath}-wal`, 'r+');
      await (await file).datasync();
      if (lost !== null) throw lost;
    } catch (cause) {
      throw lose(cause);
    }
  });
  const told: ((error: Error) => void)[] = [];
  const lose = (cause: unknown): Error => {
    if (lost !== null) return lost;
    const error = new Error('the disk did not keep what was written; restart', { cause });
    lost = error;
    for (const tell of told) tell(error);
    return error;
  };
  return {
    deferred: (act) => {
      raw.exec('pragma synchronous = normal');
      try {
        return act();
      } finally {
        waitAgain(raw);
      }
    },
    synced: async () => runs.request(),
    lose,
    whenLost: (tell) => {
      told.push(tell);
    },
    close: async () => {
      await runs.idle();
      const opened = await file?.catch(() => null);
      await opened?.close();
    },
  };
}
