import type { StatementSync } from 'node:sqlite';
import type { Turns } from '../store/connection.ts';
import { hashBytes, leafHash } from './tlog/hash.ts';
import { tileAt, tileWidth, type Tile } from './tlog/tile.ts';
import { readHashes, readTile, TileProblem } from './verify/read-tile.ts';
import type { TileSource } from './verify/tile-source.ts';

/** A row of the feed, so far as it copies the log. */
export interface CopiedRow {
  readonly sequence: number;
  readonly entry: Uint8Array;
}

/** Rows as the log holds them, in the same order. */
export type AsLogged = <Row extends CopiedRow>(rows: readonly Row[]) => Promise<readonly Row[]>;

/** A row that is not what the log holds at its place. */
export interface AlteredRow {
  readonly sequence: number;
  readonly leafIndex: number;
  /** The log contradicts itself there: then the row is told as it is. */
  readonly isLogBroken: boolean;
}

export interface LoggedEntriesOptions {
  readonly store: Turns;
  /** Where the log is published. */
  readonly source: TileSource;
  /** Entries under the newest checkpoint. */
  readonly published: () => number;
  /** Called each time that one is met. */
  readonly onAltered: (row: AlteredRow) => void;
}

/** Full tiles kept at hand: what is told together often lies together. */
const keptTiles = 64;

/**
 * The log is the record; a row is the copy of it that can be searched. Whoever can write to the database can alter a row,
 * and so can a disk. So a row is compared with the published log before anything is told of it: where they differ the
 * log's entry is told, and the difference reported. What is not published yet, or has no tile, is told as it stands.
 */
export class LoggedEntries {
  readonly #options: LoggedEntriesOptions;
  readonly #place: StatementSync;
  readonly #tiles = new Map<number, Promise<Uint8Array | null>>();

  constructor(options: LoggedEntriesOptions) {
    this.#options = options;
    this.#place = options.store.raw.prepare(
      `select first_leaf + :sequence - first_sequence as leaf_index from ledger_runs
       where first_sequence <= :sequence and last_sequence >= :sequence order by first_sequence desc limit 1`,
    );
  }

  readonly of: AsLogged = async (rows) => {
    if (rows.length === 0) return rows;
    const places = await this.#options.store.turn(() =>
      rows.map(({ sequence }) => this.#place.get({ sequence })?.['leaf_index']),
    );
    return Promise.all(
      rows.map(async (row, i) => {
        const leafIndex = places[i];
        const entry = typeof leafIndex === 'number' ? await this.#differing(row, leafIndex) : null;
        return entry === null ? row : { ...row, entry };
      }),
    );
  };

  /** The log's entry, where the row is another. */
  async #differing({ sequence, entry }: CopiedRow, leafIndex: number): Promise<Uint8Array | null> {
    const hash = await this.#hashAt(leafIndex);
    if (hash === null || equal(hash, leafHash(entry))) return null;
    const logged = await this.#entryAt(leafIndex);
    const isLogBroken = logged === null || !equal(hash, leafHash(logged));
    this.#options.onAltered({ sequence, leafIndex, isLogBroken });
    return isLogBroken ? null : logged;
  }

  /** Null where the log has none. */
  async #hashAt(leafIndex: number): Promise<Uint8Array | null> {
    const hashes = await this.#hashes(leafIndex);
    const at = (leafIndex % tileWidth) * hashBytes;
    return hashes === null || hashes.length < at + hashBytes ? null : hashes.subarray(at, at + hashBytes);
  }

  /** Those of the tile, once for all that are looked for at the same time. */
  #hashes(leafIndex: number): Promise<Uint8Array | null> {
    const index = Math.floor(leafIndex / tileWidth);
    const known = this.#tiles.get(index);
    if (known !== undefined) return known;
    const reading = this.#attempt(leafIndex, (tile) =>
      readHashes(this.#options.source, { ...tile, level: 0 }),
    );
    this.#tiles.set(index, reading);
    const forget = () => this.#tiles.delete(index);
    // What is not full yet, or not there, is another one the next time.
    reading.then((hashes) => {
      if (hashes?.length !== tileWidth * hashBytes) forget();
    }, forget);
    for (const oldest of this.#tiles.keys()) {
      if (this.#tiles.size <= keptTiles) break;
      this.#tiles.delete(oldest);
    }
    return reading;
  }

  async #entryAt(leafIndex: number): Promise<Uint8Array | null> {
    const entries = await this.#attempt(leafIndex, (tile) =>
      readTile(this.#options.source, { ...tile, level: 'entries' }),
    );
    return entries?.[leafIndex % tileWidth] ?? null;
  }

  /** Null where there is nothing to read. */
  async #attempt<T>(leafIndex: number, read: (tile: Tile) => Promise<T>): Promise<T | null> {
    // A partial tile may have given way to a wider one while it was looked for.
    for (let attempt = 0; attempt < 2; attempt++) {
      const size = this.#options.published();
      if (leafIndex >= size) return null;
      try {
        return await read(tileAt(0, leafIndex, size));
      } catch (error) {
        if (!(error instanceof TileProblem)) throw error;
      }
    }
    return null;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
