import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTilePath } from '../tlog/tile.ts';
import type { TileSource } from '../verify/tile-source.ts';

/** A log in a directory, as the sequencer writes it. Reads nothing but the checkpoint, tiles and the history of keys. */
export function directorySource(directory: string): TileSource {
  return {
    read: async (path) => {
      if (path !== 'checkpoint' && path !== 'key-history' && parseTilePath(path) === null) return null;
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
