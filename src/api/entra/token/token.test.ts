import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newGuid } from '../../../lib/ids.ts';
import { makeCertificate } from '../../../identity/testing/certificates.ts';
import { by, tenantId } from '../../../identity/testing/identity-room.ts';
import { startTokenService, type Answer, type TokenService } from '../testing/token-room.ts';

let service: TokenService;
const arm = 'https://management.azure.com/.default';
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

beforeEach(async () => {
  service = await startTokenService({ time: 'manual' });
});
afterEach(async () => {
  await service.close();
});

const base = () => ({
  grant_type: 'client_credentials',
  client_id: service.application.clientId,
  scope: arm,
});

async function newSecret(): Promise<string> {
  return (await service.room.directory.addSecret(by, service.application.id, {})).secret;
}

/** Status, `error` and AADSTS number of a refusal that is in Entra's form throughout; else throws. */
function refusalOf({ status, headers, body }: Answer): [number, unknown, unknown] {
  const [code] = Array.isArray(body['error_codes']) ? (body['error_codes'] as unknown[]) : [];
  const form = new RegExp(
    `^AADSTS${String(code)}: .* Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ$`,
  );
  if (
    headers['content-type'] !== 'application/json; charset=utf-8' ||
    !form.test(String(body['error_description']))
  )
    throw new Error(`not a refusal in Entra's form: ${status} ${JSON.stringify(body)}`);
  return [status, body['error'], code];
}

test('answers a secret with a token in the fields that clients read, and records it first', async () => {
  const client_secret = await newSecret();
  const { status, headers, body } = await service.post({ ...base(), client_secret });
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'cache-control': 'no-store' });
  expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'ext_expires_in', 'token_type']);
  const claims = decodeJwt(String(body['access_token']));
  expect(claims.exp! - claims.iat!).toBe(3600);
  expect(service.facts).toMatchObject([
    {
      kind: 'authentication',
      activity: 'token-issue',
      succeeded: true,
      principalId: service.application.id,
      method: 'client-secret',
      audience: 'https://management.azure.com',
      tokenId: claims['uti'],
      expiresAt: claims.exp,
    },
  ]);
  const recorded = JSON.stringify(service.facts);
  expect(recorded).not.toContain(client_secret);
  expect(recorded).not.toContain(String(body['access_token']));
});

test('answers the first endpoint as the first endpoint did', async () => {
  const client_secret = await newSecret();
  const { scope: _scope, ...form } = base();
  const { body } = await service.post(
    { ...form, resource: 'https://management.core.windows.net/', client_secret },
    { path: `/${tenantId}/oauth2/token` },
  );
  expect(body).toMatchObject({ expires_in: '3600', resource: 'https://management.core.windows.net/' });
  expect(decodeJwt(String(body['access_token'])).aud).toBe('https://management.core.windows.net/');
});

test('the life of a token is the application’s own where it has one', async () => {
  const { directory } = service.room;
  const short = await directory.createApplication(by, {
    displayName: 'Short',
    sponsorId: service.sponsor.id,
    accessTokenSeconds: 15,
  });
  const { secret } = await directory.addSecret(by, short.id, {});
  const { body } = await service.post({ ...base(), client_id: short.signInName!, client_secret: secret });
  expect(body['expires_in']).toBe(15);
});

test.each<[string, Record<string, string | undefined>, number, string, number]>([
  ['no grant type', { grant_type: undefined }, 400, 'invalid_request', 900144],
  ['a grant that is not known', { grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
  [
    'an interactive grant without that part',
    { grant_type: 'authorization_code' },
    400,
    'unsupported_grant_type',
    70003,
  ],
  ['no client', { client_id: undefined }, 400, 'invalid_request', 900144],
  ['an unknown client', { client_id: newGuid() }, 400, 'unauthorized_client', 700016],
  ['a client id that is no GUID', { client_id: "' or 1=1 --" }, 400, 'unauthorized_client', 700016],
  ['no credential', {}, 401, 'invalid_client', 7000218],
  ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 7000215],
  ['an empty secret', { client_secret: '' }, 401, 'invalid_client', 7000215],
  ['an endless secret', { client_secret: 'x'.repeat(60_000) }, 401, 'invalid_client', 7000215],
  ['two credentials', { client_secret: 'x', client_assertion: 'y' }, 400, 'invalid_request', 7000216],
  ['an assertion without its type', { client_assertion: 'a.b.c' }, 400, 'invalid_request', 50027],
  [
    'an assertion that is no token',
    { client_assertion: 'abc', client_assertion_type: assertionType },
    401,
    'invalid_client',
    50027,
  ],
  ['no scope', { client_secret: 'x', scope: undefined }, 400, 'invalid_request', 900144],
  [
    'a scope without /.default',
    { client_secret: 'x', scope: 'https://management.azure.com/user_impersonation' },
    400,
    'invalid_scope',
    1002012,
  ],
  ['nothing but /.default', { client_secret: 'x', scope: '/.default' }, 400, 'invalid_scope', 1002012],
  [
    'two resources',
    { client_secret: 'x', scope: `${arm} https://storage.azure.com/.default` },
    400,
    'invalid_scope',
    28000,
  ],
  ['several scopes', { client_secret: 'x', scope: `user.read ${arm}` }, 400, 'invalid_scope', 70011],
  ['scopes of people alone', { client_secret: 'x', scope: 'openid profile' }, 400, 'invalid_request', 900144],
  [
    'an unknown resource',
    { client_secret: 'x', scope: 'https://evil.example/.default' },
    400,
    'invalid_target',
    500011,
  ],
])('refuses %s in Entra’s words, and records the refusal', async (_what, change, status, error, code) => {
  const form = Object.fromEntries(
    Object.entries({ ...base(), ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
  const answer = await service.post(form, {
    headers: { 'client-request-id': '0a0a0a0a-1111-4222-8333-444444444444' },
  });
  expect(refusalOf(answer)).toEqual([status, error, code]);
  expect(answer.body['correlation_id']).toBe('0a0a0a0a-1111-4222-8333-444444444444');
  const recorded = form['grant_type'] === 'client_credentials' ? [String(code)] : [];
  expect(
    service.facts.map((fact) => fact.kind === 'authentication' && !fact.succeeded && fact.detail['aadsts']),
  ).toEqual(recorded);
});

test('keeps the spelling of a resource: aud is what was asked for', async () => {
  const client_secret = await newSecret();
  for (const resource of [
    'https://management.azure.com',
    'https://management.azure.com/',
    'https://storage.azure.com/',
    'https://labstore.blob.localhost:8443',
    'https://ml.azure.com',
    'api://lockstep',
    '797f4846-ba00-4fd7-ba43-dac1f8f63013',
    service.publicUrl,
  ]) {
    const { body } = await service.post({ ...base(), client_secret, scope: `${resource}/.default` });
    expect(decodeJwt(String(body['access_token'])).aud).toBe(resource);
  }
});

test('lets pass what MSAL for Go asks for beside the resource, and issues nothing for it', async () => {
  const client_secret = await newSecret();
  const scope = `${arm} openid offline_access profile`;
  const { status, body } = await service.post({ ...base(), client_secret, scope });
  expect(status).toBe(200);
  expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'ext_expires_in', 'token_type']);
  expect(decodeJwt(String(body['access_token'])).aud).toBe('https://management.azure.com');
});

test('guessing secrets is slowed down per client and source, with Retry-After, and a right secret in use still works', async () => {
  const client_secret = await newSecret();
  expect((await service.post({ ...base(), client_secret })).status).toBe(200);
  for (let i = 0; i < 5; i++)
    expect((await service.post({ ...base(), client_secret: `wrong${i}` })).status).toBe(401);
  const locked = await service.post({ ...base(), client_secret: 'wrong' });
  expect(refusalOf(locked)).toEqual([429, 'slow_down', 50196]);
  expect(locked.headers['retry-after']).toBe('30');
  expect((await service.post({ ...base(), client_secret })).status).toBe(200);
  const elsewhere = await service.post(
    { ...base(), client_secret: 'wrong' },
    { remoteAddress: '198.51.100.9' },
  );
  expect(elsewhere.status).toBe(401);
});

test('a secret stops working when it expires or is removed, also one that was just used', async () => {
  const { directory } = service.room;
  const expiresAt = service.room.clock.now() + 60_000;
  const { id, secret } = await directory.addSecret(by, service.application.id, { expiresAt });
  expect((await service.post({ ...base(), client_secret: secret })).status).toBe(200);
  service.room.manualClock.advance(60_000);
  expect(refusalOf(await service.post({ ...base(), client_secret: secret }))).toEqual([
    401,
    'invalid_client',
    7000222,
  ]);
  const other = await newSecret();
  expect((await service.post({ ...base(), client_secret: other })).status).toBe(200);
  const [stored] = (await directory.secretsOf(service.application.id)).filter((each) => each.id !== id);
  await directory.removeCredential(by, service.application.id, stored!.id);
  expect(refusalOf(await service.post({ ...base(), client_secret: other }))).toEqual([
    401,
    'invalid_client',
    7000215,
  ]);
});

test('one application’s secret does not open another', async () => {
  const client_secret = await newSecret();
  expect((await service.post({ ...base(), client_secret })).status).toBe(200);
  const other = await service.room.application('Other', service.sponsor.id);
  const answer = await service.post({ ...base(), client_id: other.signInName!, client_secret });
  expect(refusalOf(answer)).toEqual([401, 'invalid_client', 7000215]);
});

test.each<[string, () => Promise<unknown>]>([
  ['the application is disabled', () => service.room.directory.setEnabled(by, service.application.id, false)],
  ['its person is disabled', () => service.room.directory.setEnabled(by, service.sponsor.id, false)],
  ['its person is deleted', () => service.room.directory.deletePrincipal(by, service.sponsor.id)],
])('no token when %s', async (_what, event) => {
  const client_secret = await newSecret();
  await event();
  expect(refusalOf(await service.post({ ...base(), client_secret }))).toEqual([
    400,
    'unauthorized_client',
    7000112,
  ]);
});

test('a public client cannot sign in by itself', async () => {
  const app = await service.room.directory.createApplication(by, {
    displayName: 'CLI',
    sponsorId: service.sponsor.id,
    publicClient: true,
  });
  const answer = await service.post({ ...base(), client_id: app.signInName!, client_secret: 'x' });
  expect(refusalOf(answer)).toEqual([400, 'unauthorized_client', 700025]);
});

test('HTTP Basic must agree with the body, and be well-formed', async () => {
  const client_secret = await newSecret();
  const basic = (text: string) => ({
    headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` },
  });
  const good = basic(`${service.application.clientId}:${client_secret}`);
  expect((await service.post(base(), good)).status).toBe(200);
  expect(refusalOf(await service.post({ ...base(), client_secret }, good))).toEqual([
    400,
    'invalid_request',
    7000216,
  ]);
  expect(refusalOf(await service.post({ ...base(), client_id: newGuid() }, good))).toEqual([
    400,
    'invalid_request',
    900144,
  ]);
  expect(refusalOf(await service.post(base(), basic('%zz:x')))).toEqual([400, 'invalid_request', 900144]);
});

// Certificates

const own = makeCertificate({ now: Date.parse('2027-01-15') });

function certificateAssertion(
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key = own.privateKey,
): Promise<string> {
  const now = Math.floor(service.room.clock.now() / 1000);
  return new SignJWT({
    iss: service.application.clientId,
    sub: service.application.clientId,
    aud: `${service.publicUrl}/${tenantId}/oauth2/v2.0/token`,
    nbf: now,
    exp: now + 600,
    jti: newGuid(),
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', 'x5t#S256': own.thumbprintSha256, ...header })
    .sign(key);
}

async function postAssertion(client_assertion: string): Promise<Answer> {
  return service.post({ ...base(), client_assertion, client_assertion_type: assertionType });
}

test.each<[string, Record<string, unknown>, Record<string, unknown>, number | null]>([
  ['RS256', {}, {}, null],
  ['PS256', {}, { alg: 'PS256' }, null],
  ['a life of thirty minutes', { exp: 1_800_001_800 }, {}, null],
  ['a longer life', { exp: 1_800_001_900 }, {}, 700024],
  ['a life that is over', { exp: 1_800_000_000 }, {}, 700024],
  ['a life to come', { nbf: 1_800_000_061 }, {}, 700024],
  ['no jti', { jti: undefined }, {}, 50027],
  ['another subject', { sub: newGuid() }, {}, 700021],
  ['another endpoint', { aud: 'https://login.microsoftonline.com/x/oauth2/v2.0/token' }, {}, 700023],
  ['the endpoint with a slash more', { aud: 'https://localhost/oauth2/v2.0/token/' }, {}, 700023],
  ['no thumbprint', {}, { 'x5t#S256': undefined }, 700027],
  ['an unknown thumbprint', {}, { 'x5t#S256': 'A'.repeat(43) }, 700027],
  ['a right and a wrong thumbprint', {}, { x5t: 'A'.repeat(27) }, 700027],
  ['another algorithm', {}, { alg: 'RS512' }, 700027],
])('a certificate assertion with %s', async (_what, claims, header, code) => {
  await service.room.directory.addCertificate(by, service.application.id, own.certificatePem);
  const answer = await postAssertion(await certificateAssertion(claims, header));
  const outcome = answer.status === 200 ? null : refusalOf(answer);
  expect(outcome).toEqual(code === null ? null : [401, 'invalid_client', code]);
});

test('the certificate that an assertion brings along is never looked at', async () => {
  await service.room.directory.addCertificate(by, service.application.id, own.certificatePem);
  const mine = makeCertificate({ now: service.room.clock.now() });
  const x5c = [new X509Certificate(mine.certificatePem).raw.toString('base64')];
  const header = { x5c, jwk: undefined };
  expect(refusalOf(await postAssertion(await certificateAssertion({}, header, mine.privateKey)))).toEqual([
    401,
    'invalid_client',
    700027,
  ]);
  const byThumbprint = { x5c, 'x5t#S256': mine.thumbprintSha256 };
  expect(
    refusalOf(await postAssertion(await certificateAssertion({}, byThumbprint, mine.privateKey))),
  ).toEqual([401, 'invalid_client', 700027]);
});

test('an expired certificate, a stranger’s key and another application’s certificate are refused', async () => {
  await service.room.directory.addCertificate(by, service.application.id, own.certificatePem);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  expect(refusalOf(await postAssertion(await certificateAssertion({}, {}, privateKey)))).toEqual([
    401,
    'invalid_client',
    700027,
  ]);
  const other = await service.room.application('Other', service.sponsor.id);
  const client_assertion = await certificateAssertion({ iss: other.signInName, sub: other.signInName });
  expect(
    refusalOf(
      await service.post({
        ...base(),
        client_id: other.signInName!,
        client_assertion,
        client_assertion_type: assertionType,
      }),
    ),
  ).toEqual([401, 'invalid_client', 700027]);
  service.room.manualClock.advance(8 * 86_400_000);
  expect(refusalOf(await postAssertion(await certificateAssertion()))).toEqual([
    401,
    'invalid_client',
    700027,
  ]);
});

// Federated credentials

async function federate(
  change: { assertionUse?: 'once' | 'reusable'; audience?: string } = {},
): Promise<void> {
  await service.room.directory.addFederatedCredential(by, service.application.id, {
    name: 'github-training',
    issuer: service.ci.issuer,
    audience: 'api://AzureADTokenExchange',
    match: { kind: 'claims', claims: { repository_id: '424242', environment: 'training' } },
    ...change,
  });
}

test('an outside token is exchanged once; the second time says how to do better', async () => {
  await federate();
  const token = await service.ci.token();
  expect((await postAssertion(token)).status).toBe(200);
  const again = await postAssertion(token);
  expect(refusalOf(again)).toEqual([401, 'invalid_client', 5000819]);
  expect(again.body['error_description']).toMatch(/assertionUse 'reusable'/);
  expect(service.room.feed.changes.at(-1)).toMatchObject({
    kind: 'assertion.used',
    issuer: service.ci.issuer,
  });
  expect(service.facts.at(-1)).toMatchObject({ succeeded: false, failureCode: 'assertion_replayed' });
  expect(JSON.stringify([service.facts, service.room.feed.changes])).not.toContain(token.split('.')[2]);
});

test('of many at the same time exactly one is exchanged', async () => {
  await federate();
  const token = await service.ci.token();
  const answers = await Promise.all(Array.from({ length: 10 }, () => postAssertion(token)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test('a token without jti is known by itself, also under the second spelling of its ECDSA signature', async () => {
  await federate();
  const key = await service.ci.addKey('ES256', 'ec');
  const claims = decodeJwt(await service.ci.token({ jti: undefined }));
  const token = await service.ci.sign(claims, key, { alg: 'ES256', kid: 'ec' });
  const end = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(end), 'base64url').toString('hex');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const mirrored = (order - BigInt(`0x${signature.slice(64)}`)).toString(16).padStart(64, '0');
  const twin =
    token.slice(0, end) + Buffer.from(signature.slice(0, 64) + mirrored, 'hex').toString('base64url');
  expect(twin).not.toBe(token);
  expect((await postAssertion(twin)).status).toBe(200);
  for (const again of [token, twin])
    expect(refusalOf(await postAssertion(again))).toEqual([401, 'invalid_client', 5000819]);
});

test('a reusable credential admits a token again and again, until it expires', async () => {
  await federate({ assertionUse: 'reusable' });
  const token = await service.ci.token();
  for (let i = 0; i < 3; i++) expect((await postAssertion(token)).status).toBe(200);
  service.room.manualClock.advance(300_000);
  expect(refusalOf(await postAssertion(token))).toEqual([401, 'invalid_client', 700024]);
});

test('what was not issued is not used up: a refused exchange may be tried again', async () => {
  await federate();
  const token = await service.ci.token();
  const wrongResource = {
    ...base(),
    scope: 'https://evil.example/.default',
    client_assertion: token,
    client_assertion_type: assertionType,
  };
  expect(refusalOf(await service.post(wrongResource))).toEqual([400, 'invalid_target', 500011]);
  expect((await postAssertion(token)).status).toBe(200);
});

test('a mismatch shows expected and presented claims side by side, never the token', async () => {
  await federate();
  const token = await service.ci.token({ environment: 'staging', repository_id: '1' });
  const answer = await postAssertion(token);
  expect(refusalOf(answer)).toEqual([401, 'invalid_client', 700213]);
  expect(answer.body['error_description']).toContain(
    "Credential 'github-training': environment: expected 'training', presented 'staging'; " +
      "repository_id: expected '424242', presented '1'.",
  );
  expect(JSON.stringify([answer.body, service.facts])).not.toContain(token.slice(0, 40));
});

test.each<[string, Record<string, unknown>, number]>([
  ['for another audience', { aud: 'https://github.com/contoso' }, 700212],
  ['for another audience in capitals', { aud: 'API://AzureADTokenExchange' }, 700212],
  ['of an issuer with a slash more', { iss: 'SLASH' }, 700211],
  ['of an unknown issuer', { iss: 'https://evil.example' }, 700211],
  ['that expired', { exp: 1_800_000_000 }, 700024],
])('refuses a token %s', async (_what, claims, code) => {
  await federate();
  const iss = claims['iss'] === 'SLASH' ? { iss: `${service.ci.issuer}/` } : {};
  expect(refusalOf(await postAssertion(await service.ci.token({ ...claims, ...iss })))).toEqual([
    401,
    'invalid_client',
    code,
  ]);
});

test('an unknown issuer is never contacted, and learns nothing of what would fit', async () => {
  await federate();
  const stranger = await service.ci.token({ iss: 'https://evil.example' });
  const answer = await postAssertion(stranger);
  expect(service.ci.requests).toEqual([]);
  expect(answer.body['error_description']).not.toContain('training');
  const forged = (await service.ci.token()).replace(/\.[^.]*$/, '.AAAA');
  const unsigned = await postAssertion(forged);
  expect(refusalOf(unsigned)).toEqual([401, 'invalid_client', 700211]);
  expect(unsigned.body['error_description']).not.toContain('training');
});

test('an issuer that cannot be reached is a temporary error with Retry-After', async () => {
  await federate();
  const token = await service.ci.token();
  service.ci.misbehave = { status: 500 };
  const answer = await postAssertion(token);
  expect(refusalOf(answer)).toEqual([503, 'invalid_client', 90033]);
  expect(answer.headers['retry-after']).toBe('10');
});

test('a run is in the chain only when the token names one', async () => {
  await federate();
  const { body } = await postAssertion(await service.ci.token({ run_id: undefined }));
  const claims = decodeJwt(String(body['access_token']));
  expect(claims['lockstep_chain']).toMatchObject([{ kind: 'user' }, { kind: 'application' }]);
  expect(claims['act']).toBeUndefined();
});

test('a managed identity exchanges outside tokens too', async () => {
  const { directory } = service.room;
  const identity = await directory.createManagedIdentity(by, {
    displayName: 'endpoint',
    resourceId: '/subscriptions/s/identities/endpoint',
    sponsorId: service.sponsor.id,
  });
  await directory.addFederatedCredential(by, identity.id, {
    name: 'cluster',
    issuer: service.ci.issuer,
    audience: 'api://AzureADTokenExchange',
    match: { kind: 'subject', subject: 'repo:contoso/penguins:environment:training' },
  });
  const { body } = await service.post({
    ...base(),
    client_id: identity.signInName!,
    client_assertion: await service.ci.token(),
    client_assertion_type: assertionType,
  });
  const caller = await service.room.verifier.verify(String(body['access_token']), [
    'https://management.azure.com',
  ]);
  expect(caller.subject).toEqual({ id: identity.id, kind: 'managed-identity', name: 'endpoint' });
  expect(service.room.liveness.check(caller)).toBeNull();
});
