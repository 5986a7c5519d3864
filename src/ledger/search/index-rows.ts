import type { StatementSync } from 'node:sqlite';
import type { Turns } from '../../store/connection.ts';
import { rareRowOf, rareRows, type SealedSegment } from './open-segment.ts';
import { decodePlaces, decodeRare, segmentWidth, type Places } from './postings.ts';
import { SegmentTimes } from './segment-times.ts';

/** Rows written in one transaction: bounds how long another connection waits to write. */
const rowsPerTurn = 128;
/** Of the larger ones. */
const rareRowsPerTurn = 16;
const keys = 2 ** 32;

/** A row of the feed. */
export interface FeedRow {
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly entry: Uint8Array;
}

/** A complete segment. */
export interface SegmentSpan {
  readonly segment: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** The statements of the search index. Synchronous, but for `seal`: to be used inside the database's turn. */
export class IndexRows {
  readonly #store: Turns;
  readonly #statements: Record<
    | 'salt'
    | 'segments'
    | 'segment'
    | 'times'
    | 'common'
    | 'rare'
    | 'putSegment'
    | 'putCommon'
    | 'putRare'
    | 'newest'
    | 'after'
    | 'row'
    | 'forgetSegments'
    | 'forgetCommon'
    | 'forgetRare'
    | 'sequences',
    StatementSync
  >;

  constructor(store: Turns) {
    this.#store = store;
    const { raw } = store;
    this.#statements = {
      salt: raw.prepare(`select salt from ledger_search where id = 1`),
      segments: raw.prepare(
        `select segment, first_time, last_time from ledger_segments where segment >= ? order by segment`,
      ),
      segment: raw.prepare(`select coalesce(max(segment), -1) as segment from ledger_segments`),
      times: raw.prepare(`select times from ledger_segments where segment = ?`),
      common: raw.prepare(`select places from ledger_postings where id = ?`),
      rare: raw.prepare(`select places from ledger_rare_postings where id = ?`),
      putSegment: raw.prepare(
        `insert or replace into ledger_segments (segment, first_time, last_time, events, times) values (?, ?, ?, ?, ?)`,
      ),
      putCommon: raw.prepare(`insert or replace into ledger_postings (id, places) values (?, ?)`),
      putRare: raw.prepare(`insert or replace into ledger_rare_postings (id, places) values (?, ?)`),
      newest: raw.prepare(`select coalesce(max(sequence), 0) as sequence from ledger_events`),
      after: raw.prepare(
        `select sequence, time, entry from ledger_events where sequence > ? order by sequence limit ?`,
      ),
      sequences: raw.prepare(
        `select sequence from ledger_events where event_id = ?1
         union select sequence from ledger_events where decision_id = ?1`,
      ),
      forgetSegments: raw.prepare(`delete from ledger_segments where segment < ?`),
      forgetCommon: raw.prepare(`delete from ledger_postings where id < ?`),
      forgetRare: raw.prepare(`delete from ledger_rare_postings where id < ?`),
      row: raw.prepare(`select sequence, time, entry from ledger_events where sequence = ?`),
    };
  }

  salt(): Uint8Array {
    return bytesOf(this.#statements.salt.get()?.['salt']);
  }

  /** Segments from `first` on. */
  segments(first: number): SegmentSpan[] {
    return this.#statements.segments.all(first).map((row) => ({
      segment: Number(row['segment']),
      firstTime: Number(row['first_time']),
      lastTime: Number(row['last_time']),
    }));
  }

  /** Sequence up to which segments are complete. */
  sealedThrough(): number {
    return (Number(this.#statements.segment.get()?.['segment'] ?? -1) + 1) * segmentWidth - 1;
  }

  newestSequence(): number {
    return Number(this.#statements.newest.get()?.['sequence'] ?? 0);
  }

  rowsAfter(sequence: number, limit: number): FeedRow[] {
    return this.#statements.after.all(sequence, limit).map(feedRow);
  }

  /** The event of this id, or those recorded under this decision. */
  sequencesOf(id: string): number[] {
    return this.#statements.sequences.all(id).map((row) => Number(row['sequence']));
  }

  row(sequence: number): FeedRow | null {
    const row = this.#statements.row.get(sequence);
    return row === undefined ? null : feedRow(row);
  }

  /** Null for a segment that was pruned meanwhile. */
  timesOf(segment: number): SegmentTimes | null {
    const row = this.#statements.times.get(segment);
    return row === undefined ? null : SegmentTimes.decode(bytesOf(row['times']));
  }

  addPlacesOf(segment: number, key: number, places: Places): void {
    const common = this.#statements.common.get(segment * keys + key);
    if (common !== undefined) {
      decodePlaces(bytesOf(common['places']), places);
      return;
    }
    const rare = this.#statements.rare.get(segment * rareRows + rareRowOf(key));
    if (rare !== undefined) decodeRare(bytesOf(rare['places']), key, places);
  }

  /** Stores a segment, in several turns; it counts only once its last row is there. Idempotent. */
  async seal(sealed: SealedSegment): Promise<void> {
    const { segment, events, times } = sealed;
    for (let start = 0; start < sealed.common.length; start += rowsPerTurn) {
      await this.#transaction(() => {
        for (const { key, places } of sealed.common.slice(start, start + rowsPerTurn)) {
          this.#statements.putCommon.run(segment * keys + key, places);
        }
      });
    }
    for (let start = 0; start < sealed.rare.length; start += rareRowsPerTurn) {
      await this.#transaction(() => {
        for (const { row, places } of sealed.rare.slice(start, start + rareRowsPerTurn)) {
          this.#statements.putRare.run(segment * rareRows + row, places);
        }
      });
    }
    await this.#transaction(() => {
      this.#statements.putSegment.run(segment, times.first, times.last, events, times.encode());
    });
  }

  /** Takes away the segments before this one. */
  async forget(before: number): Promise<void> {
    await this.#transaction(() => {
      this.#statements.forgetSegments.run(before);
      this.#statements.forgetCommon.run(before * keys);
      this.#statements.forgetRare.run(before * rareRows);
    });
  }

  /** In a turn of the database. */
  async turn<T>(act: () => T): Promise<T> {
    return this.#store.turn(act);
  }

  /** Waits for no disk: what is lost of an index is made again, and it never holds more than the feed before it. */
  async #transaction(act: () => void): Promise<void> {
    await this.turn(() => {
      const { raw, journal } = this.#store;
      if (raw.isTransaction) raw.exec('rollback');
      journal.deferred(() => {
        raw.exec('begin immediate');
        act();
        raw.exec('commit');
      });
    });
  }
}

function feedRow(row: Readonly<Record<string, unknown>>): FeedRow {
  return { sequence: Number(row['sequence']), time: Number(row['time']), entry: bytesOf(row['entry']) };
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error('the search index is damaged');
}
