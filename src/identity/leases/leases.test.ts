import { afterEach, beforeEach, expect, test } from 'vitest';
import { newGuid, type LeaseId, type PrincipalId, type Secret } from '../../lib/ids.ts';
import type { LeaseRecord, PrincipalRecord } from '../../store/changes.ts';
import { by, openIdentityRoom, tenantId, type IdentityRoom } from '../testing/identity-room.ts';
import { Leases } from './leases.ts';

let room: IdentityRoom;
let leases: Leases;
let ada: PrincipalRecord;
let ci: PrincipalRecord;
let allowed: boolean;
const storage = 'https://storage.azure.com/';

beforeEach(async () => {
  room = await openIdentityRoom();
  allowed = true;
  leases = new Leases({
    store: room.store,
    commit: room.feed.commit,
    clock: room.clock,
    tenantId,
    liveness: room.liveness,
    issuer: room.tokens,
    tokenSeconds: 300,
    knowsResource: (resource) => resource === storage,
    stillAllowed: () => allowed,
  });
  ada = await room.person('Ada');
  ci = await room.application('CI', ada.id);
});
afterEach(async () => {
  await room.close();
});

const run = { issuer: 'https://ci', repository: 'contoso/penguins', ref: 'refs/heads/main' };

async function submitted(): Promise<{ lease: LeaseRecord; secret: Secret }> {
  const jobId = newGuid() as PrincipalId;
  return room.feed.commit(by, async (tx, record) => {
    await room.directory.createJobPrincipal(tx, record, {
      id: jobId,
      displayName: 'train',
      sponsorId: ada.id,
    });
    return leases.open(tx, record, {
      jobId,
      jobScope: '/subscriptions/s/jobs/train',
      ownerId: ada.id,
      submitterId: ci.id,
      chain: [
        { kind: 'user', id: ada.id, name: 'Ada' },
        { kind: 'ci-run', id: 'https://ci#7', name: 'run 7', ci: run },
        { kind: 'application', id: ci.id, name: 'CI' },
        { kind: 'job', id: jobId, name: 'train' },
      ],
    });
  });
}

async function running() {
  const { lease, secret: queueSecret } = await submitted();
  const secret = await leases.start(by, lease.id);
  const ask = (change: Partial<{ leaseId: string; secret: string; resource: string }> = {}) =>
    leases.issueToken({ leaseId: lease.id, secret, resource: storage, ...change });
  return { lease, queueSecret, secret, ask };
}

test('a job whose right was lost while it was submitted never starts', async () => {
  const { lease } = await submitted();
  allowed = false;
  await expect(leases.start(by, lease.id)).rejects.toMatchObject({ code: 'lease_ended' });
  allowed = true;
  await room.directory.setEnabled(by, ada.id, false);
  await expect(leases.start(by, lease.id)).rejects.toMatchObject({ code: 'lease_ended' });
});

test('a running job gets a short token in its owner’s name, with the whole chain', async () => {
  const { lease, ask } = await running();
  const { token, expiresAt } = await ask();
  expect(expiresAt).toBe(room.clock.now() / 1000 + 300);
  const caller = await room.verifier.verify(token, [storage]);
  expect(caller.subject.id).toBe(ada.id);
  expect(caller.authorities).toEqual([ada.id, ci.id, lease.jobId]);
  expect(caller.chain.map(({ kind }) => kind)).toEqual(['user', 'ci-run', 'application', 'job']);
  expect(caller.chain[1]?.ci).toEqual(run);
  expect(room.liveness.check(caller)).toBeNull();
});

test('the secret rests as a digest only and is in no recorded change', async () => {
  const { queueSecret, secret } = await running();
  const rows = JSON.stringify(await room.store.db.selectFrom('leases').selectAll().execute());
  for (const each of [queueSecret, secret]) {
    expect(rows).not.toContain(each);
    expect(JSON.stringify(room.feed.changes)).not.toContain(each);
  }
});

test('the secret of the queue gets no token, neither before nor after the start', async () => {
  const { lease, secret } = await submitted();
  const ask = () => leases.issueToken({ leaseId: lease.id, secret, resource: storage });
  await expect(ask()).rejects.toMatchObject({ code: 'lease_ended', status: 403 });
  await leases.start(by, lease.id);
  await expect(ask()).rejects.toMatchObject({ code: 'invalid_client', status: 401 });
});

test('a lease starts once', async () => {
  const { lease } = await running();
  await expect(leases.start(by, lease.id)).rejects.toMatchObject({ code: 'conflict' });
});

test('a wrong secret, another job’s secret and an unknown lease are refused alike', async () => {
  const [first, second] = [await running(), await running()];
  for (const wrong of [
    { secret: '' },
    { secret: 'x' },
    { secret: second.secret },
    { leaseId: second.lease.id },
    { leaseId: 'lea_unknown' },
  ])
    await expect(first.ask(wrong)).rejects.toMatchObject({ code: 'invalid_client' });
});

test('no token for a resource that is not served', async () => {
  const { ask } = await running();
  await expect(ask({ resource: 'https://storage.azure.com' })).rejects.toMatchObject({
    code: 'invalid_resource',
  });
});

test('the end takes everything away at once: unexpired tokens too, and renewal with 403', async () => {
  const { lease, ask } = await running();
  const caller = await room.verifier.verify((await ask()).token, [storage]);
  await leases.end(by, lease.id, 'completed');
  expect(room.liveness.check(caller)?.code).toBe('revoked_token');
  await expect(ask()).rejects.toMatchObject({ code: 'lease_ended', status: 403 });
  await expect(leases.start(by, lease.id)).rejects.toMatchObject({ code: 'lease_ended' });
});

test('ending twice is one change, and the first reason stands', async () => {
  const { lease } = await running();
  await leases.end(by, lease.id, 'completed');
  await leases.end(by, lease.id, 'failed');
  await leases.end(by, 'lea_unknown' as LeaseId, 'failed');
  const ends = room.feed.changes.filter((change) => change.kind === 'lease.ended');
  expect(ends).toMatchObject([{ reason: 'completed', lease: { id: lease.id, state: 'ended' } }]);
});

test('an owner who lost the right ends the lease at the next renewal, for good', async () => {
  const { lease, ask } = await running();
  allowed = false;
  await expect(ask()).rejects.toMatchObject({ code: 'lease_ended', status: 403 });
  allowed = true;
  await expect(ask()).rejects.toMatchObject({ code: 'lease_ended' });
  expect(room.feed.changes.at(-1)).toMatchObject({
    kind: 'lease.ended',
    reason: 'owner-lost-right',
    lease: { id: lease.id },
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['the owner', () => room.directory.setEnabled(by, ada.id, false)],
  ['the submitting application', () => room.directory.setEnabled(by, ci.id, false)],
])('recheck ends what %s no longer stands behind, queued or running', async (_who, disable) => {
  const [first, second] = [await running(), await submitted()];
  expect(await leases.recheck(first.lease)).toBeNull();
  await disable();
  for (const lease of leases.list()) expect(await leases.recheck(lease)).toBe('owner-disabled');
  expect(leases.list()).toEqual([]);
  await expect(first.ask()).rejects.toMatchObject({ code: 'lease_ended' });
  await expect(leases.start(by, second.lease.id)).rejects.toMatchObject({ code: 'lease_ended' });
});

test('recheck ends what policy no longer stands behind', async () => {
  const { lease } = await running();
  allowed = false;
  expect(await leases.recheck(lease)).toBe('owner-lost-right');
  expect(leases.list()).toEqual([]);
});

test('ends all that a predicate picks, and no other', async () => {
  const [first, second] = [await running(), await running()];
  const ended = await leases.endAllWhere(by, 'cut', (lease) => lease.id === first.lease.id);
  expect(ended.map(({ id }) => id)).toEqual([first.lease.id]);
  await expect(second.ask()).resolves.toBeDefined();
});

test('a job whose gateway was away for a day renews like any other', async () => {
  const { ask } = await running();
  await ask();
  room.manualClock.advance(20 * 3_600_000);
  await expect(ask()).resolves.toBeDefined();
});

test('a chain that does not lead from the owner to the job is refused', async () => {
  const attempt = room.feed.commit(by, async (tx, record) =>
    leases.open(tx, record, {
      jobId: newGuid() as PrincipalId,
      jobScope: '/',
      ownerId: ada.id,
      submitterId: ada.id,
      chain: [{ kind: 'user', id: ada.id, name: 'Ada' }],
    }),
  );
  await expect(attempt).rejects.toThrow(RangeError);
});
