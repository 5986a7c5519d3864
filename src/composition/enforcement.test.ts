// Conditions that turn false by the clock alone.
import { expect, test } from 'vitest';
import { environmentOf, questionAt } from '../gateway/environment.ts';
import { LiveSessions, type LiveExchange } from '../gateway/live-sessions.ts';
import type { Caller } from '../identity/caller.ts';
import type { Leases } from '../identity/leases/leases.ts';
import { ManualClock } from '../lib/clock.ts';
import { failure } from '../lib/errors.ts';
import { newEventId, type LeaseId, type PrincipalId, type RequestId } from '../lib/ids.ts';
import { createLog } from '../lib/log.ts';
import { builtInRoles, roleIds } from '../policy/built-in-roles.ts';
import { decideForAll } from '../policy/decide.ts';
import type { PolicyRows } from '../policy/snapshot.ts';
import type { Access } from '../policy/types.ts';
import type { CommittedChange, LeaseRecord, SessionRecord } from '../store/changes.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { CurrentPolicy } from './current-policy.ts';
import { Enforcement } from './enforcement.ts';
import { JobRights } from './job-access.ts';

const event = newEventId(0);
const start = Date.parse('2026-11-25T12:00:00.000Z');
const until = '2026-11-25T12:00:10.000Z';
const ids = ['1', '2', '3', '4'].map((n) => `${n.repeat(8)}-0000-4000-8000-000000000000` as PrincipalId);
const [
  timed = '' as PrincipalId,
  steady = '' as PrincipalId,
  barred = '' as PrincipalId,
  job = '' as PrincipalId,
] = ids;
const grant = (n: number, principalId: PrincipalId, condition: string | null) => ({
  id: `44444444-0000-4000-8000-00000000000${n}`,
  scope: '/subscriptions/s',
  roleDefinitionId: roleIds.owner,
  principalId,
  principalType: 'User' as const,
  description: '',
  condition,
  createdOn: '',
  createdBy: '',
});
const rows: PolicyRows = {
  principals: ids.map((id) => ({
    id,
    kind: id === job ? ('job' as const) : ('user' as const),
    displayName: id,
    enabled: true,
    sponsorId: null,
    signInName: null,
  })),
  memberships: [],
  roleDefinitions: builtInRoles,
  roleAssignments: [
    grant(1, timed, `@Environment[UtcNow] DateTimeLessThan '${until}'`),
    grant(2, steady, null),
    grant(3, barred, null),
  ],
  denyAssignments: [
    {
      id: 'curfew',
      name: 'curfew',
      description: '',
      scope: '/subscriptions/s',
      permissions: [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
      doNotApplyToChildScopes: false,
      principals: [barred],
      excludePrincipals: [],
      condition: `@Environment[UtcNow] DateTimeGreaterThanEquals '${until}'`,
    },
  ],
  version: 0,
};
const access: Access = {
  action: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
  dataAction: false,
  scope: '/subscriptions/s',
};

async function house({ isLive = true } = {}) {
  const clock = new ManualClock(start);
  const log = createLog('silent');
  const policy = await CurrentPolicy.load({
    feed: { after: (revision) => Promise.resolve({ steps: [], through: revision }) },
    loadRows: () => Promise.resolve(rows),
    clock,
    log,
    staleMilliseconds: 3_600_000,
    waitMilliseconds: 0,
    engine: { rightsBytes: 2 ** 16, maskBytes: 2 ** 16 },
  });
  const live = new LiveSessions(clock);
  const store = await openSqliteStore({ path: ':memory:' });
  const jobRights = new JobRights(policy, { store, clock });
  const open = new Map<LeaseId, LeaseRecord>();
  const leases = {
    list: () => [...open.values()],
    recheck: (lease: LeaseRecord) => {
      if (jobRights.stillAllowed(lease)) return Promise.resolve(null);
      open.delete(lease.id);
      return Promise.resolve('owner-lost-right' as const);
    },
  } satisfies Pick<Leases, 'list' | 'recheck'>;
  const enforcement = new Enforcement({
    policy,
    live,
    leases,
    jobRights,
    checkBegun: () => (isLive ? null : failure('revoked_token', 'It has ended.')),
    clock,
    log,
  });
  const ended: string[] = [];
  /** A stream as the gateway opens it: decided now. */
  const stream = (who: PrincipalId, sessionId = 'ses_1') => {
    const inPlace = { ...access, attributes: { environment: environmentOf([], clock.now()) } };
    const question = questionAt(inPlace, clock.now());
    expect(decideForAll(policy.snapshot, [who], question.access).allowed).toBe(true);
    const exchange: LiveExchange = {
      id: `req_${who}` as RequestId,
      caller: {
        credential: { leaseId: null, sessionId },
        subject: { id: who },
        authorities: [who],
        chain: [],
      } as unknown as Caller,
      authorities: [who],
      access: inPlace,
      restsOnTime: question.asked(),
      surface: 's',
      operation: 'o',
      method: 'GET',
      path: '/',
      remoteAddress: '',
      end: ({ reason }) => ended.push(`${who.slice(0, 1)} ${reason}`),
    };
    return live.open(exchange);
  };
  const lease = (owner: PrincipalId): LeaseId => {
    const id = `lea_${owner}` as LeaseId;
    open.set(id, {
      id,
      jobId: job,
      jobScope: '/subscriptions/s',
      ownerId: owner,
      submitterId: owner,
      chain: [],
      state: 'running',
    });
    return id;
  };
  return { clock, policy, live, enforcement, ended, stream, lease, open, jobRights };
}

test('a stream ends at the first look after its time, and only the streams that rest on time are looked at', async () => {
  const { clock, live, enforcement, ended, stream } = await house();
  const [running, untimed, free] = [stream(timed), stream(steady), stream(barred)];
  expect([running, untimed, free].map(({ restsOnTime }) => restsOnTime)).toEqual([true, false, true]);
  clock.advance(9_999);
  enforcement.reviewTimed();
  expect(ended).toEqual([]);
  clock.advance(1);
  let asked = 0;
  live.reviewTimed(() => (asked++, null));
  expect(asked).toBe(2);
  enforcement.reviewTimed();
  expect(ended).toEqual(['1 condition-ended', '3 condition-ended']);
  expect(live.size).toBe(1);
  live.stop();
});

test('a review after some change asks at the time of the review, not of the request', async () => {
  const { clock, live, enforcement, ended, stream } = await house();
  const session = stream(timed);
  clock.advance(10_000);
  enforcement.follower([
    { sequence: 1, previous: 0, event, change: { kind: 'resource.deleted', id: '/x', type: 't' } },
  ]);
  expect(ended).toEqual(['1 condition-ended']);
  // It is the time that took the right away, not this change.
  expect(session.cut?.by).toBeUndefined();
  live.stop();
});

test('a stream that a change ended says which, whatever else its transaction changed', async () => {
  const { policy, live, enforcement, ended, stream } = await house();
  const session = stream(steady);
  const other = newEventId(1);
  const committed: CommittedChange[] = [
    { sequence: 1, previous: 0, event: other, change: { kind: 'container.deleted', id: '/c' } as never },
    {
      sequence: 2,
      previous: 1,
      event,
      change: { kind: 'role-assignment.deleted', assignment: grant(2, steady, null) } as never,
    },
  ];
  policy.take(committed);
  enforcement.follower(committed);
  expect(ended).toEqual(['2 policy-changed']);
  expect(session.cut?.by).toEqual({ kind: 'change', change: 'role-assignment.deleted', eventId: event });
  live.stop();
});

test('a stream whose identity ended says by which change, and names none that ended another’s', async () => {
  const { live, enforcement, ended, stream } = await house({ isLive: false });
  const [one, two] = [stream(timed, 'ses_1'), stream(steady, 'ses_2')];
  const session = { id: 'ses_1' } as unknown as SessionRecord;
  enforcement.follower([
    {
      sequence: 1,
      previous: 0,
      event,
      change: { kind: 'session.closed', session, reason: 'cut-by-operator' },
    },
  ]);
  expect(ended).toEqual(['1 identity-ended', '2 identity-ended']);
  expect(one.cut?.by).toEqual({ kind: 'change', change: 'session.closed', eventId: event });
  expect(two.cut?.by).toBeNull();
  live.stop();
});

test('a further decision of the same exchange counts too', async () => {
  const { clock, live, enforcement, ended, stream } = await house();
  const session = stream(steady);
  session.alsoDecided({ access, restsOnTime: true });
  clock.advance(60_000);
  enforcement.reviewTimed();
  expect(ended).toEqual([]);
  // What policy says of it has no time in it: the look has found that out.
  expect(session.restsOnTime).toBe(false);
  live.stop();
});

test('a job runs until its condition ends, and no other job is asked for', async () => {
  const { clock, live, enforcement, lease, open } = await house();
  const [running, other, free] = [lease(timed), lease(steady), lease(barred)];
  enforcement.recheckLeases();
  clock.advance(9_999);
  enforcement.reviewTimed();
  await Promise.resolve();
  expect([...open.keys()]).toEqual([running, other, free]);
  clock.advance(1);
  enforcement.reviewTimed();
  await Promise.resolve();
  expect([...open.keys()]).toEqual([other]);
  live.stop();
});

test('a policy that is broken stops no job and answers no question about one; when it is stale, streams end', async () => {
  const { policy, live, enforcement, ended, stream, lease, open, jobRights } = await house();
  stream(steady);
  const id = lease(steady);
  policy.snapshot.apply({ sequence: 5, previous: 4, change: null });
  enforcement.reviewAll();
  enforcement.reviewTimed();
  await Promise.resolve();
  expect(ended).toEqual([]);
  const record = open.get(id);
  expect(() => record && jobRights.stillAllowed(record)).toThrow(
    expect.objectContaining({ code: 'policy_unavailable' }),
  );
  enforcement.stopStreams();
  expect(ended).toEqual(['2 policy-unavailable']);
  expect(open.size).toBe(1);
  live.stop();
});
