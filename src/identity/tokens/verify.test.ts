import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { jwtVerify, createLocalJWKSet, decodeJwt } from 'jose';
import { newGuid, newLeaseId, type PrincipalId } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { issuer, openIdentityRoom, tenantId, type IdentityRoom } from '../testing/identity-room.ts';
import { TokenVerifier } from './verify.ts';

let room: IdentityRoom;
let ada: PrincipalRecord;
let good: string;
let verifier: TokenVerifier;
const audience = 'https://management.azure.com/';
const audiences = [audience, 'https://management.core.windows.net/'];

beforeAll(async () => {
  room = await openIdentityRoom();
  ada = await room.person('Ada');
  good = (await issue()).token;
});
afterAll(async () => {
  await room.close();
});
beforeEach(() => {
  verifier = new TokenVerifier({ keys: room.keys, issuer, tenantId, clock: room.clock });
});

function issue(change: Partial<Parameters<IdentityRoom['tokens']['issue']>[0]> = {}) {
  return room.tokens.issue({
    subject: ada,
    audience,
    lifetimeSeconds: 3600,
    chain: [{ kind: 'user', id: ada.id, name: 'Ada' }],
    authorities: [ada.id],
    clientId: 'client',
    idType: 'user',
    ...change,
  });
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(room.clock.now() / 1000);

/** A token with our own key under it: what only a fault of ours could make, and must be refused all the same. */
function forge(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
  const key = room.keys.current();
  const body = { ...decodeJwt(good), ...claims };
  const head = { typ: 'JWT', alg: 'RS256', kid: key.kid, ...header };
  const signed = `${encode(head)}.${encode(body)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

test('accepts its own token and says who is asking', async () => {
  const { token, tokenId, expiresAt } = await issue();
  expect(await verifier.verify(token, audiences)).toEqual({
    tenantId,
    subject: { id: ada.id, kind: 'user', name: 'Ada' },
    chain: [{ kind: 'user', id: ada.id, name: 'Ada' }],
    authorities: [ada.id],
    credential: { kind: 'bearer', tokenId, sessionId: null, leaseId: null, expiresAt },
  });
});

test('an independent library accepts it by the published key set alone', async () => {
  const keySet = createLocalJWKSet(room.keys.publicJwks());
  const { payload } = await jwtVerify(good, keySet, {
    issuer,
    audience,
    currentDate: new Date(room.clock.now()),
  });
  expect(payload).toMatchObject({
    oid: ada.id,
    tid: tenantId,
    idtyp: 'user',
    ver: '1.0',
    upn: ada.signInName,
  });
});

test('a job’s token carries its owner, every actor outermost last, and its lease', async () => {
  const [app, job] = [newGuid() as PrincipalId, newGuid() as PrincipalId];
  const leaseId = newLeaseId(room.clock.now());
  const { token } = await issue({
    chain: [
      { kind: 'user', id: ada.id, name: 'Ada' },
      { kind: 'ci-run', id: 'https://ci#7', name: 'contoso/penguins@main run 7' },
      { kind: 'application', id: app, name: 'CI' },
      { kind: 'job', id: job, name: 'train' },
    ],
    authorities: [ada.id, app, job],
    clientId: job,
    leaseId,
  });
  expect(decodeJwt(token)).toMatchObject({
    sub: ada.id,
    appid: job,
    act: { sub: job, act: { sub: app, act: { sub: 'https://ci#7' } } },
    lockstep_lease: leaseId,
  });
  const caller = await verifier.verify(token, audiences);
  expect(caller.authorities).toEqual([ada.id, app, job]);
  expect(caller.chain.map(({ kind }) => kind)).toEqual(['user', 'ci-run', 'application', 'job']);
  expect(caller.credential.leaseId).toBe(leaseId);
});

test('forgery by our own key shows that each refusal below has its own cause', async () => {
  expect(await verifier.verify(forge(), audiences)).toEqual(await verifier.verify(good, audiences));
});

test.each<[string, () => string]>([
  [
    'alg none without signature',
    () => `${encode({ alg: 'none', typ: 'JWT', kid: room.keys.current().kid })}.${good.split('.')[1]}.`,
  ],
  ['alg none with a signature', () => forge({}, { alg: 'none' })],
  ['another RSA algorithm', () => forge({}, { alg: 'RS512' })],
  ['no typ', () => forge({}, { typ: undefined })],
  ['a refresh or id token’s typ', () => forge({}, { typ: 'at+jwt' })],
  ['no kid', () => forge({}, { kid: undefined })],
  ['an unknown kid', () => forge({}, { kid: 'other' })],
  ['a kid that is a path', () => forge({}, { kid: '../../../../dev/null' })],
  ['a kid that is SQL', () => forge({}, { kid: "x' union select 'a" })],
  ['a jku', () => forge({}, { jku: 'https://evil.example/jwks' })],
  ['an x5u', () => forge({}, { x5u: 'https://evil.example/cert' })],
  ['an x5c', () => forge({}, { x5c: room.keys.publicJwks().keys[0]!.x5c })],
  ['a crit extension', () => forge({}, { crit: ['exp'] })],
  ['an unencoded payload', () => forge({}, { b64: false })],
  ['another issuer', () => forge({ iss: 'https://evil.example' })],
  ['an issuer that begins like ours', () => forge({ iss: `${issuer}.evil.example` })],
  ['an issuer with a slash more', () => forge({ iss: `${issuer}/` })],
  ['a list of issuers', () => forge({ iss: [issuer] })],
  ['no issuer', () => forge({ iss: undefined })],
  ['another audience', () => forge({ aud: 'https://storage.azure.com/' })],
  ['an audience without its slash', () => forge({ aud: 'https://management.azure.com' })],
  ['a list of audiences', () => forge({ aud: [audience] })],
  ['no audience', () => forge({ aud: undefined })],
  ['another tenant', () => forge({ tid: newGuid() })],
  ['an expiry that is a fraction', () => forge({ exp: now() + 10.5 })],
  ['an expiry that is text', () => forge({ exp: String(now() + 10) })],
  ['an expiry beyond time', () => forge({ exp: 1e300 })],
  ['no expiry', () => forge({ exp: undefined })],
  ['a negative time', () => forge({ nbf: -1 })],
  ['a start in the future', () => forge({ nbf: now() + 61 })],
  ['an issue in the future', () => forge({ iat: now() + 61 })],
  ['a subject that is not its object id', () => forge({ sub: newGuid() })],
  ['two client ids', () => forge({ azp: 'other' })],
  ['a subject outside its chain', () => forge({ oid: tenantId, sub: tenantId })],
  ['an empty chain', () => forge({ lockstep_chain: [] })],
  ['no authority', () => forge({ lockstep_auth: [] })],
  ['an actor of no known kind', () => forge({ lockstep_chain: [{ kind: 'root', id: ada.id, name: 'Ada' }] })],
  ['a claim that we do not issue', () => forge({ admin: true })],
  ['a prototype in a claim', () => forge(JSON.parse('{"__proto__":{"admin":true},"constructor":1}'))],
  [
    'an app that claims to be a person',
    () => forge({ lockstep_chain: [{ kind: 'application', id: ada.id, name: 'A' }] }),
  ],
  ['a truncated signature', () => good.slice(0, -8)],
  ['no signature', () => good.slice(0, good.lastIndexOf('.') + 1)],
  ['a signature of stray bits', () => strayBits(good)],
  ['padding', () => `${good}=`],
  ['four parts', () => `${good}.x`],
  ['five parts (encrypted)', () => `${good}.x.y`],
  ['white space', () => `${good} `],
  ['another token’s payload', () => swapped()],
  ['a payload that is not JSON', () => resigned(Buffer.from('{'))],
  ['a payload that is a list', () => resigned(Buffer.from('[]'))],
  ['a payload that is not UTF-8', () => resigned(Buffer.from([0x7b, 0xff, 0x7d]))],
  ['more than 16 KiB', () => forge({ name: 'x'.repeat(17_000) })],
  ['nothing', () => ''],
])('refuses %s', async (_what, make) => {
  const token = make();
  const refused = await verifier.verify(token, audiences).then(
    () => null,
    (error: Error) => error,
  );
  expect(refused).toMatchObject({ code: 'invalid_token' });
  expect(JSON.stringify([refused!.message, refused])).not.toContain(token.slice(-20) || 'nothing');
});

test('refuses HS256 with the public key as the secret', async () => {
  const key = room.keys.current();
  const signed = `${encode({ typ: 'JWT', alg: 'HS256', kid: key.kid })}.${encode(decodeJwt(good))}`;
  const secrets = [
    key.publicKey.export({ type: 'spki', format: 'pem' }),
    key.publicKey.export({ type: 'spki', format: 'der' }),
  ];
  for (const secret of secrets) {
    const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    await expect(verifier.verify(token, audiences)).rejects.toMatchObject({ code: 'invalid_token' });
  }
});

test('refuses a token that brings its own key along', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const kid of [room.keys.current().kid, 'mine']) {
    const header = { typ: 'JWT', alg: 'RS256', kid, jwk: publicKey.export({ format: 'jwk' }) };
    const signed = `${encode(header)}.${encode(decodeJwt(good))}`;
    const token = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
    await expect(verifier.verify(token, audiences)).rejects.toMatchObject({ code: 'invalid_token' });
  }
});

test('refuses another key under a known kid', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = good.slice(0, good.lastIndexOf('.'));
  const token = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  await expect(verifier.verify(token, audiences)).rejects.toThrow(/signature/);
});

test('an expired token is told apart, also when it was remembered', async () => {
  const fresh = await openIdentityRoom();
  try {
    const eve = await fresh.person('Eve');
    const { token } = await fresh.tokens.issue({
      subject: eve,
      audience,
      lifetimeSeconds: 60,
      chain: [{ kind: 'user', id: eve.id, name: 'Eve' }],
      authorities: [eve.id],
      clientId: 'client',
      idType: 'user',
    });
    await fresh.verifier.verify(token, audiences);
    await expect(fresh.verifier.verify(token, ['api://other'])).rejects.toMatchObject({
      code: 'invalid_token',
    });
    fresh.manualClock.advance(59_000);
    await fresh.verifier.verify(token, audiences);
    fresh.manualClock.advance(1_000);
    for (let i = 0; i < 2; i++)
      await expect(fresh.verifier.verify(token, audiences)).rejects.toMatchObject({ code: 'expired_token' });
  } finally {
    await fresh.close();
  }
});

test('whoever gave an expired token to a client of a connection is told how to get a new one; a job is not', async () => {
  const told = (aud: string, more: Record<string, unknown> = {}) =>
    verifier.verify(forge({ aud, iat: now() - 65, nbf: now() - 65, exp: now() - 5, ...more }), [aud]);
  await expect(told('api://lockstep/connections/mlflow')).rejects.toThrow(
    'The access token expired 5 s ago; get a new one: `lockstep token --connection mlflow`.',
  );
  const bare = 'The access token expired 5 s ago; get a new one.';
  await expect(told(audience)).rejects.toThrow(bare);
  await expect(
    told('api://lockstep/connections/mlflow', { lockstep_lease: newLeaseId(room.clock.now()) }),
  ).rejects.toThrow(bare);
});

test('a key that is no longer published takes its tokens along, remembered or not', async () => {
  let published = true;
  const keys = { verificationKey: (kid: string) => (published ? room.keys.verificationKey(kid) : null) };
  const other = new TokenVerifier({ keys, issuer, tenantId, clock: room.clock });
  await other.verify(good, audiences);
  published = false;
  for (let i = 0; i < 2; i++)
    await expect(other.verify(good, audiences)).rejects.toMatchObject({ code: 'invalid_token' });
});

test('remembers no more than it is told to', async () => {
  const small = new TokenVerifier({ keys: room.keys, issuer, tenantId, clock: room.clock, remembered: 2 });
  const tokens = await Promise.all([issue(), issue(), issue()]);
  const first = await small.verify(tokens[0].token, audiences);
  expect(await small.verify(tokens[0].token, audiences)).toBe(first);
  await small.verify(tokens[1].token, audiences);
  await small.verify(tokens[2].token, audiences);
  expect(await small.verify(tokens[0].token, audiences)).not.toBe(first);
});

function resigned(payload: Buffer): string {
  const key = room.keys.current();
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', kid: key.kid })}.${payload.toString('base64url')}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

function swapped(): string {
  const [header, , signature] = good.split('.');
  return `${header}.${encode({ ...decodeJwt(good), oid: newGuid() })}.${signature}`;
}

/** 256 bytes end in a character of which four bits mean nothing: other spellings of the same signature. */
function strayBits(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.at(-1)!);
  return token.slice(0, -1) + alphabet.charAt(last | 1);
}
