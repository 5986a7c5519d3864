import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/load.ts';

/**
 * Asks when the configuration file was last written, milliseconds since the epoch, if that was after `since`: what this
 * process has read of it may be out of date. Null where it was not, or where that cannot be told.
 */
export function configurationChangedSince(
  { home, file }: Pick<Config, 'home' | 'file'>,
  since: number,
): () => Promise<number | null> {
  return async () => {
    const found = await stat(file ?? join(home, 'config.json')).catch(() => null);
    return found !== null && found.mtimeMs > since ? found.mtimeMs : null;
  };
}
