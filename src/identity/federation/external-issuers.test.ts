import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportJWK, generateKeyPair } from 'jose';
import { ManualClock } from '../../lib/clock.ts';
import { startCiIssuer, type CiIssuer } from '../testing/ci-issuer.ts';
import { startOfTests } from '../testing/identity-room.ts';
import { ExternalIssuers } from './external-issuers.ts';
import { readAssertion, verifyOutsideToken } from './outside-token.ts';

let ci: CiIssuer;
let clock: ManualClock;
let issuers: ExternalIssuers;

beforeEach(async () => {
  clock = new ManualClock(startOfTests);
  ci = await startCiIssuer(() => clock.now());
  issuers = new ExternalIssuers({ clock, timeoutSeconds: 2 });
});
afterEach(async () => {
  await ci.close();
});

async function verify(token: string) {
  return verifyOutsideToken(readAssertion(token), issuers, clock);
}
const seconds = () => Math.floor(clock.now() / 1000);

test('verifies a token by the keys that its issuer publishes, fetched once', async () => {
  for (let i = 0; i < 3; i++)
    expect(await verify(await ci.token())).toMatchObject({ repository_id: '424242' });
  expect(ci.requests).toEqual(['/.well-known/openid-configuration', '/jwks']);
});

test('many at the same time cause one fetch', async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, () => ci.token()));
  await Promise.all(tokens.map(verify));
  expect(ci.requests).toHaveLength(2);
});

test.each(['RS384', 'RS512', 'PS256', 'ES256', 'ES384'])('accepts %s', async (algorithm) => {
  const key = await ci.addKey(algorithm, `key-${algorithm}`);
  const claims = { iss: ci.issuer, sub: 's', aud: 'a', exp: seconds() + 60 };
  await expect(
    verify(await ci.sign(claims, key, { alg: algorithm, kid: `key-${algorithm}` })),
  ).resolves.toBeDefined();
});

test('a new key is found as soon as it is used, but unknown keys do not make us hammer the issuer', async () => {
  await verify(await ci.token());
  clock.advance(31_000);
  const key = await ci.addKey('RS256', 'ci-2');
  const claims = { iss: ci.issuer, sub: 's', aud: 'a', exp: seconds() + 60 };
  await expect(verify(await ci.sign(claims, key, { alg: 'RS256', kid: 'ci-2' }))).resolves.toBeDefined();
  const fetched = ci.requests.length;
  for (let i = 0; i < 10; i++)
    await expect(verify(await ci.token({}, { kid: `unknown-${i}` }))).rejects.toThrow(/publishes no key/);
  expect(ci.requests).toHaveLength(fetched);
});

test('lives through an outage on the keys it has, for a bounded time, and says what is wrong', async () => {
  await verify(await ci.token());
  ci.misbehave = { status: 503 };
  clock.advance(59 * 60_000);
  await expect(verify(await ci.token())).resolves.toBeDefined();
  clock.advance(60_000);
  await expect(verify(await ci.token())).rejects.toMatchObject({
    code: 'invalid_client',
    publicMessage: expect.stringMatching(/cannot be had at the moment.*answered 503/) as string,
    details: { temporary: true },
  });
  ci.misbehave = {};
  clock.advance(31_000);
  await expect(verify(await ci.token())).resolves.toBeDefined();
});

test('a key that its issuer withdrew is no longer trusted once the key set is fetched again', async () => {
  const token = await ci.token();
  await verify(token);
  ci.keys = [];
  clock.advance(10 * 60_000);
  await expect(verify(await ci.token())).rejects.toThrow(/publishes no key/);
});

test.each<[string, CiIssuer['misbehave'], RegExp]>([
  ['names another issuer', { discovery: { issuer: 'https://evil.example' } }, /another issuer/],
  ['has its keys at a file', { discovery: { jwks_uri: 'file:///etc/passwd' } }, /https address/],
  [
    'has its keys at plain http elsewhere',
    { discovery: { jwks_uri: 'http://169.254.169.254/keys' } },
    /https address/,
  ],
  ['redirects', { redirectTo: 'http://127.0.0.1:1/' }, /answered 302/],
  ['answers without end', { bytes: 600_000 }, /more than 524288 bytes/],
  ['has no form', { discovery: { jwks_uri: 7 } }, /form of its standard/],
])('refuses an issuer whose discovery document %s', async (_what, misbehaviour, message) => {
  ci.misbehave = misbehaviour;
  await expect(verify(await ci.token())).rejects.toThrow(message);
});

test('an issuer that is not there is a clear and temporary error', async () => {
  const token = await ci.token();
  await ci.close();
  await expect(verify(token)).rejects.toMatchObject({
    code: 'invalid_client',
    publicMessage: expect.stringContaining('cannot be reached') as string,
  });
  ci = await startCiIssuer();
});

test('never fetches what is neither https nor on this machine', async () => {
  const other = new ExternalIssuers({ clock });
  await expect(other.key('http://10.0.0.1', 'RS256', 'x')).rejects.toThrow(/no https address/);
  await expect(other.key('file:///etc/passwd', 'RS256', 'x')).rejects.toThrow(/no https address/);
});

test('two keys of one id are refused', async () => {
  ci.keys.push({
    ...(await exportJWK((await generateKeyPair('RS256', { extractable: true })).publicKey)),
    kid: 'ci-1',
  });
  await expect(verify(await ci.token())).rejects.toThrow(/more than one key/);
});

test('a key is used only for what it is published for', async () => {
  ci.keys = ci.keys.map((key) => ({ ...key, use: 'enc' }));
  await expect(verify(await ci.token())).rejects.toThrow(/not for RS256/);
  ci.keys = ci.keys.map((key) => ({ ...key, use: 'sig', alg: 'PS256' }));
  clock.advance(601_000);
  await expect(verify(await ci.token())).rejects.toThrow(/not for RS256/);
});

test('algorithm confusion fails: none, HS256 with the public key, an EC header on an RSA key', async () => {
  const [header, payload, signature] = (await ci.token()).split('.');
  const withHeader = (alg: string) => Buffer.from(JSON.stringify({ alg, kid: 'ci-1' })).toString('base64url');
  for (const alg of ['none', 'HS256', 'ES256', 'RS1', 'rs256'])
    await expect(verify(`${withHeader(alg)}.${payload}.${signature}`)).rejects.toMatchObject({
      code: 'invalid_client',
    });
  const signed = `${withHeader('HS256')}.${payload}`;
  const mac = createHmac('sha256', JSON.stringify(ci.keys[0])).update(signed).digest('base64url');
  await expect(verify(`${signed}.${mac}`)).rejects.toThrow(/algorithm/);
  expect(header).toBeDefined();
});

test('takes times with a fraction of a second, as MSAL for Python sends them', async () => {
  await expect(
    verify(await ci.token({ exp: seconds() + 60.5, iat: seconds() - 0.25 })),
  ).resolves.toBeDefined();
});

test.each<[string, () => Promise<string>]>([
  [
    'signed by a stranger under a known kid',
    async () => {
      const { privateKey } = await generateKeyPair('RS256');
      return ci.sign({ iss: ci.issuer, sub: 's', aud: 'a', exp: seconds() + 60 }, privateKey, {
        alg: 'RS256',
        kid: 'ci-1',
      });
    },
  ],
  ['that expired', () => ci.token({ exp: seconds() })],
  ['that starts later', () => ci.token({ nbf: seconds() + 61 })],
  ['issued in the future', () => ci.token({ iat: seconds() + 61 })],
  ['good for more than a day', () => ci.token({ exp: seconds() + 86_461 })],
  ['that expired a fraction of a second ago', () => ci.token({ exp: seconds() + 0.5 })],
  ['without expiry', () => ci.token({ exp: undefined })],
  ['for two audiences', () => ci.token({ aud: ['api://AzureADTokenExchange', 'https://other'] })],
  ['without audience', () => ci.token({ aud: [] })],
  ['from a list of issuers', () => ci.token({ iss: [ci.issuer] })],
  ['without kid', () => ci.token({}, { kid: undefined })],
  [
    'with a critical extension',
    async () => {
      const [, payload, signature] = (await ci.token()).split('.');
      const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'ci-1', crit: ['x'], x: 1 })).toString(
        'base64url',
      );
      return `${header}.${payload}.${signature}`;
    },
  ],
  ['that is too long', () => ci.token({ padding: 'x'.repeat(17_000) })],
  ['in two parts', async () => (await ci.token()).split('.').slice(0, 2).join('.')],
  ['with an empty signature', async () => `${(await ci.token()).split('.').slice(0, 2).join('.')}.`],
])('refuses a token %s, and never repeats it', async (_what, make) => {
  const token = await make();
  const refused = await Promise.resolve()
    .then(() => verify(token))
    .then(
      () => null,
      (error: Error) => error,
    );
  expect(refused).toMatchObject({ code: 'invalid_client' });
  expect(refused!.message).not.toContain(token.slice(-30));
});
