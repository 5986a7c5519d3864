import { createHmac } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import type { PrincipalId, SessionId } from '../../lib/ids.ts';
import type { SessionRecord } from '../../store/changes.ts';
import { beginConnectionSignIn, ConnectionSignIns, isOnwardPath } from './connection-sign-ins.ts';

const session: SessionRecord = {
  id: 'ses_ada' as SessionId,
  principalId: '22222222-2222-4222-8222-222222222222' as PrincipalId,
  createdAt: 0,
  expiresAt: 1e13,
  authenticationMethods: ['pwd'],
};
const tag = (purpose: string, text: string) =>
  createHmac('sha256', 'a key').update(`${purpose}\0${text}`).digest('base64url');

let clock: ManualClock;
let open: SessionRecord | null;
let signIns: ConnectionSignIns;

beforeEach(() => {
  clock = new ManualClock(1_800_000_000_000);
  open = session;
  signIns = make();
});

function make(): ConnectionSignIns {
  const touch = (id: SessionId) => (id === open?.id ? open : null);
  const keys = {
    tag,
    verify: (purpose: string, text: string, given: string) => tag(purpose, text) === given,
  };
  return new ConnectionSignIns({ keys, sessions: { touch }, clock });
}

const codeFor = (state: string, connection = 'lab', path = '/page') =>
  signIns.code(session.id, connection, state, path);

test('a code is a cookie and a path for the browser that began, at the connection that it is for, once', () => {
  const { secret, state } = beginConnectionSignIn(null);
  const code = codeFor(state);
  expect(signIns.redeem(code, 'other', secret)).toBeNull();
  expect(signIns.redeem(code, 'lab', null)).toBeNull();
  expect(signIns.redeem(code, 'lab', beginConnectionSignIn(null).secret)).toBeNull();
  expect(signIns.redeem(code, 'lab', state)).toBeNull();
  const redeemed = signIns.redeem(code, 'lab', secret);
  expect(redeemed).toMatchObject({ path: '/page', session });
  expect(signIns.redeem(code, 'lab', secret)).toBeNull();
  expect(signIns.fromCookie(redeemed?.cookie ?? '', 'lab')).toEqual(session);
  expect(signIns.fromCookie(redeemed?.cookie ?? '', 'other')).toBeNull();
});

test('a code is worth nothing after a minute, nor once the sign-in has ended', () => {
  const { secret, state } = beginConnectionSignIn(null);
  const late = codeFor(state);
  clock.advance(59_999);
  expect(signIns.redeem(codeFor(state), 'lab', secret)).not.toBeNull();
  clock.advance(1);
  expect(signIns.redeem(late, 'lab', secret)).toBeNull();
  const code = codeFor(state);
  open = null;
  expect(signIns.redeem(code, 'lab', secret)).toBeNull();
});

test('a cookie ends with the sign-in', () => {
  const { secret, state } = beginConnectionSignIn(null);
  const { cookie = '' } = signIns.redeem(codeFor(state), 'lab', secret) ?? {};
  expect(signIns.fromCookie(cookie, 'lab')).toEqual(session);
  open = null;
  expect(signIns.fromCookie(cookie, 'lab')).toBeNull();
});

test('nothing that was not made here is a code or a cookie', () => {
  const { secret, state } = beginConnectionSignIn(null);
  const [payload = '', signature = ''] = codeFor(state).split('.');
  const changed = Buffer.from(payload, 'base64url').toString('utf8').replace('"lab"', '"other"');
  const forged = Buffer.from(changed).toString('base64url');
  for (const code of [
    '',
    '.',
    payload,
    `${payload}.`,
    `.${signature}`,
    `${forged}.${signature}`,
    `${payload}.${signature}.x`,
  ]) {
    expect(signIns.redeem(code, 'other', secret)).toBeNull();
    expect(signIns.redeem(code, 'lab', secret)).toBeNull();
  }
  // Each purpose has tags of its own: a session cookie, a form, a code are not a connection's cookie.
  const text = `lab\0${session.id}`;
  for (const purpose of ['session-cookie', 'form', 'connection-code']) {
    expect(signIns.fromCookie(`${session.id}.${tag(purpose, text)}`, 'lab')).toBeNull();
  }
  expect(signIns.fromCookie(`${session.id}.${tag('session-cookie', session.id)}`, 'lab')).toBeNull();
  expect(signIns.fromCookie(`${session.id}.${tag('connection-cookie', text)}`, 'lab')).toEqual(session);
  expect(signIns.fromCookie(`${session.id}.${tag('connection-cookie', text)}.x`, 'lab')).toBeNull();
});

test('two pages that are opened at once share the way; what is no secret of ours does not become one', () => {
  const first = beginConnectionSignIn(null);
  expect(beginConnectionSignIn(first.secret)).toEqual(first);
  for (const planted of ['', 'x', 'a'.repeat(33), `${'a'.repeat(31)}!`, `${'a'.repeat(32)}\n`]) {
    expect(beginConnectionSignIn(planted).secret).toMatch(/^[\w-]{32}$/);
    expect(beginConnectionSignIn(planted).secret).not.toBe(planted);
  }
});

test.each([
  ['/', true],
  ['/lab/tree?file=a.ipynb&x=%2F', true],
  ['/#/experiments', true],
  ['', false],
  ['lab', false],
  ['//evil.example', false],
  ['/\\evil.example', false],
  ['/a\\b', false],
  ['/\t/evil.example', false],
  ['/\r\nset-cookie: x', false],
  ['/a b', false],
  ['/é', false],
  [`/${'a'.repeat(2_048)}`, false],
])('a browser is sent on to %j: %s', (path, onward) => {
  expect(isOnwardPath(path)).toBe(onward);
});
