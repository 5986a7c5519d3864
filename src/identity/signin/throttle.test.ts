import { afterEach, beforeEach, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../../lib/clock.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import { addressBlock } from './address-block.ts';
import { SignInThrottle, defaultThrottleRules, type Admission } from './throttle.ts';

let directory: string;
let store: Store;
let clock: ManualClock;
let throttle: SignInThrottle;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-throttle-'));
  store = await openSqliteStore({ path: join(directory, 'store.db'), dangerouslyNotDurable: true });
  clock = new ManualClock(1_800_000_000_000);
  throttle = new SignInThrottle({ db: store.db, clock });
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

const minute = 60_000;

/** Tries from a fresh address each time, so that only the account's counter is in play. */
let host = 0;
async function guess(account: string): Promise<Admission> {
  host += 1;
  return throttle.admit({ account, sourceAddress: `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}` });
}

async function fail(times: number, account = 'ada@lab'): Promise<void> {
  for (let i = 0; i < times; i++) await guess(account);
}

test('what is typed at the sign-in page locks no client out, whatever its name', async () => {
  const client = { account: 'client 42 from 10.0.0.5', sourceAddress: '10.0.0.5' };
  await fail(9, client.account);
  expect((await guess(client.account)).kind).toBe('locked');
  expect((await throttle.admit({ ...client, kind: 'client' })).kind).toBe('admitted');
});

test('locks an account after five failures and doubles the wait with each further one', async () => {
  await fail(5);
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const answer = await guess('ada@lab');
    if (answer.kind !== 'locked') throw new Error('expected a lock');
    waits.push(answer.retryAfterSeconds);
    clock.advance(answer.retryAfterSeconds * 1000);
    expect((await guess('ada@lab')).kind).toBe('admitted');
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
});

test('a refused attempt does not make the wait longer', async () => {
  await fail(5);
  for (let i = 0; i < 20; i++) expect((await guess('ada@lab')).kind).toBe('locked');
  clock.advance(30_000);
  expect((await guess('ada@lab')).kind).toBe('admitted');
});

test('a success ends the account’s count', async () => {
  await fail(4);
  const right = await guess('ada@lab');
  if (right.kind !== 'admitted') throw new Error('expected admission');
  await right.succeeded();
  await fail(4);
  expect((await guess('ada@lab')).kind).toBe('admitted');
});

test('attempts in parallel gain nothing over attempts in turn', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, async () => guess('ada@lab')));
  expect(answers.filter((answer) => answer.kind === 'admitted')).toHaveLength(5);
});

test('an account that does not exist answers like one that does', async () => {
  await fail(5, 'nobody@lab');
  expect(await guess('nobody@lab')).toEqual({ kind: 'locked', retryAfterSeconds: 30 });
});

test('the spelling of a name is not a way around its lock', async () => {
  await fail(5, 'ada@lab');
  expect((await guess('  ADA@lab ')).kind).toBe('locked');
  expect((await guess('\uff21da@lab')).kind).toBe('locked');
});

test('locks a source that tries one password on many accounts, and only that source', async () => {
  const from = async (sourceAddress: string, account: string) => throttle.admit({ account, sourceAddress });
  for (let i = 0; i <= defaultThrottleRules.address.freeFailures; i++) await from('203.0.113.7', `user${i}`);
  expect((await from('203.0.113.7', 'fresh')).kind).toBe('locked');
  expect((await from('::ffff:203.0.113.7', 'fresh')).kind).toBe('locked');
  expect((await from('203.0.113.8', 'fresh')).kind).toBe('admitted');
});

test('signing in well many times from one office locks nobody', async () => {
  for (let i = 0; i < 100; i++) {
    const answer = await throttle.admit({ account: `user${i}`, sourceAddress: '203.0.113.7' });
    if (answer.kind !== 'admitted') throw new Error('locked');
    await answer.succeeded();
  }
  expect((await throttle.admit({ account: 'one more', sourceAddress: '203.0.113.7' })).kind).toBe('admitted');
});

test('a success does not open an address for others: only its own attempt is given back', async () => {
  const sourceAddress = '203.0.113.7';
  for (let round = 0; round < 40; round++) {
    await throttle.admit({ account: `victim${round}`, sourceAddress });
    const own = await throttle.admit({ account: 'attacker', sourceAddress });
    if (own.kind === 'locked') return;
    await own.succeeded();
  }
  expect.unreachable('forty guesses passed');
});

test('survives a restart', async () => {
  await fail(5);
  await store.close();
  store = await openSqliteStore({ path: join(directory, 'store.db') });
  throttle = new SignInThrottle({ db: store.db, clock });
  expect((await guess('ada@lab')).kind).toBe('locked');
});

test('forgets after a day, and sweeps what it forgot', async () => {
  await fail(4);
  clock.advance(24 * 60 * minute + 1);
  await throttle.sweep();
  expect(await store.db.selectFrom('signin_throttle').selectAll().execute()).toEqual([]);
  await fail(4);
  expect((await guess('ada@lab')).kind).toBe('admitted');
});

test('keeps no name in clear: people type passwords into the wrong field', async () => {
  await guess('hunter2');
  const rows = await store.db.selectFrom('signin_throttle').selectAll().execute();
  expect(JSON.stringify(rows)).not.toContain('hunter2');
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:0db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s is counted as %s', (address, block) => {
  expect(addressBlock(address)).toBe(block);
});
