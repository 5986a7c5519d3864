import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { createLog } from '../lib/log.ts';
import { createFoundation, openFoundation, type Foundation } from './foundation.ts';

/** A COMMIT empties the write-ahead log at so many pages: soon where nobody else does, late where a thread sees to it. */
function pagesOf({ store }: Foundation): unknown {
  return store.raw.prepare('pragma wal_autocheckpoint').get()?.['wal_autocheckpoint'];
}

test('what is opened to serve has a thread for what follows the append; what only makes an installation has none', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-foundation-'));
  try {
    const config = loadConfig({ home, environment: {} });
    for (const [open, pages] of [
      [createFoundation, 1_000],
      [openFoundation, 20_000],
    ] as const) {
      const foundation = await open(config, createLog('silent'));
      expect(pagesOf(foundation)).toBe(pages);
      await foundation.close();
    }
  } finally {
    rmSync(home, { recursive: true });
  }
});
