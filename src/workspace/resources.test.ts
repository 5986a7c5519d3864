import { afterEach, beforeEach, expect, test } from 'vitest';
import { mayTakeAway } from '../composition/cause-of-cut.ts';
import type { TenantId } from '../lib/ids.ts';
import { systemAttribution, type Change } from '../store/changes.ts';
import { loadPolicyRows } from '../store/policy-rows.ts';
import { openSqliteStore, type Store } from '../store/sqlite.ts';
import { putResource } from './resources.ts';

const by = systemAttribution('22222222-0000-4000-8000-000000000000' as TenantId, 'test');

let store: Store;

beforeEach(async () => {
  store = await openSqliteStore({ path: ':memory:' });
});

afterEach(async () => {
  await store.close();
});

test('the change of a resource carries its tags while it has any, and once more when it has lost them', async () => {
  expect(await put({})).not.toHaveProperty('tags');
  expect(await put({ purpose: 'triage' })).toMatchObject({ tags: { purpose: 'triage' } });
  expect((await loadPolicyRows(store.db)).tags).toEqual([
    { scope: '/subscriptions/s/data/scans', tags: { purpose: 'triage' } },
  ]);
  expect(await put({})).toMatchObject({ tags: {} });
  expect((await loadPolicyRows(store.db)).tags).toEqual([]);
  expect(await put({})).not.toHaveProperty('tags');
});

test('only a change of tags can take a right away, not every write of a resource', async () => {
  expect(mayTakeAway(await put({}))).toBe(false);
  expect(mayTakeAway(await put({ purpose: 'triage' }))).toBe(true);
  expect(mayTakeAway(await put({}))).toBe(true);
});

async function put(tags: Readonly<Record<string, string>>): Promise<Change> {
  const changes: Change[] = [];
  const draft = { displayId: '/subscriptions/S/data/scans', type: 't', properties: {}, tags };
  await store.db
    .transaction()
    .execute((tx) => putResource(tx, (change) => changes.push(change), by, 1, draft));
  const [change] = changes;
  if (change === undefined) throw new Error('nothing was recorded');
  return change;
}
