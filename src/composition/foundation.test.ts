import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
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

test.each<[string, (home: string) => void, RegExp]>([
  [
    'the sealing key of another installation',
    (home) => {
      writeFileSync(join(home, 'seal.key'), Buffer.alloc(32, 7).toString('base64url'));
    },
    /the sealing key .*seal\.key is not that of the database beside it/,
  ],
  [
    'half a sealing key',
    (home) => {
      truncateSync(join(home, 'seal.key'), 20);
    },
    /seal\.key is no key \(32 bytes in base64url\): restore it from your backup/,
  ],
  [
    'a database that is none',
    (home) => {
      writeFileSync(join(home, 'lockstep.sqlite'), Buffer.alloc(8192, 'x'));
    },
    /the database .*lockstep\.sqlite is damaged \(.*\): restore it from your backup/,
  ],
  [
    'a database with a damaged page',
    (home) => {
      const file = join(home, 'lockstep.sqlite');
      const whole = readFileSync(file);
      writeFileSync(file, whole.fill(0xa5, 4096, whole.byteLength));
    },
    /the database .*lockstep\.sqlite is damaged/,
  ],
  [
    'the database of a newer version',
    (home) => {
      const db = new DatabaseSync(join(home, 'lockstep.sqlite'));
      db.exec(`insert into kysely_migration values ('9999-later', '2100-01-01')`);
      db.close();
    },
    /was written by a newer Lockstep \(9999-later\): start that one/,
  ],
])(
  '%s: what an operator put back wrongly is told by its file, with what to do',
  async (_what, spoil, expected) => {
    const home = mkdtempSync(join(tmpdir(), 'lockstep-foundation-'));
    try {
      const config = loadConfig({ home, environment: {} });
      await (await createFoundation(config, createLog('silent'))).close();
      spoil(home);
      await expect(openFoundation(config, createLog('silent'))).rejects.toThrow(expected);
    } finally {
      rmSync(home, { recursive: true });
    }
  },
);
