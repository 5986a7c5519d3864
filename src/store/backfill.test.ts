import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Backfill, type BackfillOptions } from './backfill.ts';
import { openConnection } from './connection.ts';

let directory: string;
let path: string;
let writer: DatabaseSync;
let beside: DatabaseSync;
let backfill: Backfill | null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-backfill-'));
  path = join(directory, 'store.sqlite');
  writer = openConnection({ path });
  writer.exec('pragma wal_autocheckpoint = 0; create table rows (value blob)');
  beside = openConnection({ path });
  backfill = null;
});
afterEach(async () => {
  await backfill?.stop();
  beside.close();
  writer.close();
  rmSync(directory, { recursive: true });
});

function begin(more: Partial<BackfillOptions> = {}): Backfill {
  backfill = new Backfill({
    raw: beside,
    whilePaused: () => Promise.reject(new Error('nobody is to pause')),
    worked: () => undefined,
    failed: (error) => {
      throw error;
    },
    ...more,
  });
  return backfill;
}

/** So many pages and somewhat more. */
function write(pages: number): void {
  writer.exec('begin immediate');
  const insert = writer.prepare('insert into rows (value) values (randomblob(8100))');
  for (let i = 0; i < pages; i++) insert.run();
  writer.exec('commit');
}

const journalBytes = () => statSync(`${path}-wal`).size;

/** What the database file holds by itself. */
function rowsInFile(): number {
  const copy = join(directory, 'copy.sqlite');
  copyFileSync(path, copy);
  const alone = new DatabaseSync(copy);
  try {
    return Number(alone.prepare('select count(*) as n from rows').get()?.['n']);
  } catch {
    return 0;
  } finally {
    alone.close();
    rmSync(copy);
  }
}

test('what has been written comes into the database file, and the log begins anew without a pause', async () => {
  const written = begin();
  write(300);
  expect(rowsInFile()).toBe(0);
  written.hurry();
  await vi.waitUntil(() => rowsInFile() === 300, { timeout: 30_000 });
  const before = journalBytes();
  for (let round = 1; round <= 5; round++) {
    write(200);
    written.hurry();
    await vi.waitUntil(() => rowsInFile() === 300 + round * 200, { timeout: 30_000 });
  }
  expect(journalBytes()).toBe(before);
});

test('a log that does not end by itself is ended while nobody writes', async () => {
  const reader = openConnection({ path });
  write(10);
  // Of an earlier moment: as long as it reads, the log cannot begin anew.
  reader.exec('begin; select * from rows');
  let paused = 0;
  const written = begin({
    whilePaused: async (act) => {
      paused += 1;
      if (reader.isTransaction) reader.exec('rollback');
      await Promise.resolve().then(act);
    },
  });
  write(6_000);
  written.hurry();
  await vi.waitUntil(() => rowsInFile() === 6_010, { timeout: 30_000 });
  expect(paused).toBe(1);
  const before = journalBytes();
  write(3_000);
  written.hurry();
  await vi.waitUntil(() => rowsInFile() === 9_010, { timeout: 30_000 });
  expect(journalBytes()).toBe(before);
  reader.close();
});

test('a log whose writer never leaves a moment stays short all the same', async () => {
  const statement = beside.prepare('pragma wal_checkpoint(passive)');
  let isPaused = false;
  let rows = 0;
  const reader = openConnection({ path });
  /** What is there is brought whole each time, but somebody writes, and somebody reads what was there, before it has ended. */
  const get = () => {
    if (isPaused) return statement.get();
    reader.exec('begin; select 1 from rows limit 1');
    const row = statement.get();
    write(400);
    rows += 400;
    reader.exec('rollback');
    return row;
  };
  const written = begin({
    raw: { prepare: () => ({ get }) },
    whilePaused: async (act) => {
      await Promise.resolve();
      isPaused = true;
      act();
      isPaused = false;
    },
  });
  let longest = 0;
  for (let round = 0; round < 50; round++) {
    written.hurry();
    const before = rows;
    await vi.waitUntil(() => rows > before, { timeout: 30_000, interval: 1 });
    longest = Math.max(longest, journalBytes());
  }
  reader.close();
  expect(longest).toBeLessThan(10_000 * 8_192);
});

test('a failure is told, and that it is over', async () => {
  const told: unknown[] = [];
  begin({
    failed: (error) => told.push(error),
    worked: () => told.push('worked'),
    whilePaused: () => {
      if (told.length === 0) return Promise.reject(new Error('no'));
      return Promise.resolve();
    },
  });
  const reader = openConnection({ path });
  reader.exec('begin; select * from rows');
  write(5_000);
  backfill?.hurry();
  await vi.waitUntil(() => told.length > 0, { timeout: 30_000 });
  backfill?.hurry();
  await vi.waitUntil(() => told.length > 1, { timeout: 30_000 });
  expect(told).toEqual([new Error('no'), 'worked']);
  reader.close();
});
