import { emptyRoot, hashBytes, nodeHash, perfectRoot, writeLeafHash } from './hash.ts';
import { tileWidth, type Tile } from './tile.ts';

/** A tile of hashes with its content: the hashes one after the other, as it is published. */
export interface TileContent {
  readonly tile: Tile;
  readonly bytes: Uint8Array;
}

/** The hashes of one level's partial tile, 0 to 255 of them. */
interface Level {
  readonly hashes: Buffer;
  width: number;
}

const none: readonly TileContent[] = [];

/**
 * The right edge of a tree: on each level the hashes of its one partial tile.
 * Appending costs one hash, and one tile root per 256 appended; the root costs at most 256 hashes a level.
 * Neither grows with the log beyond its number of levels.
 */
export class Frontier {
  #size = 0;
  readonly #levels: Level[] = [];

  /** `partials[level]` are the hashes of that level's partial tile. Throws if they do not add up to `size`. */
  static at(size: number, partials: readonly (readonly Uint8Array[])[]): Frontier {
    const frontier = new Frontier();
    let rest = size;
    for (let level = 0; rest > 0; level++, rest = Math.floor(rest / tileWidth)) {
      const hashes = partials[level] ?? [];
      const own = newLevel();
      own.width = hashes.length;
      if (own.width !== rest % tileWidth || hashes.some((hash) => hash.length !== hashBytes))
        throw new RangeError(`level ${level} is not that of size ${size}`);
      for (const [i, hash] of hashes.entries()) own.hashes.set(hash, i * hashBytes);
      frontier.#levels.push(own);
    }
    frontier.#size = size;
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  copy(): Frontier {
    const copy = new Frontier();
    copy.#size = this.#size;
    for (const { hashes, width } of this.#levels) copy.#levels.push({ hashes: Buffer.from(hashes), width });
    return copy;
  }

  /** Appends one entry; returns the tiles of hashes that it made full. */
  append(entry: Uint8Array): readonly TileContent[] {
    const leaves = this.#level(0);
    writeLeafHash(entry, leaves.hashes, leaves.width * hashBytes);
    leaves.width += 1;
    const filled = leaves.width === tileWidth ? this.#fill() : none;
    this.#size += 1;
    return filled;
  }

  /**
   * Appends the hashes of up to 256 entries, of whose tile there is nothing yet; returns the tiles of hashes that it made
   * full. Throws a RangeError where there is something already.
   */
  appendTile(hashes: Uint8Array): readonly TileContent[] {
    const leaves = this.#level(0);
    const width = hashes.length / hashBytes;
    if (leaves.width !== 0 || !Number.isInteger(width) || width > tileWidth)
      throw new RangeError(`no tile of ${width} hashes fits where ${leaves.width} are`);
    leaves.hashes.set(hashes);
    leaves.width = width;
    const filled = width === tileWidth ? this.#fill() : none;
    this.#size += width;
    return filled;
  }

  /** Carries the roots of full tiles up. */
  #fill(): TileContent[] {
    const filled: TileContent[] = [];
    for (let level = 0; ; level++) {
      const full = this.#level(level);
      if (full.width < tileWidth) return filled;
      const index = Math.floor(this.#size / tileWidth ** (level + 1));
      filled.push({ tile: { level, index, width: tileWidth }, bytes: Buffer.from(full.hashes) });
      const above = this.#level(level + 1);
      above.hashes.set(perfectRoot(full.hashes), above.width * hashBytes);
      above.width += 1;
      full.width = 0;
    }
  }

  #level(level: number): Level {
    return (this.#levels[level] ??= newLevel());
  }

  /** The partial tiles of hashes as they stand. */
  partials(): TileContent[] {
    return this.#levels.flatMap(({ hashes, width }, level) => {
      if (width === 0) return [];
      const index = Math.floor(this.#size / tileWidth ** (level + 1));
      return [{ tile: { level, index, width }, bytes: Buffer.from(hashes.subarray(0, width * hashBytes)) }];
    });
  }

  /** The Merkle Tree Hash of everything appended. RFC 6962 §2.1. */
  root(): Uint8Array {
    let root: Uint8Array | null = null;
    for (const level of this.#levels) {
      for (const subtree of perfectSubtrees(level)) root = root === null ? subtree : nodeHash(subtree, root);
    }
    return root ?? emptyRoot;
  }
}

function newLevel(): Level {
  return { hashes: Buffer.alloc(tileWidth * hashBytes), width: 0 };
}

/** The roots of the perfect subtrees that the hashes fall into, smallest (rightmost) first. */
function perfectSubtrees({ hashes, width }: Level): Uint8Array[] {
  const roots: Uint8Array[] = [];
  let end = width;
  for (let size = 1; end > 0; size *= 2) {
    if ((end & size) === 0) continue;
    roots.push(perfectRoot(hashes.subarray((end - size) * hashBytes, end * hashBytes)));
    end -= size;
  }
  return roots;
}
