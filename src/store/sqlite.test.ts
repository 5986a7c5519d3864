import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-store-'));
  path = join(directory, 'store.sqlite');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function inFile<T>(work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

test('a migration that breaks off leaves nothing behind, and the next start makes all of it', async () => {
  inFile((db) => db.exec('create table ledger_head (in_the_way integer)'));
  await expect(openSqliteStore({ path })).rejects.toThrow('cannot be brought up to date');
  const tables = inFile((db) => db.prepare(`select name from sqlite_master where type = 'table'`).all());
  expect(tables).toEqual([{ name: 'ledger_head' }]);

  inFile((db) => db.exec('drop table ledger_head'));
  const store = await openSqliteStore({ path });
  await store.db.insertInto('meta').values({ key: 'a', value: '1' }).execute();
  await store.close();
});

test('opened again, it keeps what it holds', async () => {
  const first = await openSqliteStore({ path });
  await first.db.insertInto('meta').values({ key: 'a', value: '1' }).execute();
  await first.close();
  const second = await openSqliteStore({ path });
  expect(await second.db.selectFrom('meta').selectAll().execute()).toEqual([{ key: 'a', value: '1' }]);
  await second.close();
});

test('the database and what SQLite keeps beside it are readable by their owner only', async () => {
  writeFileSync(path, '', { mode: 0o644 });
  const store = await openSqliteStore({ path });
  const modes = ['', '-wal', '-shm'].map((suffix) => (statSync(path + suffix).mode & 0o777).toString(8));
  expect(modes).toEqual(['600', '600', '600']);
  await store.close();
});
