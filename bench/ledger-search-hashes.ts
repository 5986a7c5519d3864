import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashBytes, writeLeafHash } from '../src/ledger/tlog/hash.ts';
import { tilePath, tileWidth } from '../src/ledger/tlog/tile.ts';
import type { Store } from '../src/store/sqlite.ts';

/** The hashes of a log's entries, in tiles as they are published: what a search compares rows with. */
export class HashTiles {
  readonly #directory: string;
  readonly #tile = Buffer.alloc(tileWidth * hashBytes);
  #size = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  add(entry: Uint8Array): void {
    writeLeafHash(entry, this.#tile, (this.#size % tileWidth) * hashBytes);
    this.#size += 1;
    if (this.#size % tileWidth === 0) this.#write(tileWidth);
  }

  /** Writes what is left, and places the rows 1 to as many in the store. Their number. */
  finish({ raw }: Store): number {
    if (this.#size % tileWidth > 0) this.#write(this.#size % tileWidth);
    raw
      .prepare('insert into ledger_runs (first_leaf, first_sequence, last_sequence) values (0, 1, ?)')
      .run(this.#size);
    return this.#size;
  }

  #write(width: number): void {
    const index = Math.floor((this.#size - 1) / tileWidth);
    const path = join(this.#directory, tilePath({ level: 0, index, width }));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.#tile.subarray(0, width * hashBytes));
  }
}
