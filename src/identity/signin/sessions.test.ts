import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import { newEventId, newGuid, type PrincipalId, type SessionId, type TenantId } from '../../lib/ids.ts';
import { createSealer } from '../../store/sealer.ts';
import { systemAttribution, type Change, type Commit, type Follower } from '../../store/changes.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import { CookieKeys } from './cookie-keys.ts';
import { Sessions, endSessions } from './sessions.ts';

const hour = 3_600_000;
const minute = 60_000;
const tenantId = newGuid() as TenantId;
const by = systemAttribution(tenantId, 'test');
const ada = newGuid() as PrincipalId;
const grace = newGuid() as PrincipalId;
const event = newEventId(0);

let directory: string;
let store: Store;
let clock: ManualClock;
let changes: Change[];
let followers: Follower[];
let sessions: Sessions;
let keys: CookieKeys;
const sealer = createSealer(randomBytes(32));

/** Commit's contract over the real store; what it would log is kept in `changes`. */
const commit: Commit = async (_by, work) => {
  const recorded: Change[] = [];
  const result = await store.db
    .transaction()
    .execute(async (tx) => work(tx, (change) => recorded.push(change)));
  changes.push(...recorded);
  for (const follower of followers)
    follower(recorded.map((change, sequence) => ({ sequence, previous: sequence - 1, change, event })));
  return result;
};

async function open(): Promise<void> {
  store = await openSqliteStore({ path: join(directory, 'store.db'), dangerouslyNotDurable: true });
  followers = [];
  keys = await CookieKeys.open({
    store,
    commit,
    clock,
    sealer,
    tenantId,
    rotationMilliseconds: 30 * 24 * hour,
    overlapMilliseconds: 12 * hour,
  });
  sessions = await Sessions.load({
    store,
    commit,
    clock,
    keys,
    tenantId,
    absoluteMilliseconds: 12 * hour,
    idleMilliseconds: 2 * hour,
  });
  followers.push(sessions.follower);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-sessions-'));
  clock = new ManualClock(1_800_000_000_000);
  changes = [];
  await open();
  for (const id of [ada, grace]) {
    await store.db
      .insertInto('principals')
      .values({
        id,
        kind: 'user',
        display_name: 'x',
        enabled: 1,
        sponsor_id: null,
        sign_in_name: id,
        created_at: 0,
        security_attributes_json: '{}',
      })
      .execute();
  }
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function signIn(principalId = ada) {
  return sessions.open(by, {
    principalId,
    authenticationMethods: ['pwd'],
    sourceAddress: '192.0.2.1',
    userAgent: 'a browser',
  });
}

test('keys for another purpose outlive a restart, and a rotation by the overlap', async () => {
  const [first] = keys.derived('a');
  expect(first).toHaveLength(32);
  expect(keys.derived('b')[0]).not.toEqual(first);
  await open();
  expect(keys.derived('a')).toEqual([first]);
  clock.advance(31 * 24 * hour);
  await keys.rotateIfDue();
  const [second, ...older] = keys.derived('a');
  expect(second).not.toEqual(first);
  expect(older).toEqual([first]);
  clock.advance(13 * hour);
  await keys.rotateIfDue();
  expect(keys.derived('a')).toEqual([second]);
});

test('a session opens with its ledger change, and its cookie names it', async () => {
  const { session, cookie } = await signIn();
  expect(changes.at(-1)).toEqual({ kind: 'session.opened', session });
  expect(sessions.fromCookie(cookie)).toEqual(session);
  expect(session.expiresAt).toBe(clock.now() + 12 * hour);
});

test('a closed session is refused on the very next look, and closing it again is no change', async () => {
  const { session, cookie } = await signIn();
  expect(await sessions.close(by, session.id, 'signed-out')).toBe(true);
  expect(sessions.fromCookie(cookie)).toBeNull();
  expect(changes.at(-1)).toEqual({ kind: 'session.closed', session, reason: 'signed-out' });
  expect(await sessions.close(by, session.id, 'signed-out')).toBe(false);
});

test('use keeps a session alive up to its absolute end, and no further', async () => {
  const { cookie } = await signIn();
  for (let i = 0; i < 11; i++) {
    clock.advance(hour);
    expect(sessions.fromCookie(cookie)).not.toBeNull();
  }
  clock.advance(hour);
  expect(sessions.fromCookie(cookie)).toBeNull();
});

test('an unused session lapses; the sweep closes it in the ledger with the reason', async () => {
  const { session, cookie } = await signIn();
  clock.advance(2 * hour);
  expect(sessions.fromCookie(cookie)).toBeNull();
  expect(sessions.list(ada)).toEqual([]);
  await sessions.sweep();
  expect(changes.at(-1)).toEqual({ kind: 'session.closed', session, reason: 'idle' });
});

test('a restart forgets nothing: not the session, not its idle time, not its end', async () => {
  const kept = await signIn();
  const idle = await signIn();
  const ended = await signIn();
  await sessions.close(by, ended.session.id, 'test');
  clock.advance(90 * minute);
  sessions.fromCookie(kept.cookie);
  await sessions.sweep();
  await store.close();
  clock.advance(40 * minute);
  await open();
  expect(sessions.fromCookie(kept.cookie)).toEqual(kept.session);
  expect(sessions.fromCookie(idle.cookie)).toBeNull();
  expect(sessions.fromCookie(ended.cookie)).toBeNull();
});

test('a new cookie key does not end sessions; the old one is forgotten after the longest session', async () => {
  const { cookie } = await signIn();
  const before = keys.tag('form', 'x');
  clock.advance(29 * 24 * hour + 23 * hour);
  const late = await signIn();
  clock.advance(hour);
  await keys.rotateIfDue();
  expect(keys.tag('form', 'x')).not.toBe(before);
  expect(keys.verify('form', 'x', before)).toBe(true);
  expect(sessions.fromCookie(late.cookie)).toEqual(late.session);
  expect(sessions.fromCookie(cookie)).toBeNull();
  clock.advance(12 * hour);
  await keys.rotateIfDue();
  expect(keys.verify('form', 'x', before)).toBe(false);
  expect(changes.filter(({ kind }) => kind === 'signing-key.added')).toHaveLength(2);
});

test('the cookie key rests sealed', async () => {
  const rows = await store.db.selectFrom('meta').selectAll().execute();
  expect(rows.map(({ value }) => value).join()).toMatch(/^v1\./);
});

test('all sessions of one person end within another change, and nobody else’s', async () => {
  const mine = [await signIn(), await signIn()];
  const hers = await signIn(grace);
  await commit(by, async (tx, record) =>
    endSessions(tx, record, { principalId: ada }, 'password-changed', clock.now()),
  );
  for (const { cookie } of mine) expect(sessions.fromCookie(cookie)).toBeNull();
  expect(sessions.fromCookie(hers.cookie)).toEqual(hers.session);
});

test('a change of password or of the person ends sessions in memory even if nobody closed them', async () => {
  const cases: Change[] = [
    { kind: 'principal.deleted', id: ada, principalKind: 'user' },
    {
      kind: 'credential.added',
      principal: ada,
      credential: { id: 'x', kind: 'password', hint: 'password' },
    },
    {
      kind: 'principal.updated',
      principal: {
        id: ada,
        kind: 'user',
        displayName: 'x',
        enabled: false,
        sponsorId: null,
        signInName: 'x',
      },
    },
  ];
  for (const change of cases) {
    const { cookie } = await signIn();
    sessions.follower([{ sequence: 1, previous: 0, change, event }]);
    expect(sessions.fromCookie(cookie)).toBeNull();
  }
});

test('a session that another process opened or closed is known from the feed', async () => {
  const session = {
    id: 'ses_other' as SessionId,
    principalId: ada,
    createdAt: clock.now(),
    expiresAt: clock.now() + hour,
    authenticationMethods: ['pwd'],
  };
  sessions.follower([{ sequence: 1, previous: 0, event, change: { kind: 'session.opened', session } }]);
  expect(sessions.find(session.id)).toEqual(session);
  sessions.follower([
    { sequence: 2, previous: 1, event, change: { kind: 'session.closed', session, reason: 'x' } },
  ]);
  expect(sessions.find(session.id)).toBeNull();
});
