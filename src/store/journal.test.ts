import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { journalOf } from './journal.ts';
import { openSqliteStore, type Store } from './sqlite.ts';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-journal-'));
  store = await openSqliteStore({ path: join(directory, 'store.sqlite') });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

/** SQLite's numbers: 1 is normal, 2 full. */
function synchronous(): number {
  return Number(store.raw.prepare('pragma synchronous').get()?.['synchronous']);
}

function put(key: string): void {
  store.raw.exec('begin immediate');
  store.raw.exec(`insert into meta (key, value) values ('${key}', 'x')`);
  store.raw.exec('commit');
}

test('only what is deferred does not wait for the disk', async () => {
  expect(synchronous()).toBe(2);
  const within = store.journal.deferred(() => {
    put('a');
    return synchronous();
  });
  expect([within, synchronous()]).toEqual([1, 2]);
  await store.journal.synced();
});

test('what throws in the middle leaves no transaction, and the next commit waits', () => {
  const failing = () =>
    store.journal.deferred(() => {
      store.raw.exec('begin immediate');
      throw new Error('no');
    });
  expect(failing).toThrow('no');
  expect([store.raw.isTransaction, synchronous()]).toEqual([false, 2]);
});

test('a store in memory leaves no transaction either', async () => {
  const memory = await openSqliteStore({ path: ':memory:' });
  const failing = () =>
    memory.journal.deferred(() => {
      memory.raw.exec('begin immediate');
      throw new Error('no');
    });
  expect(failing).toThrow('no');
  expect(memory.raw.isTransaction).toBe(false);
  await memory.close();
});

test('a connection that cannot be made to wait again is closed', () => {
  const stuck = {
    isTransaction: false,
    exec: (sql: string) => {
      if (sql.includes('full')) throw new Error('the disk is gone');
    },
    close: () => {
      closed = true;
    },
  };
  let closed = false;
  expect(() => journalOf(stuck, 'nowhere').deferred(() => 'done')).toThrow('the disk is gone');
  expect(closed).toBe(true);
});

test('once the disk has not kept something, nothing is said to be on it any more', async () => {
  const journal = journalOf(store.raw, join(directory, 'elsewhere'));
  await expect(journal.synced()).rejects.toThrow('did not keep');
  await openSqliteStore({ path: join(directory, 'elsewhere') }).then(async (other) => other.close());
  await expect(journal.synced()).rejects.toThrow('did not keep');
  await journal.close();
});

test('what another connection was told of the disk counts here too, and is told once', async () => {
  const told: unknown[] = [];
  store.journal.whenLost((error) => told.push(error.cause));
  const cause = new Error('EIO');
  const waiting = store.journal.synced();
  store.journal.lose(cause);
  store.journal.lose(new Error('again'));
  await expect(waiting).rejects.toThrow('did not keep');
  await expect(store.journal.synced()).rejects.toThrow('did not keep');
  expect(told).toEqual([cause]);
});
