import { afterEach, beforeEach, expect, test } from 'vitest';
import { newGuid, type PrincipalId } from '../lib/ids.ts';
import type { PrincipalRecord } from '../store/changes.ts';
import { actingAuthorities } from './acting-authorities.ts';
import { Leases } from './leases/leases.ts';
import { by, openIdentityRoom, tenantId, type IdentityRoom } from './testing/identity-room.ts';

let room: IdentityRoom;
let leases: Leases;
let ada: PrincipalRecord;
let ci: PrincipalRecord;

beforeEach(async () => {
  room = await openIdentityRoom();
  leases = new Leases({
    store: room.store,
    commit: room.feed.commit,
    clock: room.clock,
    tenantId,
    liveness: room.liveness,
    issuer: room.tokens,
    tokenSeconds: 300,
    knowsResource: () => true,
    stillAllowed: () => true,
  });
  ada = await room.person('Ada');
  ci = await room.application('CI', ada.id);
});
afterEach(async () => {
  await room.close();
});

const acting = (id: PrincipalId): readonly PrincipalId[] => actingAuthorities(room.liveness, id);

test('a person or an application acts alone, while nothing has ended it', async () => {
  expect(acting(ada.id)).toEqual([ada.id]);
  expect(acting(ci.id)).toEqual([ci.id]);
  await room.directory.setEnabled(by, ada.id, false);
  expect(acting(ada.id)).toEqual([]);
  expect(acting(ci.id)).toEqual([]);
});

test('a group and nobody known do not act', async () => {
  const team = await room.directory.createGroup(by, { displayName: 'Team' });
  expect(acting(team.id)).toEqual([]);
  expect(acting(newGuid() as PrincipalId)).toEqual([]);
});

test('a job acts with its owner and submitter, from its start to its end', async () => {
  const jobId = newGuid() as PrincipalId;
  const { lease } = await room.feed.commit(by, async (tx, record) => {
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
        { kind: 'application', id: ci.id, name: 'CI' },
        { kind: 'job', id: jobId, name: 'train' },
      ],
    });
  });
  expect(acting(jobId)).toEqual([]);
  await leases.start(by, lease.id);
  expect(acting(jobId)).toEqual([ada.id, ci.id, jobId]);
  await room.directory.setEnabled(by, ci.id, false);
  expect(acting(jobId)).toEqual([]);
  await room.directory.setEnabled(by, ci.id, true);
  await leases.end(by, lease.id, 'completed');
  expect(acting(jobId)).toEqual([]);
});
