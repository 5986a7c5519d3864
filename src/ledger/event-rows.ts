import type { StatementSync } from 'node:sqlite';
import type { Store } from '../store/sqlite.ts';
import type { Entry, Position } from './catalogue/entry.ts';
import type { Beside } from './privacy/close-secrets.ts';
import type { SubjectKeys } from './privacy/subject-keys.ts';

/** An entry with what stands beside it. */
export type WrittenEntry = Omit<Entry, 'secrets'> & Beside;

/**
 * Appends entries to `ledger_events`, in order, and finds them again. Synchronous and unguarded: to be used inside
 * the database's turn, within a transaction.
 */
export class EventRows {
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  readonly #newest: StatementSync;
  readonly #newestChange: StatementSync;
  readonly #newestTime: StatementSync;

  readonly #keys: SubjectKeys;

  constructor({ raw }: Store, keys: SubjectKeys) {
    this.#keys = keys;
    this.#insert = raw.prepare(
      `insert into ledger_events
         (sequence, previous_change, event_id, time, class_uid, decision_id, job_id, principal_id, entry,
          sealed)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#find = raw.prepare(`select sequence from ledger_events where event_id = ?`);
    this.#newest = raw.prepare(`select coalesce(max(sequence), 0) as sequence from ledger_events`);
    this.#newestTime = raw.prepare(`select time from ledger_events order by sequence desc limit 1`);
    this.#newestChange = raw.prepare(
      `select coalesce(max(sequence), 0) as sequence from ledger_events where previous_change is not null`,
    );
  }

  /** The sequence that the entry got. */
  append(entry: WrittenEntry): number {
    const { position, id, time, classUid, decisionId, jobId, principalId, bytes, boxes, keys } = entry;
    this.#keys.write(keys);
    const { lastInsertRowid } = this.#insert.run(
      position?.sequence ?? null,
      position?.previous ?? null,
      id,
      time,
      classUid,
      decisionId,
      jobId,
      principalId,
      bytes,
      boxes,
    );
    return Number(lastInsertRowid);
  }

  /** Where a change goes: after the change at `last` of the same transaction, else at the end of the feed. */
  nextPosition(last: Position | null): Position {
    if (last !== null) return { sequence: last.sequence + 1, previous: last.sequence };
    return {
      sequence: this.newestSequence() + 1,
      previous: Number(this.#newestChange.get()?.['sequence'] ?? 0),
    };
  }

  has(entry: WrittenEntry): boolean {
    return this.#find.get(entry.id) !== undefined;
  }

  /** When the newest event was recorded; null for none. */
  newestTime(): number | null {
    const time = this.#newestTime.get()?.['time'];
    return time === undefined ? null : Number(time);
  }

  newestSequence(): number {
    return Number(this.#newest.get()?.['sequence'] ?? 0);
  }
}
