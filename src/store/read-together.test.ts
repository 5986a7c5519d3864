import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readTogether } from './read-together.ts';
import { openSqliteStore, type Store } from './sqlite.ts';

let home: string;
let store: Store;
let writer: DatabaseSync;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-read-'));
  store = await openSqliteStore({ path: join(home, 'lockstep.db') });
  writer = new DatabaseSync(join(home, 'lockstep.db'), { timeout: 0 });
});
afterEach(async () => {
  writer.close();
  await store.close();
  rmSync(home, { recursive: true, force: true });
});

const keys = (db: Store['db']) => db.selectFrom('meta').select('key').orderBy('key').execute();

it('reads while another process writes, and sees one moment while that commits', async () => {
  writer.exec(`insert into meta values ('a', '1')`);
  writer.exec(`begin immediate; insert into meta values ('b', '1')`);
  const seen = await readTogether(store.db, async (moment) => {
    const before = await keys(moment);
    writer.exec('commit');
    return [before, await keys(moment)];
  });
  expect(seen).toEqual([[{ key: 'a' }], [{ key: 'a' }]]);
  expect(await keys(store.db)).toEqual([{ key: 'a' }, { key: 'b' }]);
});

it('holds up nobody who writes, as a transaction does', async () => {
  const insert = (key: string) => () => writer.exec(`insert into meta values ('${key}', '1')`);
  await readTogether(store.db, async (moment) => {
    await keys(moment);
    expect(insert('a')).not.toThrow();
  });
  await store.db.transaction().execute(async () => {
    expect(insert('b')).toThrow('locked');
  });
});

it('lets go when what reads throws', async () => {
  await expect(readTogether(store.db, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(store.raw.isTransaction).toBe(false);
  await store.db.insertInto('meta').values({ key: 'a', value: '1' }).execute();
});
