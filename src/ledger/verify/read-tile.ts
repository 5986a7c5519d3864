import { decodeBundle } from '../tlog/bundle.ts';
import { hashBytes, rootOf } from '../tlog/hash.ts';
import type { SubtreeHash } from '../tlog/proof.ts';
import { splitTile, tileAt, tilePath, tileWidth, type Tile } from '../tlog/tile.ts';
import type { TileSource } from './tile-source.ts';

/** A tile that is missing or not in form; `message` names it. */
export class TileProblem extends Error {
  readonly isMissing: boolean;

  constructor(message: string, isMissing = false) {
    super(message);
    this.isMissing = isMissing;
  }
}

/**
 * The hashes of a tile, or the entries of a bundle. A partial one that is gone is cut from the full one.
 * Throws a TileProblem when neither is there or the content is not in form.
 */
export async function readTile(source: TileSource, tile: Tile): Promise<Uint8Array[]> {
  const own = await source.read(tilePath(tile));
  if (own !== null) return split(own, tile, tile.width);
  const full = { ...tile, width: tileWidth };
  const whole = tile.width < tileWidth ? await source.read(tilePath(full)) : null;
  if (whole === null) throw new TileProblem(`${tilePath(tile)} is missing`, true);
  return split(whole, full, tileWidth).slice(0, tile.width);
}

function split(bytes: Uint8Array, tile: Tile, width: number): Uint8Array[] {
  const parts = tile.level === 'entries' ? decodeBundle(bytes, width) : splitTile(bytes, width);
  if (parts === null) throw new TileProblem(`${tilePath(tile)} does not hold exactly ${width} items`);
  return parts;
}

/** The hashes of a tile one after the other, as they are published; `readTile` in every other way. */
export async function readHashes(source: TileSource, tile: Tile): Promise<Uint8Array> {
  const own = await source.read(tilePath(tile));
  if (own?.length === tile.width * hashBytes) return own;
  return Buffer.concat(await readTile(source, tile));
}

/** Subtree hashes of a log of `size` entries, from its tiles; each tile is read once. */
export function subtreesOf(source: TileSource, size: number): SubtreeHash {
  const tiles = new Map<string, Promise<Uint8Array[]>>();
  return async (start, end) => {
    const height = Math.log2(end - start);
    const level = Math.floor(height / 8);
    const position = start / tileWidth ** level;
    const tile = tileAt(level, position, size);
    const path = tilePath(tile);
    const reading = tiles.get(path) ?? readTile(source, tile);
    tiles.set(path, reading);
    const hashes = await reading;
    const offset = position % tileWidth;
    return rootOf(hashes.slice(offset, offset + 2 ** (height % 8)));
  };
}
