// A policy that follows a store through a connection of its own, as a second process would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { Directory } from '../identity/directory/directory.ts';
import { changeFeed, type ChangeFeed } from '../ledger/change-feed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { generateNoteKey } from '../ledger/note.ts';
import {
  attribution,
  decidedFact,
  LedgerFixture,
  origin,
  tenantId,
} from '../ledger/testing/ledger-fixture.ts';
import { ManualClock, systemClock } from '../lib/clock.ts';
import { createLog } from '../lib/log.ts';
import { PolicySnapshot } from '../policy/snapshot.ts';
import { loadPolicyRows } from '../store/policy-rows.ts';
import { openSqliteStore, type Store } from '../store/sqlite.ts';
import { CurrentPolicy, type CurrentPolicyOptions } from './current-policy.ts';

const { signingKey } = generateNoteKey(origin);
const by = attribution();
let fixture: LedgerFixture;
const open: (() => Promise<void>)[] = [];
beforeEach(() => {
  fixture = new LedgerFixture(signingKey);
});
afterEach(async () => {
  while (open.length > 0) await open.pop()?.();
  fixture.remove();
});

async function connect(): Promise<Store> {
  const store = await openSqliteStore({
    path: join(fixture.home, 'lockstep.db'),
    dangerouslyNotDurable: true,
  });
  open.push(() => store.close());
  return store;
}

async function writer(): Promise<{ ledger: Ledger; store: Store; directory: Directory }> {
  const opened = await fixture.open();
  open.push(async () => {
    await opened.ledger.close();
    await opened.store.close();
  });
  const { ledger, store } = opened;
  return {
    ...opened,
    directory: new Directory({ store, commit: ledger.commit, clock: fixture.clock, tenantId }),
  };
}

async function follower(store: Store, more: Partial<CurrentPolicyOptions> = {}): Promise<CurrentPolicy> {
  return CurrentPolicy.load({
    feed: changeFeed(store),
    loadRows: () => loadPolicyRows(store.db),
    clock: systemClock,
    log: createLog('silent'),
    staleMilliseconds: 60_000,
    waitMilliseconds: 5_000,
    ...more,
  });
}

async function expectRebuilt(policy: CurrentPolicy, store: Store): Promise<void> {
  const rows = await loadPolicyRows(store.db);
  const rebuilt = PolicySnapshot.from(rows);
  expect(policy.snapshot.version).toBe(rows.version);
  expect([...policy.snapshot.principals()]).toEqual(expect.arrayContaining([...rebuilt.principals()]));
  expect([...policy.snapshot.roleAssignments()]).toHaveLength(rows.roleAssignments.length);
  expect(policy.snapshot.size).toEqual(rebuilt.size);
  for (const { id } of rows.principals) {
    expect(policy.snapshot.identitiesOf(id).sort()).toEqual(rebuilt.identitiesOf(id).sort());
  }
}

test(
  'a second process has every revision that the first told of, across a reconnection',
  { timeout: 60_000 },
  async () => {
    let store = await connect();
    let feed = changeFeed(store);
    const switched: ChangeFeed = { after: (revision, limit) => feed.after(revision, limit) };
    let loads = 0;
    const policy = await follower(store, {
      feed: switched,
      loadRows: () => (loads++, loadPolicyRows(store.db)),
    });
    const program = join(import.meta.dirname, 'testing', 'writing-child.ts');
    const child = spawn(process.execPath, [program, fixture.home, signingKey, '60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const told = z.object({ revision: z.number(), group: z.string(), at: z.number() });
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const { revision, group } = told.parse(JSON.parse(line));
      await policy.reach(revision);
      expect(policy.isCurrent).toBe(true);
      expect(policy.through).toBeGreaterThanOrEqual(revision);
      expect(policy.snapshot.principal(group as never)?.kind).toBe('group');
      expect(policy.snapshot.assignmentsOf(group as never)).toHaveLength(1);
      if (++lines % 20 === 0) {
        await open.pop()?.();
        await policy.poll();
        store = await connect();
        feed = changeFeed(store);
      }
    }
    expect((await exited)[0]).toBe(0);
    expect(lines).toBe(60);
    // It resumed where it was: all but the first rows came by the feed.
    expect(loads).toBe(1);
    await expectRebuilt(policy, store);
  },
);

test('a demanded revision that exists is waited for, one that does not is given up in time', async () => {
  const { ledger, directory } = await writer();
  const policy = await follower(await connect(), { waitMilliseconds: 300 });
  await directory.createGroup(by, { displayName: 'first' });
  await ledger.record(decidedFact());
  const revision = ledger.lastSequence();
  expect(policy.through).toBeLessThan(revision);
  await policy.reach(revision);
  // The newest event changed nothing; the policy contains it all the same.
  expect(policy.through).toBe(revision);
  expect(policy.snapshot.version).toBe(revision - 1);
  expect(policy.reach(revision)).toBeNull();

  const before = performance.now();
  await policy.reach(revision + 1_000);
  expect(performance.now() - before).toBeGreaterThan(250);
  expect(policy.through).toBe(revision);

  const late = policy.reach(revision + 1);
  await pause(50);
  await directory.createGroup(by, { displayName: 'second' });
  await late;
  expect(policy.through).toBe(revision + 1);
});

test('what the feed withholds is read from the rows', async () => {
  const { ledger, store, directory } = await writer();
  const policy = await follower(await connect());
  const group = await directory.createGroup(by, { displayName: 'g' });
  // A tag may be called anything, and conditions ask for it; the ledger takes what may be a credential out.
  const tags = { secret: 'blue' };
  await ledger.commit(by, async (tx, record) => {
    await tx
      .insertInto('resources')
      .values({
        id: '/subscriptions/s',
        display_id: '/subscriptions/s',
        type: 't',
        parent_id: '/',
        name: 's',
        properties_json: '{}',
        tags_json: JSON.stringify(tags),
        location: null,
        etag: '',
        created_at: 1,
        created_by_json: '{}',
        updated_at: 1,
        updated_by_json: '{}',
      })
      .execute();
    record({ kind: 'resource.put', id: '/subscriptions/s', type: 't', created: true, tags });
  });
  await policy.check();
  expect(policy.snapshot.principal(group.id)).toMatchObject({ id: group.id, kind: 'group' });
  expect(policy.snapshot.engine.tags.find('/subscriptions/s', 'tags:secret')).toBe('blue');
  await expectRebuilt(policy, store);
});

test('where the feed begins later than what it needs, policy is loaded anew', async () => {
  const { ledger, store, directory } = await writer();
  const policy = await follower(await connect());
  let resumed = 0;
  policy.watch({ caughtUp: () => resumed++, stale: () => undefined });
  await directory.createGroup(by, { displayName: 'a' });
  await directory.createGroup(by, { displayName: 'b' });
  await ledger.integrate();
  store.raw.exec('delete from ledger_events where sequence < (select max(sequence) from ledger_events)');
  await policy.check();
  expect([...policy.snapshot.principals()]).toHaveLength(2);
  expect(resumed).toBe(1);
  await expectRebuilt(policy, store);
});

test('refuses when the feed has been silent for too long, stops what is running, and goes on when it speaks', async () => {
  const clock = new ManualClock(1_000_000);
  const { store, directory } = await writer();
  const real = changeFeed(await connect());
  let gone = false;
  const policy = await follower(store, {
    clock,
    feed: {
      after: async (...asked) => {
        if (gone) throw new Error('the connection is gone');
        return real.after(...asked);
      },
    },
    staleMilliseconds: 10_000,
  });
  const told: string[] = [];
  policy.watch({ caughtUp: () => told.push('caught up'), stale: () => told.push('stale') });
  gone = true;
  clock.advance(10_000);
  await policy.poll();
  expect(policy.isCurrent).toBe(true);
  clock.advance(1);
  expect(policy.isCurrent).toBe(false);
  await policy.poll();
  await policy.poll();
  expect(policy.snapshot.fault).toEqual({ kind: 'suspended' });
  expect(told).toEqual(['stale']);

  await directory.createGroup(by, { displayName: 'unseen' });
  gone = false;
  await policy.poll();
  expect(policy.isCurrent).toBe(true);
  expect(told).toEqual(['stale', 'caught up']);
  await expectRebuilt(policy, store);
});
