import { Frontier } from '../tlog/frontier.ts';
import { tileAt, tileWidth } from '../tlog/tile.ts';
import { readTile } from './read-tile.ts';
import type { TileSource } from './tile-source.ts';

/**
 * The right edge of the first `kept` entries of a log of `size`, from tiles that reach beyond them: those are there however
 * much of the beginning has been pruned. Throws a TileProblem when they are not. It is to be believed once what grows from
 * it has the root that is known. c2sp.org/tlog-tiles, "Pruning".
 */
export async function frontierAt(source: TileSource, kept: number, size: number): Promise<Frontier> {
  const partials: (readonly Uint8Array[])[] = [];
  for (let level = 0, width = kept; width > 0; level++, width = Math.floor(width / tileWidth)) {
    const own = width % tileWidth;
    partials.push(own === 0 ? [] : (await readTile(source, tileAt(level, width - 1, size))).slice(0, own));
  }
  return Frontier.at(kept, partials);
}
