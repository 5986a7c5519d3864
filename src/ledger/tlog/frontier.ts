import { emptyRoot, leafHash, rootOf, nodeHash } from './hash.ts';
import { tileWidth, type Tile } from './tile.ts';

/** A tile of hashes with its content. */
export interface TileContent {
  readonly tile: Tile;
  readonly hashes: readonly Uint8Array[];
}

/**
 * The right edge of a tree: on each level the hashes of its one partial tile (0 to 255 of them).
 * Appending costs one hash, and one tile root per 256 appended; the root costs at most 256 hashes a level.
 * Neither grows with the log beyond its number of levels.
 */
export class Frontier {
  #size = 0;
  readonly #levels: Uint8Array[][] = [];

  /** `partials[level]` are the hashes of that level's partial tile. Throws if they do not add up to `size`. */
  static at(size: number, partials: readonly (readonly Uint8Array[])[]): Frontier {
    const frontier = new Frontier();
    let rest = size;
    for (let level = 0; rest > 0; level++, rest = Math.floor(rest / tileWidth)) {
      const hashes = partials[level] ?? [];
      if (hashes.length !== rest % tileWidth)
        throw new RangeError(`level ${level} is not that of size ${size}`);
      frontier.#levels.push([...hashes]);
    }
    frontier.#size = size;
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  copy(): Frontier {
    return Frontier.at(this.#size, this.#levels);
  }

  /** Appends one entry; returns the tiles of hashes that it made full. */
  append(entry: Uint8Array): TileContent[] {
    const filled: TileContent[] = [];
    let hash = leafHash(entry);
    for (let level = 0; ; level++) {
      const hashes = (this.#levels[level] ??= []);
      hashes.push(hash);
      if (hashes.length < tileWidth) break;
      const index = Math.floor(this.#size / tileWidth ** (level + 1));
      filled.push({ tile: { level, index, width: tileWidth }, hashes: [...hashes] });
      hash = rootOf(hashes);
      hashes.length = 0;
    }
    this.#size += 1;
    return filled;
  }

  /** The partial tiles of hashes as they stand. */
  partials(): TileContent[] {
    return this.#levels.flatMap((hashes, level) => {
      if (hashes.length === 0) return [];
      const index = Math.floor(this.#size / tileWidth ** (level + 1));
      return [{ tile: { level, index, width: hashes.length }, hashes: [...hashes] }];
    });
  }

  /** The Merkle Tree Hash of everything appended. RFC 6962 §2.1. */
  root(): Uint8Array {
    let root: Uint8Array | null = null;
    for (const hashes of this.#levels) {
      for (const subtree of perfectSubtrees(hashes)) root = root === null ? subtree : nodeHash(subtree, root);
    }
    return root ?? emptyRoot;
  }
}

/** The roots of the perfect subtrees that `hashes` fall into, smallest (rightmost) first. */
function perfectSubtrees(hashes: readonly Uint8Array[]): Uint8Array[] {
  const roots: Uint8Array[] = [];
  let end = hashes.length;
  for (let width = 1; end > 0; width *= 2) {
    if ((end & width) === 0) continue;
    roots.push(rootOf(hashes.slice(end - width, end)));
    end -= width;
  }
  return roots;
}
