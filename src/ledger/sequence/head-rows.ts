import type { StatementSync } from 'node:sqlite';
import type { Turns } from '../../store/connection.ts';
import type { Fault, StorageStep } from '../faults.ts';
import { fromBase64, toBase64 } from '../tlog/base64.ts';
import { emptyRoot } from '../tlog/hash.ts';
import { Lease, type Held } from './lease.ts';

/** What the sequencer has decided on: persisted before any checkpoint of it is signed. */
export interface Head {
  readonly size: number;
  readonly root: Uint8Array;
  /** Entries under the newest checkpoint known to be published. */
  readonly publishedSize: number;
}

/** A row of the feed that has no place in the tree yet. */
export interface Unsequenced {
  readonly sequence: number;
  readonly entry: Uint8Array;
}

/**
 * The sequencer's statements. Each method takes one turn of the database and does not leave it half-way; what changes
 * anything requires the lease, and throws LeaseLost without it.
 */
export class HeadRows {
  readonly #store: Turns;
  readonly #fault: Fault;
  readonly #lease: Lease;
  readonly #statements: Record<
    | 'head'
    | 'begin'
    | 'covered'
    | 'newest'
    | 'unsequenced'
    | 'lengthen'
    | 'place'
    | 'advance'
    | 'published'
    | 'entries'
    | 'placed'
    | 'firstKept',
    StatementSync
  >;

  constructor(store: Turns, fault: Fault) {
    this.#store = store;
    this.#fault = fault;
    this.#lease = new Lease(store);
    const { raw } = store;
    this.#statements = {
      head: raw.prepare(`select size, root, published_size from ledger_head where id = 1`),
      begin: raw.prepare(
        `insert into ledger_head (id, size, root, published_size, updated_at) values (1, 0, ?, 0, ?)
         on conflict (id) do nothing`,
      ),
      covered: raw.prepare(
        `select published_size as size,
           (select first_sequence + published_size - 1 - first_leaf from ledger_runs
            where first_leaf < published_size order by first_leaf desc limit 1) as sequence
         from ledger_head where id = 1`,
      ),
      newest: raw.prepare(`select max(sequence) as sequence from ledger_events`),
      unsequenced: raw.prepare(
        `select sequence, entry from ledger_events
         where sequence > (select coalesce(max(last_sequence), 0) from ledger_runs) order by sequence limit ?`,
      ),
      lengthen: raw.prepare(`update ledger_runs set last_sequence = ? where last_sequence = ?`),
      place: raw.prepare(
        `insert into ledger_runs (first_leaf, first_sequence, last_sequence) values (?, ?, ?)`,
      ),
      advance: raw.prepare(
        `update ledger_head set size = ?, root = ?, updated_at = ? where id = 1 and size = ? and root = ?`,
      ),
      published: raw.prepare(
        `update ledger_head set published_size = ? where id = 1 and published_size <= ?`,
      ),
      entries: raw.prepare(
        `select first_leaf + sequence - first_sequence as leaf_index, entry
         from ledger_runs cross join ledger_events
         where first_leaf < :end and first_leaf + last_sequence - first_sequence >= :start
           and sequence between first_sequence + max(0, :start - first_leaf)
                            and min(last_sequence, first_sequence + :end - 1 - first_leaf)
         order by first_leaf, sequence`,
      ),
      firstKept: raw.prepare(
        `select leaf_index from placed_events where sequence = (select min(sequence) from ledger_events)`,
      ),
      placed: raw.prepare(
        `select coalesce(max(first_leaf + last_sequence - first_sequence) + 1, 0) as size from ledger_runs`,
      ),
    };
  }

  /** Whether the lease is ours now, and was before; who has it otherwise. */
  async lead(now: number): Promise<'kept' | 'taken' | Held> {
    return this.#inTransaction(
      () => {
        const lead = this.#lease.lead(now);
        this.#fault('lease.commit', 'before');
        return lead;
      },
      () => {
        this.#fault('lease.commit', 'after');
      },
    );
  }

  /** Whether no other sequencer has taken over. */
  async leads(): Promise<boolean> {
    return this.#turn(() => this.#lease.isHeld());
  }

  /** Lets another sequencer take over at once. */
  async release(): Promise<void> {
    await this.#inTransaction(
      () => {
        this.#lease.release();
        this.#fault('lease.release', 'before');
      },
      () => {
        this.#fault('lease.release', 'after');
      },
    );
  }

  /** Entries under the newest checkpoint known to be published, and the last row of the feed that it covers. */
  async covered(): Promise<{ readonly size: number; readonly sequence: number }> {
    return this.#turn(() => {
      const row = this.#statements.covered.get() ?? {};
      return { size: Number(row['size'] ?? 0), sequence: Number(row['sequence'] ?? 0) };
    });
  }

  /** Sequence of the newest row; 0 for none. */
  async newest(): Promise<number> {
    return this.#turn(() => Number(this.#statements.newest.get()?.['sequence'] ?? 0));
  }

  /** The head, made on first use, and how far rows have been placed. */
  async read(now: number): Promise<{ head: Head; placed: number }> {
    return this.#turn(() => {
      this.#statements.begin.run(toBase64(emptyRoot), now);
      const row = this.#statements.head.get() ?? {};
      const root = fromBase64(String(row['root']));
      if (root === null) throw new Error('the root of the ledger in the database is not a hash');
      return {
        head: { size: Number(row['size']), root, publishedSize: Number(row['published_size']) },
        placed: Number(this.#statements.placed.get()?.['size'] ?? 0),
      };
    });
  }

  async unsequenced(limit: number): Promise<Unsequenced[]> {
    return this.#turn(() =>
      this.#statements.unsequenced
        .all(limit)
        .map((row) => ({ sequence: Number(row['sequence']), entry: bytesOf(row['entry']) })),
    );
  }

  /** Index of the oldest entry that still has a row: 0 until rows are pruned; `size` when none is placed. */
  async firstKept(size: number): Promise<number> {
    return this.#turn(() => Number(this.#statements.firstKept.get()?.['leaf_index'] ?? size));
  }

  /** Entries `start` ≤ leaf index < `end`. Throws unless every one of them is there. */
  async entries(start: number, end: number): Promise<Uint8Array[]> {
    return this.#turn(() => {
      const rows = this.#statements.entries.all({ start, end });
      return Array.from({ length: end - start }, (_, i) => {
        const row = rows[i];
        if (row === undefined || Number(row['leaf_index']) !== start + i) {
          throw new Error(`entry ${start + i} of the ledger is not in the database`);
        }
        return bytesOf(row['entry']);
      });
    });
  }

  /**
   * Gives the rows their leaf indices and moves the head, in one transaction; another writer's head refuses it. The rows
   * themselves are not touched: a run says where it begins and ends, in the feed and in the tree.
   */
  async advance(from: Head, rows: readonly Unsequenced[], root: Uint8Array, now: number): Promise<void> {
    const size = from.size + rows.length;
    await this.#transaction('sequence.commit', () => {
      let leaf = from.size;
      for (const { first, last } of runsOf(rows)) {
        const { changes } = this.#statements.lengthen.run(last, first - 1);
        if (Number(changes) === 0) this.#statements.place.run(leaf, first, last);
        leaf += last - first + 1;
      }
      const moved = this.#statements.advance.run(size, toBase64(root), now, from.size, toBase64(from.root));
      if (Number(moved.changes) !== 1) throw new Error('the head of the ledger was moved by another writer');
    });
  }

  /**
   * Notes what is published. `publish` puts it in its place: no other holder of the lease can do so at the same time, and
   * none that has lost it ever does.
   */
  async published(size: number, publish: () => void): Promise<void> {
    await this.#transaction('published.commit', () => {
      if (Number(this.#statements.published.run(size, size).changes) !== 1) {
        throw new Error(`more than ${size} entries have been published`);
      }
      publish();
    });
  }

  /** For a step that changes nothing here, but must not be taken without the lease. */
  async whileLeading(act: () => void): Promise<void> {
    await this.#transaction('cosigned.commit', act);
  }

  async #transaction(step: StorageStep, act: () => void): Promise<void> {
    await this.#inTransaction(
      () => {
        this.#lease.require();
        act();
        this.#fault(step, 'before');
      },
      () => {
        this.#fault(step, 'after');
      },
    );
  }

  async #inTransaction<T>(act: () => T, committed: () => void = () => undefined): Promise<T> {
    const { raw, journal } = this.#store;
    const result = await this.#turn(() => {
      if (raw.isTransaction) raw.exec('rollback');
      return journal.deferred(() => {
        raw.exec('begin immediate');
        const done = act();
        raw.exec('commit');
        return done;
      });
    });
    await journal.synced();
    committed();
    return result;
  }

  async #turn<T>(act: () => T): Promise<T> {
    return this.#store.turn(act);
  }
}

/** Runs of consecutive sequence numbers: nearly always one. */
function runsOf(rows: readonly Unsequenced[]): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const { sequence } of rows) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === sequence) run.last = sequence;
    else runs.push({ first: sequence, last: sequence });
  }
  return runs;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error('an entry of the ledger is not a blob');
}
