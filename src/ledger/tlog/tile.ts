import { hashBytes } from './hash.ts';

/** Hashes in a full tile, entries in a full bundle. */
export const tileWidth = 256;
/** A level is two digits at most; 256^8 entries are beyond what a number counts. */
const maxLevel = 63;

/** One resource of a log: a tile of hashes (`level` 0 and up) or a bundle of entries. c2sp.org/tlog-tiles. */
export interface Tile {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 255 for a partial one, 256 for a full one. */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, relative to the log's prefix. */
export function tilePath(tile: Tile): string {
  const partial = tile.width === tileWidth ? '' : `.p/${tile.width}`;
  return `tile/${tile.level}/${indexPath(tile.index)}${partial}`;
}

/** The directory that the partial forms of a tile live in. */
export function partialsPath(level: Tile['level'], index: number): string {
  return `tile/${level}/${indexPath(index)}.p`;
}

function indexPath(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
}

const pathForm = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** The reverse of tilePath; null for everything that tilePath does not produce. */
export function parseTilePath(path: string): Tile | null {
  const [, level, digits, width] = pathForm.exec(path) ?? [];
  if (level === undefined || digits === undefined) return null;
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/g, '')),
    width: width === undefined ? tileWidth : Number(width),
  };
  if (tile.level !== 'entries' && tile.level > maxLevel) return null;
  return tilePath(tile) === path ? tile : null;
}

/** Every tile and bundle of a log of `size` entries, left to right, level by level. */
export function* tilesOf(size: number): Generator<Tile> {
  yield* rowOf('entries', size);
  for (let level = 0, width = size; width > 0; level++, width = Math.floor(width / tileWidth)) {
    yield* rowOf(level, width);
  }
}

function* rowOf(level: Tile['level'], width: number): Generator<Tile> {
  const full = Math.floor(width / tileWidth);
  for (let index = 0; index < full; index++) yield { level, index, width: tileWidth };
  if (width % tileWidth > 0) yield { level, index: full, width: width % tileWidth };
}

/** The index behind the last entry that a full tile spans. c2sp.org/tlog-tiles, "Merkle Tree". */
export function endOf({ level, index }: Tile): number {
  return (index + 1) * tileWidth ** (level === 'entries' ? 1 : level + 1);
}

/** The tile at `level` that holds hash number `position` of that level, as a log of `size` entries has it. */
export function tileAt(level: number, position: number, size: number): Tile {
  const levelWidth = Math.floor(size / tileWidth ** level);
  const index = Math.floor(position / tileWidth);
  return { level, index, width: Math.min(tileWidth, levelWidth - index * tileWidth) };
}

/** The hashes of a tile; null if it is not exactly `width` hashes long. */
export function splitTile(bytes: Uint8Array, width: number): Uint8Array[] | null {
  if (bytes.length !== width * hashBytes) return null;
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * hashBytes, (i + 1) * hashBytes));
}
