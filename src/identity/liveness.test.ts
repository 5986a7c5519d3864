import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  newGuid,
  newLeaseId,
  newSessionId,
  type LeaseId,
  type PrincipalId,
  type SessionId,
} from '../lib/ids.ts';
import type { Change, LeaseRecord, PrincipalRecord, SessionRecord } from '../store/changes.ts';
import type { Caller } from './caller.ts';
import { Liveness } from './liveness.ts';
import { issuedTokenRow, revokeIssued } from './signin/issued-tokens.ts';
import { by, openIdentityRoom, tenantId, type IdentityRoom } from './testing/identity-room.ts';

let room: IdentityRoom;
let ada: PrincipalRecord;
let ci: PrincipalRecord;
const jobId = newGuid() as PrincipalId;

beforeEach(async () => {
  room = await openIdentityRoom();
  ada = await room.person('Ada');
  ci = await room.application('CI', (await room.person('Grace')).id);
  await room.feed.commit(by, async (tx, record) =>
    room.directory.createJobPrincipal(tx, record, { id: jobId, displayName: 'train', sponsorId: ada.id }),
  );
});
afterEach(async () => {
  await room.close();
});

function caller(change: { leaseId?: LeaseId; sessionId?: SessionId; expiresAt?: number } = {}): Caller {
  return {
    tenantId,
    subject: { id: ada.id, kind: 'user', name: 'Ada' },
    chain: [
      { kind: 'user', id: ada.id, name: 'Ada' },
      { kind: 'ci-run', id: 'https://ci#7', name: 'run 7' },
      { kind: 'application', id: ci.id, name: 'CI' },
      { kind: 'job', id: jobId, name: 'train' },
    ],
    authorities: [ada.id, ci.id, jobId],
    credential: {
      kind: 'bearer',
      tokenId: 'token-1',
      sessionId: change.sessionId ?? null,
      leaseId: change.leaseId ?? null,
      expiresAt: change.expiresAt ?? Math.floor(room.clock.now() / 1000) + 3600,
    },
  };
}

/** Ada's, from now on. */
function sessionFor(milliseconds: number): SessionRecord {
  const now = room.clock.now();
  return {
    id: newSessionId(now),
    principalId: ada.id,
    createdAt: now,
    expiresAt: now + milliseconds,
    authenticationMethods: ['pwd'],
  };
}

/** Of the job in the chain. */
function leaseOf(state: LeaseRecord['state']): LeaseRecord {
  return {
    id: newLeaseId(room.clock.now()),
    jobId,
    jobScope: '/',
    ownerId: ada.id,
    submitterId: ci.id,
    chain: caller().chain,
    state,
  };
}

async function happens(change: Change): Promise<void> {
  await room.feed.commit(by, async (_tx, record) => record(change));
}

test('everyone alive is let through', () => {
  expect(room.liveness.check(caller())).toBeNull();
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  ['the owner is disabled', () => room.directory.setEnabled(by, ada.id, false), /Ada is disabled/],
  ['the owner is deleted', () => room.directory.deletePrincipal(by, ada.id), /no longer exists/],
  [
    'an application in between is disabled',
    () => room.directory.setEnabled(by, ci.id, false),
    /CI is disabled/,
  ],
  ['the job’s principal is deleted', () => room.directory.deletePrincipal(by, jobId), /no longer exists/],
  [
    'the person who answers for the application is disabled',
    () => room.directory.setEnabled(by, ci.sponsorId!, false),
    /Grace, who answers for CI/,
  ],
  [
    'the person who answers for the application is deleted',
    () => room.directory.deletePrincipal(by, ci.sponsorId!),
    /answered for CI no longer exists/,
  ],
])('refuses on the next request when %s', async (_what, event, message) => {
  await event();
  expect(room.liveness.check(caller())).toMatchObject({
    code: 'revoked_token',
    publicMessage: expect.stringMatching(message) as string,
  });
});

test('whoever is enabled again may go on', async () => {
  await room.directory.setEnabled(by, ada.id, false);
  await room.directory.setEnabled(by, ada.id, true);
  expect(room.liveness.check(caller())).toBeNull();
});

test('a session must be known, its person’s own, open and unexpired', async () => {
  const session = sessionFor(60_000);
  const withSession = caller({ sessionId: session.id });
  expect(room.liveness.check(withSession)?.code).toBe('revoked_token');
  await happens({ kind: 'session.opened', session: { ...session, principalId: ci.id } });
  expect(room.liveness.check(withSession)?.code).toBe('revoked_token');
  await happens({ kind: 'session.opened', session });
  expect(room.liveness.check(withSession)).toBeNull();
  room.manualClock.advance(60_000);
  expect(room.liveness.check(withSession)?.code).toBe('revoked_token');
  await happens({ kind: 'session.opened', session: { ...session, expiresAt: session.expiresAt + 120_000 } });
  expect(room.liveness.check(withSession)).toBeNull();
  await happens({ kind: 'session.closed', session, reason: 'sign-out' });
  expect(room.liveness.check(withSession)?.code).toBe('revoked_token');
});

test('a lease must run, and be this job’s own', async () => {
  const lease = leaseOf('queued');
  const withLease = caller({ leaseId: lease.id });
  expect(room.liveness.check(withLease)?.code).toBe('revoked_token');
  await happens({ kind: 'lease.opened', lease });
  expect(room.liveness.check(withLease)?.code).toBe('revoked_token');
  await happens({ kind: 'lease.started', lease: { ...lease, state: 'running' } });
  expect(room.liveness.check(withLease)).toBeNull();
  expect(room.liveness.check({ ...withLease, authorities: [ada.id, ci.id] })?.code).toBe('revoked_token');
  await happens({ kind: 'lease.ended', lease: { ...lease, state: 'ended' }, reason: 'completed' });
  expect(room.liveness.check(withLease)?.code).toBe('revoked_token');
});

test('what was begun outlives its token where a lease or a sign-in keeps that alive, and never those', async () => {
  const expiresAt = Math.floor(room.clock.now() / 1000) + 60;
  const lease = leaseOf('running');
  await happens({ kind: 'lease.started', lease });
  const session = sessionFor(3_600_000);
  await happens({ kind: 'session.opened', session });
  const kept = caller({ leaseId: lease.id, expiresAt });
  const signedIn = caller({ sessionId: session.id, expiresAt });
  room.manualClock.advance(60_000);
  expect(room.liveness.check(kept)?.code).toBe('expired_token');
  expect(room.liveness.checkBegun(kept)).toBeNull();
  expect(room.liveness.checkBegun(caller({ expiresAt }))?.code).toBe('expired_token');
  expect(room.liveness.checkBegun(signedIn)).toBeNull();
  await happens({ kind: 'lease.ended', lease: { ...lease, state: 'ended' }, reason: 'completed' });
  expect(room.liveness.checkBegun(kept)?.code).toBe('revoked_token');
  await happens({ kind: 'session.closed', session, reason: 'sign-out' });
  expect(room.liveness.checkBegun(signedIn)?.code).toBe('revoked_token');
});

test.each([{ grantId: 'grant-1' }, { clientId: 'client-1' }])(
  'what a lapsed token of a sign-in has begun ends with all that was given: %j',
  async (whose) => {
    const session = sessionFor(3_600_000);
    await happens({ kind: 'session.opened', session });
    const expiresAt = Math.floor(room.clock.now() / 1000) + 60;
    const signInEndsAt = session.expiresAt;
    const given = { grantId: 'grant-1', clientId: 'client-1', principalId: ada.id, expiresAt, signInEndsAt };
    await room.store.db
      .insertInto('oidc_artifacts')
      .values(issuedTokenRow({ ...given, tokenId: 'token-1' }))
      .execute();
    room.manualClock.advance(3_000_000);
    const signedIn = caller({ sessionId: session.id, expiresAt });
    expect(room.liveness.checkBegun(signedIn)).toBeNull();
    await room.feed.commit(by, (tx, record) => revokeIssued(tx, record, whose, room.clock.now()));
    expect(room.liveness.checkBegun(signedIn)?.code).toBe('revoked_token');
  },
);

test('a revoked token is refused until it would have expired anyway', async () => {
  const expiresAt = room.clock.now() + 3_600_000;
  await happens({ kind: 'token.revoked', tokenId: 'token-1', principal: ada.id, expiresAt });
  expect(room.liveness.check(caller())?.code).toBe('revoked_token');
  room.manualClock.advance(3_540_000);
  expect(room.liveness.check(caller({ expiresAt: expiresAt / 1000 }))?.code).toBe('revoked_token');
  room.manualClock.advance(60_000);
  expect(room.liveness.check(caller({ expiresAt: expiresAt / 1000 }))?.code).toBe('expired_token');
});

test('a restart knows all of it again', async () => {
  const now = room.clock.now();
  const sessionId = newSessionId(now);
  await room.store.db
    .insertInto('sessions')
    .values([
      {
        id: sessionId,
        principal_id: ada.id,
        created_at: now,
        expires_at: now + 1000,
        ended_at: null,
        end_reason: null,
        amr_json: '["pwd"]',
        source_address: null,
        user_agent: null,
      },
      {
        id: 'ses_ended',
        principal_id: ada.id,
        created_at: now,
        expires_at: now + 1000,
        ended_at: now,
        end_reason: 'x',
        amr_json: '[]',
        source_address: null,
        user_agent: null,
      },
    ])
    .execute();
  await room.store.db
    .insertInto('revoked_tokens')
    .values({ token_id: 'token-2', principal_id: ada.id, expires_at: now + 1000 })
    .execute();
  await room.directory.setEnabled(by, ci.id, false);
  const again = await Liveness.load(room.store, room.clock);
  const alone: Caller = { ...caller(), chain: caller().chain.slice(0, 1), authorities: [ada.id] };
  expect(again.check(alone)).toBeNull();
  expect(again.check(caller())?.code).toBe('revoked_token');
  const inSession = (id: string): Caller => ({
    ...alone,
    credential: { ...alone.credential, sessionId: id as SessionId },
  });
  expect(again.check(inSession(sessionId))).toBeNull();
  expect(again.check(inSession('ses_ended'))?.code).toBe('revoked_token');
  expect(again.check({ ...alone, credential: { ...alone.credential, tokenId: 'token-2' } })?.code).toBe(
    'revoked_token',
  );
});
