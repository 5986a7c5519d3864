import { z } from 'zod';
import { failure } from '../../lib/errors.ts';
import type { NoteSigner } from '../note.ts';
import type { LogFiles } from '../sequence/log-files.ts';
import { endOf, parseTilePath, tileWidth } from '../tlog/tile.ts';
import { openCheckpoint, type Trust } from '../verify/open-checkpoint.ts';
import { readTile } from '../verify/read-tile.ts';
import { formatRetention, readRetention, type Retention } from '../verify/retention.ts';
import type { TileSource } from '../verify/tile-source.ts';
import type { PrivateArchive } from './private-archive.ts';

export interface PruneArchiveOptions {
  /** The archive: where the log is published. */
  readonly source: TileSource;
  readonly files: LogFiles;
  readonly beside: PrivateArchive;
  readonly trust: Trust;
  readonly signer: Pick<NoteSigner, 'sign'>;
  /** Only what happened before (milliseconds since the epoch). */
  readonly before: number;
  /** Nothing from here on goes: the first entry that has a row, and what a witness is still to be shown. */
  readonly limit: number;
  /** Why, in words: one line. */
  readonly policy: string;
  /** Unix seconds. */
  readonly now: number;
  /** Records that entries before `kept` are about to go; they do so when it has resolved. */
  readonly announce: (kept: number) => Promise<unknown>;
  /** Puts the statement in its place, durably. */
  readonly publish: (statement: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export interface ArchivePruned {
  /** Index of the first entry that the archive keeps. */
  readonly firstIndex: number;
  /** Entries that went. */
  readonly entries: number;
}

/**
 * Lets the log forget its beginning: whole bundles that are old enough, from the front and without a gap, and the tiles that
 * are needed for nothing else. First it is an event, then a statement that the log's key has signed is durable and
 * published, and only then anything is removed; an interruption leaves more than the statement promises, never less, and
 * the next run removes the rest. Throws `conflict` when the archive is not what its checkpoint says.
 */
export async function pruneArchive(options: PruneArchiveOptions): Promise<ArchivePruned> {
  const { source, trust } = options;
  const note = await source.read('checkpoint');
  const opened = note === null ? null : openCheckpoint(Buffer.from(note).toString('utf8'), trust);
  const read = await readRetention(source, trust);
  if (opened === null || !opened.ok || !read.ok) {
    const [wrong] = [opened, read].flatMap((one) => (one === null || one.ok ? [] : [one.reason]));
    throw failure('conflict', `Nothing of the archive is removed: ${wrong ?? 'it has no checkpoint'}.`);
  }
  const { origin, size, root } = opened.checkpoint;
  const before = read.retention?.kept ?? 0;
  const kept = await firstToKeep(options, before, Math.min(options.limit, size));
  if (kept > before) {
    await options.announce(kept);
    const again = await readRetention(source, trust);
    if (!again.ok || (again.retention?.kept ?? 0) !== before) {
      throw failure('conflict', 'The archive is being pruned by another process.');
    }
    await options.publish(
      signed(options, { origin, kept, size, root, time: options.now, policy: options.policy }),
    );
  }
  await removeBefore(options, kept);
  return { firstIndex: kept, entries: kept - before };
}

/** The same statement by the keys that sign now: whoever knows only the newest is to be able to check it. */
export async function renewStatement({
  source,
  trust,
  signer,
  keys,
  publish,
}: Pick<PruneArchiveOptions, 'source' | 'trust' | 'signer' | 'publish'> & {
  readonly keys: readonly string[];
}): Promise<void> {
  const read = await readRetention(source, trust);
  if (!read.ok || read.retention === null || keys.every((key) => read.signedBy.includes(key))) return;
  await publish(signed({ signer }, read.retention));
}

function signed({ signer }: Pick<PruneArchiveOptions, 'signer'>, retention: Retention): string {
  return signer.sign(formatRetention(retention));
}

const timeSchema = z.object({ time: z.number() });

/** The first bundle on the way that holds something newer, or reaches the limit. */
async function firstToKeep(
  { source, before, signal }: PruneArchiveOptions,
  from: number,
  limit: number,
): Promise<number> {
  let kept = from;
  while (kept + tileWidth <= limit) {
    signal?.throwIfAborted();
    const entries = await readTile(source, { level: 'entries', index: kept / tileWidth, width: tileWidth });
    const isOld = (entry: Uint8Array): boolean =>
      timeSchema.parse(JSON.parse(Buffer.from(entry).toString('utf8'))).time < before;
    if (!entries.every(isOld)) break;
    kept += tileWidth;
  }
  return kept;
}

/** Everything that spans nothing but what is not kept. c2sp.org/tlog-tiles, "Pruning". */
async function removeBefore({ files, beside }: PruneArchiveOptions, kept: number): Promise<void> {
  if (kept === 0) return;
  const gone = [...(await files.list())].filter((path) => {
    const tile = parseTilePath(path);
    return tile !== null && endOf(tile) <= kept;
  });
  await files.removePruned(gone.sort());
  await beside.removeBefore(kept / tileWidth);
}
