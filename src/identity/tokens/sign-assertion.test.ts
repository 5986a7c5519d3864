import { generateKeyPairSync, sign, verify as fits } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  openIdentityRoom,
  sealer,
  tenantId,
  testRotation,
  type IdentityRoom,
} from '../testing/identity-room.ts';
import { assertionKeyKind, type AssertionJwk } from './assertion-key-kind.ts';
import { assertionSigner, p1363FromDer } from './sign-assertion.ts';
import { SigningKeys } from './signing-keys.ts';
import { TokenVerifier } from './verify.ts';

let room: IdentityRoom;
let keys: SigningKeys<AssertionJwk>;
beforeEach(async () => {
  room = await openIdentityRoom();
  const { store, clock } = room;
  const { commit } = room.feed;
  const kind = assertionKeyKind;
  keys = await SigningKeys.open({ kind, store, commit, clock, sealer, tenantId, rotation: testRotation });
});
afterEach(async () => {
  await room.close();
});

const days = 86_400_000;

test('a statement of identity is verified with what is published, by its type', async () => {
  const sign = assertionSigner(keys);
  const jwks = createLocalJWKSet(keys.publicJwks());
  const verify = async (text: string) =>
    (await jwtVerify(text, jwks, { typ: 'lockstep-assertion+jwt', algorithms: ['ES256'] })).payload;
  for (const name of ['Ada', 'Zoë “Z” Łę\u2028', '\u{1f469}‍\u{1f52c}']) {
    expect(await verify(await sign({ aud: 'mlflow', name }))).toEqual({ aud: 'mlflow', name });
  }
  const [header = '', payload = ''] = (await sign({ aud: 'mlflow' })).split('.');
  const [, , signature = ''] = (await sign({ aud: 'other' })).split('.');
  await expect(verify(`${header}.${payload}.${signature}`)).rejects.toThrow(/signature/);
});

test('a signature keeps its meaning in the other form, short and long numbers in it', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const lengths = new Set<number>();
  for (let i = 0; i < 3_000; i++) {
    const data = Buffer.from(`${i}`);
    const der = sign('sha256', data, privateKey);
    lengths.add(der.length);
    expect(fits('sha256', data, key, p1363FromDer(der))).toBe(true);
  }
  // 70 to 72 are common; of the shorter ones one in two hundred is.
  expect(Math.min(...lengths)).toBeLessThan(70);
});

test('the key that signs is named, the next one too when its time has come', async () => {
  const sign = assertionSigner(keys);
  const first = decodeProtectedHeader(await sign({})).kid;
  expect(first).toBe(keys.publicJwks().keys[0]?.kid);
  room.manualClock.advance(30 * days);
  const second = decodeProtectedHeader(await sign({})).kid;
  expect(second).not.toBe(first);
  expect(keys.publicJwks().keys.map(({ kid }) => kid)).toEqual([second]);
});

test('keys of the two kinds do not stand in for each other, nor retire each other', async () => {
  const published = (of: { publicJwks(): { keys: { kid: string }[] } }) =>
    of.publicJwks().keys.map(({ kid }) => kid);
  const [token = ''] = published(room.keys);
  const [assertion = ''] = published(keys);
  expect(keys.verificationKey(token)).toBeNull();
  expect(room.keys.verificationKey(assertion)).toBeNull();
  expect(keys.publicJwks().keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
  expect(Object.keys(keys.publicJwks().keys[0] ?? {})).not.toContain('d');
  room.manualClock.advance(30 * days);
  await keys.rotateIfDue();
  const rows = await room.store.db.selectFrom('signing_keys').select(['kid', 'algorithm']).execute();
  expect(rows.filter(({ algorithm }) => algorithm === 'RS256')).toEqual([{ kid: token, algorithm: 'RS256' }]);
  expect(rows.filter(({ algorithm }) => algorithm === 'ES256')).toHaveLength(1);
  await room.keys.rotateIfDue();
  expect(published(room.keys)).toHaveLength(1);
  expect(published(room.keys)).not.toContain(token);
});

test('a statement of identity is no access token, whatever it says', async () => {
  const verifier = new TokenVerifier({ keys: room.keys, issuer: 'i', tenantId, clock: room.clock });
  const text = await assertionSigner(keys)({ iss: 'i', aud: 'api://lockstep' });
  await expect(verifier.verify(text, ['api://lockstep'])).rejects.toMatchObject({ code: 'invalid_token' });
});
