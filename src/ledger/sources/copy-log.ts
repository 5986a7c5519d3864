import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseTilePath, tilePath, tilesOf, tileWidth, type Tile } from '../tlog/tile.ts';
import { openSigned, type Trust } from '../verify/open-checkpoint.ts';
import { refusal } from '../verify/refusal.ts';
import type { TileSource } from '../verify/tile-source.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog, type LogVerdict, type VerifyLogOptions } from '../verify/verify-log.ts';
import { directorySource } from './directory-source.ts';

/**
 * Copies a log into a directory, checking all of it on the way, also while it grows; any web server can serve what
 * comes of it. A copy that is there already goes on from where it was: what it holds is not asked for again, and must
 * be contained in what comes. When anything is refused the copy stays what it was. The directory is one process's at
 * a time. A finding is a value with its reason; failures of the source and of the disk are thrown.
 */
export async function copyLog(
  source: TileSource,
  directory: string,
  trust: Trust,
  options: VerifyLogOptions = {},
): Promise<LogVerdict> {
  const own = directorySource(directory);
  const before = await textOf(own, 'checkpoint');
  const kept = before === null ? null : openSigned(before, trust);
  if (kept?.ok === false) return refusal(`the copy that is there is not to be gone on with: ${kept.reason}`);
  const held = kept?.checkpoint.size ?? 0;

  const notes = new Map<string, Uint8Array>();
  const copying: TileSource = {
    read: async (path) => {
      const known = notes.get(path);
      if (known !== undefined) return known;
      const tile = parseTilePath(path);
      const isHeld = tile !== null && countedBy(tile) <= held;
      const bytes = (isHeld ? await own.read(path) : null) ?? (await source.read(path));
      if (bytes === null) return null;
      if (tile === null) notes.set(path, bytes);
      else await place(directory, path, bytes);
      return bytes;
    },
  };
  const verdict = await verifyLog(copying, trust, options);
  if (!verdict.ok) return verdict;
  if (before !== null) {
    const copied: TileSource = { read: async (path) => notes.get(path) ?? (await own.read(path)) };
    const grown = await verifyConsistency(copied, before, trust);
    if (!grown.ok) return grown;
  }
  await copying.read('key-history');
  // The checkpoint last: it counts only what is there.
  for (const path of ['key-history', 'retention', 'checkpoint']) {
    const bytes = notes.get(path);
    if (bytes !== undefined) await place(directory, path, bytes);
  }
  await removePartials(directory, held, verdict.size);
  return verdict;
}

async function textOf(source: TileSource, path: string): Promise<string | null> {
  const bytes = await source.read(path);
  return bytes === null ? null : Buffer.from(bytes).toString('utf8');
}

/** The size from which on a log counts all that the tile holds. */
function countedBy({ level, index, width }: Tile): number {
  return (index * tileWidth + width) * tileWidth ** (level === 'entries' ? 0 : level);
}

/** Whole or not at all. */
async function place(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  const target = join(directory, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(`${target}.new`, bytes);
  await rename(`${target}.new`, target);
}

/** Takes away what an older checkpoint alone needed. */
async function removePartials(directory: string, before: number, now: number): Promise<void> {
  const needed = new Set<string>();
  for (const tile of tilesOf(now)) if (tile.width < tileWidth) needed.add(tilePath(tile));
  for (const tile of tilesOf(before)) {
    const path = tilePath(tile);
    if (tile.width < tileWidth && !needed.has(path)) await rm(join(directory, path), { force: true });
  }
}
