import type { StatementSync } from 'node:sqlite';
import { failure } from '../../lib/errors.ts';
import type { Store } from '../../store/sqlite.ts';
import type { Fault } from '../faults.ts';
import { leafHash, sameBytes } from '../tlog/hash.ts';
import { inclusionProof, provesInclusion } from '../tlog/proof.ts';
import { tileWidth } from '../tlog/tile.ts';
import { openCheckpoint, type Trust } from '../verify/open-checkpoint.ts';
import { readTile, subtreesOf, TileProblem } from '../verify/read-tile.ts';
import type { TileSource } from '../verify/tile-source.ts';
import type { PrivateArchive } from './private-archive.ts';

export interface PruneOptions {
  readonly store: Store;
  /** The archive: where the log is published. */
  readonly source: TileSource;
  readonly trust: Trust;
  /** Where what stands beside the rows goes. */
  readonly beside: PrivateArchive;
  /** Only what happened before (milliseconds since the epoch). */
  readonly before: number;
  readonly fault: Fault;
  readonly signal?: AbortSignal | undefined;
}

export interface Pruned {
  /** Index of the first entry that the database still holds as a row. */
  readonly firstIndex: number;
  readonly firstSequence: number;
  /** Rows that were removed. */
  readonly rows: number;
}

interface PlacedRow {
  readonly sequence: number;
  readonly time: number;
  readonly entry: Uint8Array;
  readonly sealed: Uint8Array | null;
}

/**
 * Removes the oldest rows of the feed, whole bundles of them, from the front and without a gap. A bundle's rows go only
 * when the archive holds the same entries byte for byte, under the checkpoint that stands published; what is not proven
 * so stops the pruning there. The newest change of all always stays, so that the feed's links go on. Each bundle is one
 * transaction: an interruption leaves a shorter prefix removed, and nothing else.
 * Throws `conflict` when the archive does not hold what it should.
 */
export async function pruneRows(options: PruneOptions): Promise<Pruned> {
  const { store, source, signal } = options;
  const note = await source.read('checkpoint');
  const opened =
    note === null
      ? { ok: false as const, reason: 'there is none' }
      : openCheckpoint(Buffer.from(note).toString('utf8'), options.trust);
  if (!opened.ok) throw archiveLacks(`its checkpoint: ${opened.reason}`);
  const { size, root } = opened.checkpoint;
  const statements = new PruneStatements(store);
  let rows = 0;
  for (;;) {
    signal?.throwIfAborted();
    const first = await statements.turn(() => statements.firstKept());
    const start = first?.index ?? 0;
    const end = start + tileWidth;
    if (first === null || end > size || start % tileWidth !== 0) break;
    const archived = await provenBundle(source, { start, size, root });
    const boxes = await statements.turn(() => statements.besideBundle(options, first.sequence, end));
    if (boxes === null) break;
    await options.beside.write(start / tileWidth, boxes);
    const removed = await statements.turn(() => statements.remove(options, first.sequence, end, archived));
    if (removed === 0) break;
    rows += removed;
  }
  const first = await statements.turn(() => statements.firstKept());
  return { firstIndex: first?.index ?? 0, firstSequence: first?.sequence ?? 0, rows };
}

/** A full bundle of the archive, each entry of which is proven to be in the tree under the checkpoint's root. */
async function provenBundle(
  source: TileSource,
  { start, size, root }: { readonly start: number; readonly size: number; readonly root: Uint8Array },
): Promise<Uint8Array[]> {
  const index = start / tileWidth;
  try {
    const entries = await readTile(source, { level: 'entries', index, width: tileWidth });
    const hashes = await readTile(source, { level: 0, index, width: tileWidth });
    const [first] = hashes;
    const proof = await inclusionProof(start, size, subtreesOf(source, size));
    // The proof of the first leaf rests on every other leaf of its tile.
    if (first === undefined || !provesInclusion(start, size, first, proof, root)) {
      throw archiveLacks(`hashes ${start} to ${start + tileWidth - 1} under its checkpoint`);
    }
    if (!entries.every((entry, i) => sameBytes(leafHash(entry), hashes[i] ?? new Uint8Array()))) {
      throw archiveLacks(`entries ${start} to ${start + tileWidth - 1} as they were hashed`);
    }
    return entries;
  } catch (error) {
    if (error instanceof TileProblem) throw archiveLacks(`all of entries ${start} and on: ${error.message}`);
    throw error;
  }
}

class PruneStatements {
  readonly #store: Store;
  readonly #first: StatementSync;
  readonly #rows: StatementSync;
  readonly #published: StatementSync;
  readonly #newestChange: StatementSync;
  readonly #remove: StatementSync;

  constructor(store: Store) {
    this.#store = store;
    const { raw } = store;
    this.#first = raw.prepare(
      `select sequence, leaf_index from placed_events where sequence = (select min(sequence) from ledger_events)`,
    );
    this.#rows = raw.prepare(
      `select sequence, time, entry, sealed, leaf_index from placed_events where sequence >= ? order by sequence limit ?`,
    );
    this.#published = raw.prepare(`select published_size from ledger_head where id = 1`);
    this.#newestChange = raw.prepare(
      `select coalesce(max(sequence), 0) as sequence from ledger_events where previous_change is not null`,
    );
    this.#remove = raw.prepare(`delete from ledger_events where sequence between ? and ?`);
  }

  /** The oldest row, if it has its place in the tree. */
  firstKept(): { readonly sequence: number; readonly index: number } | null {
    const row = this.#first.get();
    if (row === undefined || row['leaf_index'] === null) return null;
    return { sequence: Number(row['sequence']), index: Number(row['leaf_index']) };
  }

  /** What stands beside the entries of a bundle that may go; null for one that may not. */
  besideBundle(options: PruneOptions, firstSequence: number, end: number): (Uint8Array | null)[] | null {
    const rows = this.#bundleFrom(firstSequence, end - tileWidth);
    return rows !== null && this.#mayGo(options, rows, end) ? rows.map(({ sealed }) => sealed) : null;
  }

  /** How many rows went: all that `archived` holds, or none. */
  remove(options: PruneOptions, firstSequence: number, end: number, archived: readonly Uint8Array[]): number {
    const { raw } = this.#store;
    const { fault } = options;
    if (raw.isTransaction) raw.exec('rollback');
    raw.exec('begin immediate');
    try {
      const rows = this.#bundleFrom(firstSequence, end - tileWidth) ?? [];
      const last = rows.at(-1);
      if (last === undefined || !this.#mayGo(options, rows, end)) return 0;
      if (!rows.every(({ entry }, i) => sameBytes(entry, archived[i] ?? new Uint8Array()))) {
        throw archiveLacks(`entries ${end - tileWidth} to ${end - 1} as the database has them`);
      }
      const { changes } = this.#remove.run(firstSequence, last.sequence);
      if (Number(changes) !== tileWidth) throw new Error(`${changes} rows are not one bundle`);
      fault('prune.commit', 'before');
      raw.exec('commit');
      fault('prune.commit', 'after');
      return tileWidth;
    } finally {
      if (raw.isTransaction) raw.exec('rollback');
    }
  }

  /** All of them old enough and published, and the newest change not among them. */
  #mayGo({ before }: PruneOptions, rows: readonly PlacedRow[], end: number): boolean {
    return (
      rows.every(({ time }) => time < before) &&
      Number(this.#published.get()?.['published_size'] ?? 0) >= end &&
      (rows.at(-1)?.sequence ?? Infinity) < Number(this.#newestChange.get()?.['sequence'] ?? 0)
    );
  }

  /** The rows of a bundle whose first leaf is `start`; null unless they are all there, in their places. */
  #bundleFrom(firstSequence: number, start: number): PlacedRow[] | null {
    const rows = this.#rows.all(firstSequence, tileWidth);
    if (rows.length !== tileWidth) return null;
    const placed: PlacedRow[] = [];
    for (const [i, { sequence, time, entry, sealed, leaf_index: leaf }] of rows.entries()) {
      if (leaf === null || Number(leaf) !== start + i || !(entry instanceof Uint8Array)) return null;
      placed.push({
        sequence: Number(sequence),
        time: Number(time),
        entry,
        sealed: sealed instanceof Uint8Array ? sealed : null,
      });
    }
    return placed;
  }

  async turn<T>(act: () => T): Promise<T> {
    return this.#store.turn(act);
  }
}

function archiveLacks(what: string): Error {
  return failure('conflict', `No row is removed that the archive does not hold: it lacks ${what}.`);
}
