import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrations } from './migrations.ts';
import type { Schema } from './schema.ts';
import { kyselyDatabase, openSqliteStore } from './sqlite.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-migrations-'));
});
afterEach(() => rmSync(home, { recursive: true }));

/** What a database was at this migration. */
async function databaseOf(path: string, name: string): Promise<DatabaseSync> {
  const db = new Kysely<Schema>({
    dialect: new SqliteDialect({ database: kyselyDatabase(new DatabaseSync(path)) }),
  });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateTo(name);
  expect(error).toBeUndefined();
  await db.destroy();
  return new DatabaseSync(path);
}

it('turns the leaf of each row into runs of rows, gaps and unplaced ones included', async () => {
  const path = join(home, 'lockstep.db');
  const raw = await databaseOf(path, '0005-links-between-changes');
  const insert = raw.prepare(
    `insert into ledger_events (sequence, event_id, time, class_uid, entry, leaf_index, previous_change)
     values (?, ?, 0, 6003, x'7b7d', ?, ?)`,
  );
  const rows: readonly (readonly [number, number | null])[] = [
    [1, 0],
    [2, 1],
    [5, 2],
    [6, 3],
    [9, 4],
    [10, null],
    [30, null],
  ];
  for (const [sequence, leaf] of rows)
    insert.run(sequence, `evt_${sequence}`, leaf, sequence === 5 ? 0 : null);
  raw.exec('delete from ledger_events where sequence = 30');
  raw.close();

  const store = await openSqliteStore({ path });
  const places = await store.db
    .selectFrom('placed_events')
    .select(['sequence', 'leaf_index', 'previous_change'])
    .orderBy('sequence')
    .execute();
  expect(places.map((row) => [row.sequence, row.leaf_index])).toEqual(rows.slice(0, -1));
  expect(places.filter((row) => row.previous_change !== null).map((row) => row.sequence)).toEqual([5]);
  const runs = await store.db.selectFrom('ledger_runs').selectAll().orderBy('first_leaf').execute();
  expect(runs).toEqual([
    { first_leaf: 0, first_sequence: 1, last_sequence: 2 },
    { first_leaf: 2, first_sequence: 5, last_sequence: 6 },
    { first_leaf: 4, first_sequence: 9, last_sequence: 9 },
  ]);
  const { lastInsertRowid } = store.raw
    .prepare(
      `insert into ledger_events (event_id, time, class_uid, entry) values ('evt_new', 0, 6003, x'7b7d')`,
    )
    .run();
  expect(lastInsertRowid).toBe(31);
  await store.close();
});

it('links changes that were recorded before changes were linked', async () => {
  const path = join(home, 'lockstep.db');
  const raw = await databaseOf(path, '0004-scopes-as-written');
  const insert = raw.prepare(
    `insert into ledger_events (event_id, time, class_uid, entry, leaf_index) values (?, 0, 6003, ?, ?)`,
  );
  for (const [i, kind] of ['change', 'request.decided', 'change', 'request.decided'].entries()) {
    insert.run(`evt_${i}`, Buffer.from(JSON.stringify({ unmapped: { lockstep: { kind } } })), i);
  }
  raw.close();

  const store = await openSqliteStore({ path });
  const rows = await store.db.selectFrom('ledger_events').selectAll().orderBy('sequence').execute();
  expect(rows.map((row) => row.previous_change)).toEqual([0, null, 1, null]);
  await store.close();
});

it('keeps events of before personal values stood beside them as they are', async () => {
  const path = join(home, 'lockstep.db');
  const raw = await databaseOf(path, '0010-keys-of-the-log');
  raw.exec(`insert into ledger_events (event_id, time, class_uid, entry) values ('evt_1', 0, 6003, x'7b7d')`);
  raw.close();
  const store = await openSqliteStore({ path });
  const [event] = await store.db.selectFrom('placed_events').selectAll().execute();
  expect(event).toMatchObject({ event_id: 'evt_1', sealed: null, leaf_index: null });
  expect(await store.db.selectFrom('personal_keys').selectAll().execute()).toEqual([]);
  expect(store.raw.prepare('pragma secure_delete').get()).toEqual({ secure_delete: 1 });
  await store.close();
});
