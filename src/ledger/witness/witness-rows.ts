import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { noFault, type Fault } from '../faults.ts';
import { fromBase64, toBase64 } from '../tlog/base64.ts';
import { emptyRoot } from '../tlog/hash.ts';

/** The newest checkpoint of one log that a witness has cosigned. */
export interface WitnessedHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** With the log's signature and ours; null before the first. */
  readonly note: string | null;
  /** Milliseconds since the epoch; 0 before the first. */
  readonly cosignedAt: number;
}

/**
 * What a witness has cosigned, in a database of its own: one row a log. What `advance` has written is on the disk when
 * it returns, so that a witness that is killed at any moment has never cosigned what it does not remember.
 */
export class WitnessRows {
  readonly #database: DatabaseSync;
  readonly #fault: Fault;
  readonly #read: StatementSync;
  readonly #begin: StatementSync;
  readonly #advance: StatementSync;

  /** `fault` is for tests. */
  constructor(path: string, fault: Fault = noFault) {
    this.#fault = fault;
    this.#database = new DatabaseSync(path);
    this.#database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000');
    this.#database.exec(
      `create table if not exists heads (origin text primary key, size integer not null, root text not null,
       note text, cosigned_at integer not null) strict, without rowid`,
    );
    this.#read = this.#database.prepare('select size, root, note, cosigned_at from heads where origin = ?');
    this.#begin = this.#database.prepare(
      'insert into heads (origin, size, root, note, cosigned_at) values (?, 0, ?, null, 0) on conflict do nothing',
    );
    this.#advance = this.#database.prepare(
      `update heads set size = ?, root = ?, note = ?, cosigned_at = ?
       where origin = ? and size = ? and root = ?`,
    );
  }

  head(origin: string): WitnessedHead {
    const row = this.#read.get(origin);
    if (row === undefined) return { size: 0, root: emptyRoot, note: null, cosignedAt: 0 };
    const root = fromBase64(String(row['root']));
    if (root === null) throw new Error(`the head of ${origin} in the database is not a hash`);
    return {
      size: Number(row['size']),
      root,
      note: row['note'] === null ? null : String(row['note']),
      cosignedAt: Number(row['cosigned_at']),
    };
  }

  /** False, changing nothing, when the head has moved since it was read. */
  advance(origin: string, from: WitnessedHead, to: WitnessedHead): boolean {
    this.#database.exec('begin immediate');
    try {
      this.#begin.run(origin, toBase64(emptyRoot));
      const { changes } = this.#advance.run(
        to.size,
        toBase64(to.root),
        to.note,
        to.cosignedAt,
        origin,
        from.size,
        toBase64(from.root),
      );
      this.#fault('witness.commit', 'before');
      this.#database.exec('commit');
      this.#fault('witness.commit', 'after');
      return Number(changes) === 1;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }
}
