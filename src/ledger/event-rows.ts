import type { StatementSync } from 'node:sqlite';
import type { Store } from '../store/sqlite.ts';
import type { Entry } from './catalogue/entry.ts';

/**
 * Appends entries to `ledger_events`, in order, and finds them again. Synchronous and unguarded: to be used inside
 * the database's turn, within a transaction.
 */
export class EventRows {
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  readonly #newest: StatementSync;

  constructor({ raw }: Store) {
    this.#insert = raw.prepare(
      `insert into ledger_events (event_id, time, class_uid, decision_id, job_id, principal_id, entry)
       values (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#find = raw.prepare(`select sequence from ledger_events where event_id = ?`);
    this.#newest = raw.prepare(`select coalesce(max(sequence), 0) as sequence from ledger_events`);
  }

  /** The sequence that the entry got. */
  append(entry: Entry): number {
    const { id, time, classUid, decisionId, jobId, principalId, bytes } = entry;
    const { lastInsertRowid } = this.#insert.run(id, time, classUid, decisionId, jobId, principalId, bytes);
    return Number(lastInsertRowid);
  }

  has(entry: Entry): boolean {
    return this.#find.get(entry.id) !== undefined;
  }

  newestSequence(): number {
    return Number(this.#newest.get()?.['sequence'] ?? 0);
  }
}
