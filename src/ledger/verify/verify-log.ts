import type { Frontier, TileContent } from '../tlog/frontier.ts';
import { hashBytes, sameBytes, writeLeafHash } from '../tlog/hash.ts';
import { endOf, tileAt, tilePath, tileWidth, type Tile } from '../tlog/tile.ts';
import { frontierAt } from './frontier-at.ts';
import { openCheckpoint, type Cosignature, type Trust } from './open-checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';
import { readHashes, readTile, TileProblem } from './read-tile.ts';
import { contradicts, keptFrom, readRetention, type Retention } from './retention.ts';
import type { TileSource } from './tile-source.ts';

/** Bundles that are read while one is hashed. */
const readAhead = 16;

export type LogVerdict =
  | {
      readonly ok: true;
      readonly origin: string;
      readonly size: number;
      readonly root: Uint8Array;
      /**
       * Index of the first entry that is there, from which on everything was checked; 0 for the whole log. Below what the
       * statement keeps where this copy still holds more than that.
       */
      readonly firstIndex: number;
      /** What the log says of what it does not keep. */
      readonly retention: Retention | null;
      /** Keys of the log that have signed the statement. */
      readonly retentionSignedBy: readonly string[];
      readonly cosignatures: readonly Cosignature[];
    }
  | Refusal;

export interface VerifyLogOptions {
  /** Called now and then with how many entries have been checked. */
  readonly onProgress?: (checked: number, size: number) => void;
  /** Handed every entry, in order, as it is hashed: it counts only if the verdict is good. What it throws is thrown. */
  readonly onEntry?: (entry: Uint8Array, index: number) => void;
  /** Refuse a log that does not keep its beginning. */
  readonly whole?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Checks a whole log against the one thing that is trusted, its keys or a policy: the checkpoint's signatures, every
 * entry against its leaf hash, every tile on every level, and the root. Memory does not grow with the log. Of a log that was
 * pruned, and says so in a statement that its key has signed, what it keeps: all of it, under the same root, and whatever of
 * the rest is still there without a gap before that. What is missing then is exactly a prefix, and no more than was stated.
 * A finding is a value with its reason; only the source's own failures (network, file system) and an abort throw.
 */
export async function verifyLog(
  source: TileSource,
  trust: Trust,
  options: VerifyLogOptions = {},
): Promise<LogVerdict> {
  const note = await source.read('checkpoint');
  if (note === null) return refusal('there is no checkpoint');
  const opened = openCheckpoint(Buffer.from(note).toString('utf8'), trust);
  if (!opened.ok) return opened;
  const { origin, size, root } = opened.checkpoint;
  const read = await readRetention(source, trust);
  if (!read.ok) return read;
  const { retention, signedBy: retentionSignedBy } = read;
  const contradiction = retention === null ? null : await contradicts(source, retention, opened.checkpoint);
  if (contradiction !== null) return contradiction;
  const kept = retention?.kept ?? 0;
  try {
    const frontier = await startOf(source, kept, size, options.signal);
    const firstIndex = frontier.size;
    if (options.whole === true && firstIndex > 0) {
      return refusal(`the log does not keep its first ${firstIndex} entries, which are needed here`);
    }
    const rebuilt = await rebuild(source, { frontier, kept, size }, options);
    if (!sameBytes(rebuilt, root)) return refusal('the entries do not add up to the root in the checkpoint');
    const { cosignatures } = opened;
    return { ok: true, origin, size, root, firstIndex, retention, retentionSignedBy, cosignatures };
  } catch (error) {
    if (!(error instanceof TileProblem)) throw error;
    const now = error.isMissing ? await keptFrom(source, trust) : kept;
    if (now > kept) {
      return refusal(`the log was pruned while it was read, up to entry ${now}: verify it once more`);
    }
    return refusal(`${error.message}${saidOf(retention, error)}`);
  }
}

function saidOf(retention: Retention | null, { isMissing }: TileProblem): string {
  if (retention !== null) return ` (the log says that it keeps everything from entry ${retention.kept} on)`;
  return isMissing ? ' (and no statement of the log says that it was pruned)' : '';
}

/**
 * Where to begin: what is kept, or before that what is still there without a gap. More is there than the statement promises
 * where pruning was cut off, and in a copy that is older than it.
 */
async function startOf(
  source: TileSource,
  kept: number,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Frontier> {
  let first = kept;
  while (first > 0 && (await isThere(source, first - tileWidth))) {
    signal?.throwIfAborted();
    first -= tileWidth;
  }
  try {
    return await frontierAt(source, first, size);
  } catch (error) {
    // The entries are there, and not the hashes that lead to them: those were free to go.
    if (first < kept && error instanceof TileProblem && error.isMissing) {
      return frontierAt(source, kept, size);
    }
    throw error;
  }
}

async function isThere(source: TileSource, start: number): Promise<boolean> {
  const bundle = { level: 'entries', index: start / tileWidth, width: tileWidth } as const;
  return (await source.read(tilePath(bundle))) !== null;
}

interface Span {
  /** Of all before the first entry that is there. */
  readonly frontier: Frontier;
  /** A tile that ends before this entry may be missing. */
  readonly kept: number;
  readonly size: number;
}

/** Hashes every entry from the first that is there, comparing every tile on the way; the root of it all. */
async function rebuild(
  source: TileSource,
  { frontier, kept, size }: Span,
  options: VerifyLogOptions,
): Promise<Uint8Array> {
  const first = frontier.size;
  const hashesIn = async (tile: Tile): Promise<Uint8Array | null> => {
    try {
      return await readHashes(source, tile);
    } catch (error) {
      if (endOf(tile) <= kept && error instanceof TileProblem && error.isMissing) return null;
      throw error;
    }
  };
  const ahead: Promise<Leaves>[] = [];
  let asked = first;
  for (let start = first; start < size; start += tileWidth) {
    options.signal?.throwIfAborted();
    while (ahead.length < readAhead && asked < size) {
      ahead.push(readLeaves(source, tileAt(0, asked, size), hashesIn));
      asked += tileWidth;
    }
    const { tile, entries, published } = (await ahead.shift()) ?? noLeaves;
    const hashes = hashesOf(entries);
    compare({ tile, bytes: hashes }, published);
    for (const content of frontier.appendTile(hashes)) {
      if (content.tile.level !== 0) compare(content, await hashesIn(content.tile));
    }
    if (options.onEntry) for (const [i, entry] of entries.entries()) options.onEntry(entry, start + i);
    options.onProgress?.(frontier.size, size);
  }
  for (const partial of frontier.partials()) {
    if (partial.tile.level !== 0) compare(partial, await hashesIn(partial.tile));
  }
  return frontier.root();
}

interface Leaves {
  readonly tile: Tile;
  readonly entries: readonly Uint8Array[];
  /** What the log says are their hashes, one after the other; null where it does not have to say it any more. */
  readonly published: Uint8Array | null;
}

const noLeaves: Leaves = { tile: tileAt(0, 0, 0), entries: [], published: new Uint8Array() };

/** A bundle and the hashes of its entries. What fails is told when it is waited for. */
function readLeaves(
  source: TileSource,
  tile: Tile,
  hashesIn: (tile: Tile) => Promise<Uint8Array | null>,
): Promise<Leaves> {
  const read = async (): Promise<Leaves> => {
    const [entries, published] = await Promise.all([
      readTile(source, { ...tile, level: 'entries' }),
      hashesIn(tile),
    ]);
    return { tile, entries, published };
  };
  const reading = read();
  reading.catch(() => undefined);
  return reading;
}

/** The leaf hashes of entries, one after the other. */
function hashesOf(entries: readonly Uint8Array[]): Buffer {
  const hashes = Buffer.allocUnsafe(entries.length * hashBytes);
  for (const [i, entry] of entries.entries()) writeLeafHash(entry, hashes, i * hashBytes);
  return hashes;
}

function compare({ tile, bytes }: TileContent, published: Uint8Array | null): void {
  if (published === null || sameBytes(bytes, published)) return;
  const at = Math.floor(bytes.findIndex((byte, i) => byte !== published[i]) / hashBytes);
  const what =
    tile.level === 0
      ? `entry ${tile.index * tileWidth + at} does not have the hash that the log gives it`
      : `hash ${at} is not that of the tile below`;
  throw new TileProblem(`${tilePath(tile)}: ${what}`);
}
