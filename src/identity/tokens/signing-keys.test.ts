import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSealer } from '../../store/sealer.ts';
import {
  by,
  openIdentityRoom,
  sealer,
  tenantId,
  testRotation,
  type IdentityRoom,
} from '../testing/identity-room.ts';
import { SigningKeys } from './signing-keys.ts';
import { tokenKeyKind } from './token-key-kind.ts';

let room: IdentityRoom;
const hour = 3_600_000;

beforeEach(async () => {
  room = await openIdentityRoom();
});
afterEach(async () => {
  await room.close();
});

function options() {
  return {
    kind: tokenKeyKind,
    store: room.store,
    commit: room.feed.commit,
    clock: room.clock,
    sealer,
    tenantId,
    rotation: testRotation,
  };
}

test('publishes keys in Entra’s shape, with a certificate around the same key', () => {
  const [jwk] = room.keys.publicJwks().keys;
  expect(jwk).toMatchObject({ kty: 'RSA', use: 'sig', alg: 'RS256', e: 'AQAB' });
  const certificate = new X509Certificate(Buffer.from(jwk!.x5c[0]!, 'base64'));
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.subject).toBe(`CN=lockstep ${tenantId}`);
  expect(certificate.publicKey.export({ format: 'jwk' })).toMatchObject({ n: jwk!.n, e: jwk!.e });
  const thumbprint = Buffer.from(certificate.fingerprint.replaceAll(':', ''), 'hex').toString('base64url');
  expect(jwk!.x5t).toBe(thumbprint);
  expect(jwk!.kid).toBe(thumbprint);
  expect(Object.keys(jwk!)).not.toContain('d');
});

test('the private half rests sealed, and does not open under another sealing key', async () => {
  const [row] = await room.store.db.selectFrom('signing_keys').selectAll().execute();
  const { d } = room.keys.current().privateKey.export({ format: 'jwk' });
  expect(JSON.stringify(row)).not.toContain(d);
  await expect(SigningKeys.open({ ...options(), sealer: createSealer(Buffer.alloc(32, 8)) })).rejects.toThrow(
    /does not open with this key/,
  );
});

test('a key is published before it signs, and stays published until its last token has expired', async () => {
  const first = room.keys.current().kid;
  let rotations = 0;
  room.keys.onRotation(() => rotations++);
  room.manualClock.advance(22 * hour);
  await room.keys.rotateIfDue();
  expect(room.keys.publicJwks().keys).toHaveLength(1);
  room.manualClock.advance(1.5 * hour);
  await room.keys.rotateIfDue();
  const second = room.keys
    .publicJwks()
    .keys.map(({ kid }) => kid)
    .find((kid) => kid !== first);
  expect(second).toMatch(/./);
  expect(rotations).toBe(1);
  expect(room.keys.current().kid).toBe(first);
  room.manualClock.advance(0.5 * hour);
  expect(room.keys.current().kid).toBe(second);
  expect(room.keys.verificationKey(first)).not.toBeNull();
  room.manualClock.advance(2 * hour + 59_000);
  expect(room.keys.verificationKey(first)).not.toBeNull();
  room.manualClock.advance(1_000);
  expect(room.keys.verificationKey(first)).toBeNull();
  await room.keys.rotateIfDue();
  expect(room.feed.changes.at(-1)).toMatchObject({ kind: 'signing-key.retired', kid: first });
  expect(await room.store.db.selectFrom('signing_keys').select('kid').execute()).toEqual([{ kid: second }]);
});

test('two processes that rotate at the same time make one key', async () => {
  const other = await SigningKeys.open(options());
  room.manualClock.advance(23.5 * hour);
  await Promise.all([room.keys.rotateIfDue(), other.rotateIfDue()]);
  await room.keys.rotateIfDue();
  expect(room.keys.publicJwks().keys).toHaveLength(2);
  expect(other.publicJwks()).toEqual(room.keys.publicJwks());
  expect(room.feed.kinds().filter((kind) => kind === 'signing-key.added')).toHaveLength(2);
});

test('after a long sleep the issuer makes a key on the spot instead of signing with a lapsed one', async () => {
  const first = room.keys.current().kid;
  room.manualClock.advance(30 * 24 * hour);
  expect(() => room.keys.current()).toThrow(/overdue/);
  const signer = await room.keys.signer();
  expect(signer.kid).not.toBe(first);
  expect(room.keys.publicJwks().keys.map(({ kid }) => kid)).toEqual([signer.kid]);
});

test('a restart finds the same keys', async () => {
  const again = await SigningKeys.open(options());
  expect(again.publicJwks()).toEqual(room.keys.publicJwks());
  expect(again.current().kid).toBe(room.keys.current().kid);
});

test('a token that would outlive the publication of its key is never issued', async () => {
  const ada = await room.person('Ada');
  const request = {
    subject: ada,
    audience: 'api://lockstep',
    chain: [{ kind: 'user', id: ada.id, name: 'Ada' }],
    authorities: [ada.id],
    clientId: 'x',
    idType: 'user',
  } as const;
  await expect(room.tokens.issue({ ...request, lifetimeSeconds: 7201 })).rejects.toThrow(RangeError);
  const { token } = await room.tokens.issue({ ...request, lifetimeSeconds: 7200 });
  expect(token).toMatch(/^eyJ/);
  expect(by.chain).toHaveLength(1);
});
