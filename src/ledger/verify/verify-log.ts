import type { Frontier, TileContent } from '../tlog/frontier.ts';
import { hashBytes, sameBytes } from '../tlog/hash.ts';
import { tilePath, tileWidth, tileAt } from '../tlog/tile.ts';
import { frontierAt } from './frontier-at.ts';
import { openCheckpoint, type Cosignature, type Trust } from './open-checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';
import { readHashes, readTile, TileProblem } from './read-tile.ts';
import { contradicts, readRetention, type Retention } from './retention.ts';
import type { TileSource } from './tile-source.ts';

/** Bundles that are read while one is hashed. */
const readAhead = 16;

export type LogVerdict =
  | {
      readonly ok: true;
      readonly origin: string;
      readonly size: number;
      readonly root: Uint8Array;
      /** Index of the first entry that is kept, from which on everything was checked; 0 for the whole log. */
      readonly firstIndex: number;
      /** What the log says of what it does not keep. */
      readonly retention: Retention | null;
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
 * pruned, and says so in a statement that its key has signed, what it keeps: all of it, under the same root.
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
  const { retention } = read;
  const contradiction = retention === null ? null : await contradicts(source, retention, opened.checkpoint);
  if (contradiction !== null) return contradiction;
  const firstIndex = retention?.kept ?? 0;
  if (options.whole === true && firstIndex > 0) {
    return refusal(`the log does not keep its first ${firstIndex} entries, which are needed here`);
  }
  try {
    const rebuilt = await rebuild(source, firstIndex, size, options);
    if (!sameBytes(rebuilt, root)) return refusal('the entries do not add up to the root in the checkpoint');
  } catch (error) {
    if (error instanceof TileProblem) return refusal(`${error.message}${saidOf(retention)}`);
    throw error;
  }
  return { ok: true, origin, size, root, firstIndex, retention, cosignatures: opened.cosignatures };
}

function saidOf(retention: Retention | null): string {
  return retention === null ? '' : ` (the log says that it keeps everything from entry ${retention.kept} on)`;
}

/** Hashes every entry from the first that is kept, comparing every tile on the way; the root of it all. */
async function rebuild(
  source: TileSource,
  first: number,
  size: number,
  options: VerifyLogOptions,
): Promise<Uint8Array> {
  const frontier = await frontierAt(source, first, size);
  const ahead: Promise<Leaves>[] = [];
  let asked = first;
  for (let start = first; start < size; start += tileWidth) {
    options.signal?.throwIfAborted();
    while (ahead.length < readAhead && asked < size) {
      ahead.push(readLeaves(source, asked, size));
      asked += tileWidth;
    }
    const { entries, hashes } = (await ahead.shift()) ?? noLeaves;
    const filled: TileContent[] = [];
    for (const entry of entries) filled.push(...frontier.append(entry));
    const [own = lastPartial(frontier), ...above] = filled;
    compare(own, hashes);
    for (const content of above) compare(content, await readHashes(source, content.tile));
    if (options.onEntry) for (const [i, entry] of entries.entries()) options.onEntry(entry, start + i);
    options.onProgress?.(frontier.size, size);
  }
  for (const partial of frontier.partials()) {
    if (partial.tile.level !== 0) compare(partial, await readHashes(source, partial.tile));
  }
  return frontier.root();
}

interface Leaves {
  readonly entries: readonly Uint8Array[];
  /** One after the other. */
  readonly hashes: Uint8Array;
}

const noLeaves: Leaves = { entries: [], hashes: new Uint8Array() };

/** A bundle and the hashes of its entries. What fails is told when it is waited for. */
function readLeaves(source: TileSource, start: number, size: number): Promise<Leaves> {
  const tile = tileAt(0, start, size);
  const read = async (): Promise<Leaves> => {
    const [entries, hashes] = await Promise.all([
      readTile(source, { ...tile, level: 'entries' }),
      readHashes(source, tile),
    ]);
    return { entries, hashes };
  };
  const reading = read();
  reading.catch(() => undefined);
  return reading;
}

function lastPartial(frontier: Frontier): TileContent {
  const [partial] = frontier.partials();
  if (partial === undefined) throw new TileProblem('an entry bundle is empty');
  return partial;
}

function compare({ tile, bytes }: TileContent, published: Uint8Array): void {
  if (sameBytes(bytes, published)) return;
  const at = Math.floor(bytes.findIndex((byte, i) => byte !== published[i]) / hashBytes);
  const what =
    tile.level === 0
      ? `entry ${tile.index * tileWidth + at} does not have the hash that the log gives it`
      : `hash ${at} is not that of the tile below`;
  throw new TileProblem(`${tilePath(tile)}: ${what}`);
}
