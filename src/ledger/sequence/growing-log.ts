import { encodeBundle } from '../tlog/bundle.ts';
import { Frontier } from '../tlog/frontier.ts';
import { partialsPath, tilePath, tileWidth, type Tile } from '../tlog/tile.ts';
import type { LogFile } from './log-files.ts';

/** The right edge of the log in memory, and the files that have changed since they were last taken. */
export class GrowingLog {
  readonly #frontier: Frontier;
  /** Entries of the partial bundle. */
  #entries: Uint8Array[];
  #filled: { file: LogFile; tile: Tile }[] = [];
  /** Width of each level's partial tile as last taken, so that one that has not grown is not written again. */
  readonly #takenWidths = new Map<Tile['level'], number>();

  constructor(frontier: Frontier, partialEntries: readonly Uint8Array[]) {
    this.#frontier = frontier;
    this.#entries = [...partialEntries];
  }

  get size(): number {
    return this.#frontier.size;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  append(entry: Uint8Array): void {
    const index = Math.floor(this.#frontier.size / tileWidth);
    this.#entries.push(entry);
    const filled = this.#frontier.append(entry);
    if (this.#entries.length === tileWidth) {
      this.#fill({ level: 'entries', index, width: tileWidth }, encodeBundle(this.#entries));
      this.#entries = [];
    }
    for (const { tile, bytes } of filled) this.#fill(tile, bytes);
  }

  /** Every file that a checkpoint of the present size needs and an earlier taking has not given. */
  takeFiles(): { files: LogFile[]; obsolete: string[] } {
    const filled = this.#filled;
    this.#filled = [];
    const files = filled.map(({ file }) => file);
    for (const { tile, bytes } of this.#frontier.partials()) {
      if (this.#grew(tile)) files.push({ path: tilePath(tile), bytes });
    }
    const bundle: Tile = {
      level: 'entries',
      index: Math.floor(this.size / tileWidth),
      width: this.#entries.length,
    };
    if (bundle.width > 0 && this.#grew(bundle)) {
      files.push({ path: tilePath(bundle), bytes: encodeBundle(this.#entries) });
    }
    return { files, obsolete: filled.map(({ tile }) => partialsPath(tile.level, tile.index)) };
  }

  #fill(tile: Tile, bytes: Uint8Array): void {
    this.#takenWidths.delete(tile.level);
    this.#filled.push({ tile, file: { path: tilePath(tile), bytes } });
  }

  #grew(tile: Tile): boolean {
    if (this.#takenWidths.get(tile.level) === tile.width) return false;
    this.#takenWidths.set(tile.level, tile.width);
    return true;
  }
}
