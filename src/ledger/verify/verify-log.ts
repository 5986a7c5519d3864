import { Frontier, type TileContent } from '../tlog/frontier.ts';
import { sameBytes } from '../tlog/hash.ts';
import { tilePath, tileWidth, tileAt } from '../tlog/tile.ts';
import { openCheckpoint, type Cosignature, type Trust } from './open-checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';
import { readTile, TileProblem } from './read-tile.ts';
import type { TileSource } from './tile-source.ts';

/** Bundles that are read while one is hashed. */
const readAhead = 16;

export type LogVerdict =
  | {
      readonly ok: true;
      readonly origin: string;
      readonly size: number;
      readonly root: Uint8Array;
      readonly cosignatures: readonly Cosignature[];
    }
  | Refusal;

export interface VerifyLogOptions {
  /** Called now and then with how many entries have been checked. */
  readonly onProgress?: (checked: number, size: number) => void;
  /** Handed every entry, in order, as it is hashed: it counts only if the verdict is good. What it throws is thrown. */
  readonly onEntry?: (entry: Uint8Array, index: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks a whole log against the one thing that is trusted, its keys or a policy: the checkpoint's signatures, every
 * entry against its leaf hash, every tile on every level, and the root. Memory does not grow with the log.
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
  try {
    const rebuilt = await rebuild(source, size, options);
    if (!sameBytes(rebuilt, root)) return refusal('the entries do not add up to the root in the checkpoint');
  } catch (error) {
    if (error instanceof TileProblem) return refusal(error.message);
    throw error;
  }
  return { ok: true, origin, size, root, cosignatures: opened.cosignatures };
}

/** Hashes every entry, comparing every tile on the way; the root of it all. */
async function rebuild(source: TileSource, size: number, options: VerifyLogOptions): Promise<Uint8Array> {
  const frontier = new Frontier();
  const ahead: Promise<[Uint8Array[], Uint8Array[]]>[] = [];
  let asked = 0;
  for (let start = 0; start < size; start += tileWidth) {
    options.signal?.throwIfAborted();
    while (ahead.length < readAhead && asked < size) {
      ahead.push(readLeaves(source, asked, size));
      asked += tileWidth;
    }
    const [entries, hashes] = (await ahead.shift()) ?? [[], []];
    const filled: TileContent[] = [];
    for (const entry of entries) filled.push(...frontier.append(entry));
    const [own = lastPartial(frontier), ...above] = filled;
    compare(own, hashes);
    for (const tile of above) compare(tile, await readTile(source, tile.tile));
    if (options.onEntry) for (const [i, entry] of entries.entries()) options.onEntry(entry, start + i);
    options.onProgress?.(frontier.size, size);
  }
  for (const partial of frontier.partials()) {
    if (partial.tile.level !== 0) compare(partial, await readTile(source, partial.tile));
  }
  return frontier.root();
}

/** A bundle and the hashes of its entries. What fails is told when it is waited for. */
function readLeaves(source: TileSource, start: number, size: number): Promise<[Uint8Array[], Uint8Array[]]> {
  const leaves = tileAt(0, start, size);
  const reading = Promise.all([readTile(source, { ...leaves, level: 'entries' }), readTile(source, leaves)]);
  reading.catch(() => undefined);
  return reading;
}

function lastPartial(frontier: Frontier): TileContent {
  const [partial] = frontier.partials();
  if (partial === undefined) throw new TileProblem('an entry bundle is empty');
  return partial;
}

function compare(own: TileContent, published: readonly Uint8Array[]): void {
  const at = own.hashes.findIndex((hash, i) => !sameBytes(hash, published[i] ?? new Uint8Array()));
  if (at < 0) return;
  const what =
    own.tile.level === 0
      ? `entry ${own.tile.index * tileWidth + at} does not have the hash that the log gives it`
      : `hash ${at} is not that of the tile below`;
  throw new TileProblem(`${tilePath(own.tile)}: ${what}`);
}
