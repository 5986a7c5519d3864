import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqliteStore } from './sqlite.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-migrations-'));
});
afterEach(() => rmSync(home, { recursive: true }));

/** What a database was before leaves were told by runs. */
async function databaseOfBefore(path: string): Promise<DatabaseSync> {
  const store = await openSqliteStore({ path });
  await store.close();
  const raw = new DatabaseSync(path);
  raw.exec(`drop view placed_events; drop table ledger_runs; drop table ledger_events;
    delete from kysely_migration where name = '0006-runs-of-leaves';
    create table ledger_events (
      sequence integer primary key autoincrement, event_id text not null unique, time integer not null,
      class_uid integer not null, decision_id text, job_id text, principal_id text,
      entry blob not null, leaf_index integer unique, previous_change integer) strict;
    create index ledger_events_unsequenced on ledger_events (sequence) where leaf_index is null`);
  return raw;
}

it('turns the leaf of each row into runs of rows, gaps and unplaced ones included', async () => {
  const path = join(home, 'lockstep.db');
  const raw = await databaseOfBefore(path);
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
