import { LockstepError } from '../../lib/errors.ts';
import { directorySource } from '../sources/directory-source.ts';
import type { Checkpoint } from '../tlog/checkpoint.ts';
import { Frontier } from '../tlog/frontier.ts';
import { sameBytes } from '../tlog/hash.ts';
import { endOf, tileAt, tilePath, tilesOf, tileWidth } from '../tlog/tile.ts';
import { frontierAt } from '../verify/frontier-at.ts';
import { openSigned } from '../verify/open-checkpoint.ts';
import { readTile, TileProblem } from '../verify/read-tile.ts';
import { readRetention } from '../verify/retention.ts';
import type { TileSource } from '../verify/tile-source.ts';
import { GrowingLog } from './growing-log.ts';
import type { Head, HeadRows } from './head-rows.ts';
import type { CheckpointPath, LogFile, LogFiles } from './log-files.ts';

export interface Resumed {
  readonly log: GrowingLog;
  readonly head: Head;
  /** The checkpoint that stands published, if any. */
  readonly published: { readonly note: string; readonly size: number } | null;
}

export interface ResumeOptions {
  readonly rows: HeadRows;
  readonly files: LogFiles;
  readonly verifierKeys: readonly string[];
  readonly now: number;
}

/**
 * Where signed checkpoints lie: the one that is published, and, in a log with witnesses, the newest that is signed. Both
 * count, since the second may already be with a witness.
 */
const checkpointPaths: readonly CheckpointPath[] = ['checkpoint', 'checkpoint.signed'];

/** More than one interrupted run can leave: then the log's directory is being made anew. */
const maxUnpublished = 32_768;

/**
 * Brings the tree back to the head that the database holds. The published tiles are taken for the part that the
 * published checkpoint covers when they are all there and lead to its root; otherwise everything is computed again
 * from the rows, and every tile that is missing or differs is written again.
 * Throws `ledger_unavailable`, changing nothing, when what has been published contradicts the database: going on
 * would sign a fork.
 */
export async function resume(options: ResumeOptions): Promise<Resumed> {
  const { rows, files } = options;
  const { head, placed } = await rows.read(options.now);
  if (placed !== head.size) {
    throw refuse(`its head counts ${head.size} entries, but its rows have ${placed} places`);
  }
  const published = await readPublished(files, options.verifierKeys);
  if (published !== null && published.checkpoint.size > head.size) {
    throw refuse(
      `a checkpoint of ${published.checkpoint.size} entries has been published, but the database holds ${head.size}: ` +
        `it is older than the log. Restore the newer database; where there is none, see docs/guides/operate.md`,
    );
  }
  const retention = await readRetention(directorySource(files.directory), options.verifierKeys);
  if (!retention.ok) throw refuse(retention.reason);
  const kept = retention.retention?.kept ?? 0;
  if (kept > (published?.checkpoint.size ?? 0)) {
    throw refuse(
      `the first ${kept} entries of the log were pruned, but the checkpoint that was published is of fewer`,
    );
  }
  const log =
    (await fromTiles(options, head, published?.checkpoint ?? null, kept)) ??
    (await fromRows(options, head, published?.checkpoint ?? null, kept));
  return {
    log,
    head,
    published: published === null ? null : { note: published.note, size: published.checkpoint.size },
  };
}

/** The larger of the checkpoints that have been signed; throws when any of them is not of this log. */
export async function readPublished(
  files: LogFiles,
  verifierKeys: readonly string[],
): Promise<{ note: string; checkpoint: Checkpoint } | null> {
  let newest: { note: string; checkpoint: Checkpoint } | null = null;
  for (const path of checkpointPaths) {
    const note = await files.readNote(path);
    if (note === null) continue;
    const opened = openSigned(note, verifierKeys);
    if (!opened.ok)
      throw refuse(`what is published in ${files.directory} is not of this log: ${opened.reason}`);
    const { checkpoint } = opened;
    if (newest === null || checkpoint.size > newest.checkpoint.size) newest = { note, checkpoint };
  }
  return newest;
}

/** Null when the tiles are not complete or do not lead to the published root and on to the head's. */
async function fromTiles(
  { rows, files }: ResumeOptions,
  head: Head,
  published: Checkpoint | null,
  kept: number,
): Promise<GrowingLog | null> {
  const size = published?.size ?? 0;
  if (head.size - size > maxUnpublished) return null;
  const present = await files.list();
  for (const tile of tilesOf(size)) if (endOf(tile) > kept && !present.has(tilePath(tile))) return null;
  const partials: Uint8Array[][] = [];
  try {
    for (let level = 0, width = size; width > 0; level++, width = Math.floor(width / tileWidth)) {
      const partial = width % tileWidth > 0 ? tileAt(level, width - 1, size) : null;
      partials.push(partial === null ? [] : await readTile(directorySource(files.directory), partial));
    }
  } catch (error) {
    if (error instanceof TileProblem) return null;
    throw error;
  }
  const frontier = Frontier.at(size, partials);
  if (published !== null && !sameBytes(frontier.root(), published.root)) return null;
  const log = new GrowingLog(frontier, await rows.entries(size - (size % tileWidth), size));
  for (let start = size; start < head.size; start += tileWidth) {
    for (const entry of await rows.entries(start, Math.min(start + tileWidth, head.size))) log.append(entry);
  }
  return sameBytes(log.root(), head.root) ? log : null;
}

/** Reads everything twice: once to be sure that nothing is contradicted, then to write what is missing. */
async function fromRows(
  { rows, files }: ResumeOptions,
  head: Head,
  published: Checkpoint | null,
  kept: number,
): Promise<GrowingLog> {
  const archive = directorySource(files.directory);
  const begin = async (): Promise<GrowingLog> => new GrowingLog(await keptFrom(archive, kept, published), []);
  const checked = await begin();
  const checkPublished = (): void => {
    if (published?.size === checked.size && !sameBytes(checked.root(), published.root)) {
      throw refuse(
        `the checkpoint of ${published.size} entries that has been published is not of the entries in the database`,
      );
    }
  };
  checkPublished();
  for await (const entries of allEntries(rows, archive, kept, head.size)) {
    for (const entry of entries) {
      checked.append(entry);
      checkPublished();
    }
    checked.takeFiles();
  }
  if (!sameBytes(checked.root(), head.root)) {
    throw refuse(
      `the entries in the database, and those that only the archive still holds, do not add up to the root of ${head.size} entries`,
    );
  }

  const log = await begin();
  for await (const entries of allEntries(rows, archive, kept, head.size)) {
    for (const entry of entries) log.append(entry);
    const missing: LogFile[] = [];
    for (const file of log.takeFiles().files) {
      const there = await archive.read(file.path);
      if (there === null || !sameBytes(there, file.bytes)) missing.push(file);
    }
    await files.write(missing);
  }
  return log;
}

/** The tree of what is not kept any more: its right edge is in tiles that reach beyond it. */
async function keptFrom(archive: TileSource, kept: number, published: Checkpoint | null): Promise<Frontier> {
  try {
    return await frontierAt(archive, kept, published?.size ?? 0);
  } catch (error) {
    if (!(error instanceof TileProblem)) throw error;
    throw refuse(
      `the first ${kept} entries were pruned, and of the tree above them ${error.message}. ` +
        `Restore the directory of the log from a backup`,
    );
  }
}

/** From the rows; those that were pruned from the archive, which alone has them. */
async function* allEntries(
  rows: HeadRows,
  archive: TileSource,
  kept: number,
  size: number,
): AsyncGenerator<Uint8Array[]> {
  const firstKept = await rows.firstKept(size);
  for (let start = kept; start < size; start += tileWidth) {
    const end = Math.min(start + tileWidth, size);
    yield end <= firstKept ? await archivedEntries(archive, start) : await rows.entries(start, end);
  }
}

async function archivedEntries(archive: TileSource, start: number): Promise<Uint8Array[]> {
  try {
    return await readTile(archive, { level: 'entries', index: start / tileWidth, width: tileWidth });
  } catch (error) {
    if (!(error instanceof TileProblem)) throw error;
    throw refuse(
      `entries from ${start} on were pruned from the database, and the archive lacks them: ${error.message}. ` +
        `Restore the directory of the log from a backup`,
    );
  }
}

function refuse(reason: string): LockstepError {
  return new LockstepError({
    code: 'ledger_unavailable',
    internalMessage: `the ledger cannot be continued: ${reason}`,
  });
}
