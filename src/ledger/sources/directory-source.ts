import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTilePath } from '../tlog/tile.ts';
import type { TileSource } from '../verify/tile-source.ts';

/** What is read of a log beside its tiles. */
const others: ReadonlySet<string> = new Set(['checkpoint', 'key-history', 'retention']);

/** A log in a directory, as the sequencer writes it. Reads nothing but tiles and what is said about the log. */
export function directorySource(directory: string): TileSource {
  return {
    read: async (path) => {
      if (!others.has(path) && parseTilePath(path) === null) return null;
      try {
        return await readFile(join(directory, path));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
  };
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
