import type { TileSource } from '../verify/tile-source.ts';

/** A log held in memory, by path. */
export function memorySource(files: ReadonlyMap<string, Uint8Array>): TileSource {
  return { read: (path) => Promise.resolve(files.get(path) ?? null) };
}
