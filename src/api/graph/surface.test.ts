import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PrincipalRecord } from '../../store/changes.ts';
import { ownScope } from '../own-actions.ts';
import { openApiRoom, roleIds, tenantId, type ApiRoom } from '../testing/api-room.ts';
import { graphSurface } from './surface.ts';

let room: ApiRoom;
let admin: PrincipalRecord;
let adminToken: string;
let mallory: PrincipalRecord;
let malloryToken: string;

beforeAll(async () => {
  room = await openApiRoom(({ identity, snapshot }) =>
    Promise.resolve([
      graphSurface({
        directory: identity.directory,
        snapshot,
        tenantId,
        publicUrl: 'https://localhost:8443',
      }),
    ]),
  );
  admin = await room.identity.person('Ada');
  mallory = await room.identity.person('Mallory');
  await room.assign(admin.id, roleIds.lockstepAdministrator, ownScope);
  adminToken = await room.tokenFor(admin, { audience: 'https://graph.microsoft.com' });
  malloryToken = await room.tokenFor(mallory, { audience: 'https://graph.microsoft.com' });
});
afterAll(() => room.close());

function as(token: string) {
  return (method: string, path: string, json?: unknown) =>
    room.call(method, `/v1.0${path}`, { token, ...(json === undefined ? {} : { json }) });
}
const call = (method: string, path: string, json?: unknown) => as(adminToken)(method, path, json);

async function created(path: string, json: unknown): Promise<string> {
  const answer = await call('POST', path, json);
  expect(answer.status).toBe(201);
  return String(answer.json['id']);
}

const names = (answer: { json: Record<string, unknown> }) =>
  (answer.json['value'] as { displayName: string }[]).map((one) => one.displayName);

test('a user is created, found by name and by id, filtered, disabled', async () => {
  const id = await created('/users', {
    accountEnabled: true,
    displayName: 'Grace Hopper',
    mailNickname: 'grace',
    userPrincipalName: 'grace@lab.example',
    passwordProfile: { password: 'correct horse battery', forceChangePasswordNextSignIn: false },
  });
  expect((await call('GET', '/users/grace@lab.example')).json).toMatchObject({ id, accountEnabled: true });
  expect((await call('GET', `/users/${id}?$select=displayName`)).json).toEqual({
    '@odata.type': '#microsoft.graph.user',
    id,
    displayName: 'Grace Hopper',
  });
  expect(names(await call('GET', "/users?$filter=userPrincipalName eq 'grace@lab.example'"))).toEqual([
    'Grace Hopper',
  ]);
  expect((await call('PATCH', `/users/${id}`, { accountEnabled: false })).status).toBe(204);
  expect((await call('GET', `/users/${id}`)).json['accountEnabled']).toBe(false);
});

test('no answer ever holds a password or its verifier', async () => {
  const answer = await call('GET', '/users');
  expect(answer.text).not.toMatch(/password|scrypt|correct horse/i);
});

test('a page ends at $top and goes on at its nextLink until everyone was seen once', async () => {
  for (const name of ['p1', 'p2', 'p3']) await created('/groups', { displayName: name });
  const seen: string[] = [];
  let path = '/groups?$top=2';
  for (let step = 0; step < 10 && path !== ''; step++) {
    const answer = await call('GET', path);
    expect(answer.status).toBe(200);
    seen.push(...names(answer));
    const next = answer.json['@odata.nextLink'];
    path = typeof next === 'string' ? next.slice(next.indexOf('/v1.0') + 5) : '';
  }
  expect(seen.filter((name) => /^p\d$/.test(name))).toEqual(['p1', 'p2', 'p3']);
  expect(new Set(seen).size).toBe(seen.length);
});

test('members are added by reference, listed, listed through nested groups, and removed', async () => {
  const outer = await created('/groups', { displayName: 'outer' });
  const inner = await created('/groups', { displayName: 'inner' });
  const refer = (id: string) => ({ '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${id}` });
  expect((await call('POST', `/groups/${outer}/members/$ref`, refer(inner))).status).toBe(204);
  expect((await call('POST', `/groups/${inner}/members/$ref`, refer(mallory.id))).status).toBe(204);
  expect(names(await call('GET', `/groups/${outer}/members`))).toEqual(['inner']);
  expect(names(await call('GET', `/groups/${outer}/transitiveMembers`))).toEqual(['inner', 'Mallory']);
  const cycle = await call('POST', `/groups/${inner}/members/$ref`, refer(outer));
  expect(cycle.status).toBe(409);
  expect((await call('DELETE', `/groups/${inner}/members/${mallory.id}/$ref`)).status).toBe(204);
  expect((await call('DELETE', `/groups/${inner}/members/${mallory.id}/$ref`)).status).toBe(404);
  expect((await call('POST', `/groups/${inner}/members/$ref`, { '@odata.id': 'x' })).status).toBe(400);
});

test('an application gets its secret shown once, and another kind of credential is not removed as a secret', async () => {
  const id = await created('/applications', { displayName: 'ci' });
  const added = await call('POST', `/applications/${id}/addPassword`, {
    passwordCredential: { displayName: 'x' },
  });
  const secret = String(added.json['secretText']);
  expect(secret.length).toBeGreaterThan(40);
  const again = await call('GET', `/applications/${id}`);
  expect(again.text).not.toContain(secret);
  expect(again.json['passwordCredentials']).toEqual([
    { keyId: added.json['keyId'], hint: secret.slice(0, 3), endDateTime: null },
  ]);
  const federated = await call('POST', `/applications/${id}/federatedIdentityCredentials`, {
    name: 'main',
    issuer: 'https://token.actions.githubusercontent.com',
    audiences: ['api://AzureADTokenExchange'],
    lockstepClaims: { repository_id: '42', environment: 'production' },
  });
  expect(federated.status).toBe(201);
  const wrong = await call('POST', `/applications/${id}/removePassword`, { keyId: federated.json['id'] });
  expect(wrong.status).toBe(404);
  expect((await call('GET', `/applications/${id}/federatedIdentityCredentials/main`)).json).toMatchObject({
    subject: null,
    claimsMatchingExpression: null,
    lockstepClaims: { repository_id: '42', environment: 'production' },
  });
  expect(
    (await call('POST', `/applications/${id}/removePassword`, { keyId: added.json['keyId'] })).status,
  ).toBe(204);
  expect((await call('DELETE', `/applications/${id}/federatedIdentityCredentials/main`)).status).toBe(204);
});

test.each([
  [{ subject: 'repo:contoso/train:ref:refs/heads/main' }, 201],
  [
    {
      claimsMatchingExpression: { value: "claims['sub'] matches 'repo:contoso/train:*'", languageVersion: 1 },
    },
    201,
  ],
  [{}, 400],
  [{ subject: 'repo:contoso/train:ref:refs/heads/main', lockstepClaims: { sub: 'x' } }, 400],
  [{ lockstepClaims: { event_name: 'push' } }, 400],
  [{ subjct: 'x' }, 400],
])('a federated credential that says %j is answered with %i', async (match, status) => {
  const id = await created('/applications', { displayName: 'fic' });
  const body = {
    name: 'one',
    issuer: 'https://issuer.example',
    audiences: ['api://AzureADTokenExchange'],
    ...match,
  };
  const answer = await call('POST', `/applications/${id}/federatedIdentityCredentials`, body);
  expect(answer.status).toBe(status);
});

test('what az and Terraform look up: a service principal by its names, objects by their ids', async () => {
  const id = await created('/applications', { displayName: 'lookup' });
  const { appId } = (await call('GET', `/applications/${id}`)).json;
  const found = await call(
    'GET',
    `/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '${String(appId)}')`,
  );
  expect(names(found)).toEqual(['lookup']);
  const objects = await call('POST', '/directoryObjects/getByIds', {
    ids: [id, admin.id, tenantId],
    types: ['user'],
  });
  expect((objects.json['value'] as { '@odata.type': string }[]).map((one) => one['@odata.type'])).toEqual([
    '#microsoft.graph.servicePrincipal',
    '#microsoft.graph.user',
  ]);
});

test('everyone may read themselves, and nothing else without a role', async () => {
  const ask = as(malloryToken);
  expect((await ask('GET', '/me')).json).toMatchObject({ id: mallory.id, displayName: 'Mallory' });
  for (const [method, path, json] of [
    ['GET', '/users'],
    ['GET', `/users/${mallory.id}`],
    ['GET', '/groups'],
    ['GET', '/applications'],
    ['POST', '/users', { displayName: 'x', userPrincipalName: 'x@y' }],
    ['POST', '/groups', { displayName: 'x' }],
    ['POST', '/applications', { displayName: 'x' }],
    ['PATCH', `/users/${admin.id}`, { accountEnabled: false }],
    ['DELETE', `/users/${admin.id}`],
    ['POST', '/directoryObjects/getByIds', { ids: [admin.id] }],
  ] as const) {
    const answer = await ask(method, path, json);
    expect([method, path, answer.status]).toEqual([method, path, 403]);
    const error = answer.json['error'] as {
      code: string;
      innerError: { decisionId: string; policyId: string };
    };
    expect(error.code).toBe('Authorization_RequestDenied');
    expect(error.innerError.policyId).toBe('default:missing-grant');
    expect(error.innerError.decisionId).toMatch(/^dec_/);
    expect(answer.headers.get('x-lockstep-decision-id')).toBe(error.innerError.decisionId);
  }
});

test('the right to delete groups does not reach a user whose id stands in the path', async () => {
  for (const path of [`/groups/${admin.id}`, `/applications/${admin.id}`, `/servicePrincipals/${admin.id}`]) {
    expect((await call('DELETE', path)).status).toBeGreaterThanOrEqual(404);
  }
  const group = await created('/groups', { displayName: 'kinds' });
  expect((await call('DELETE', `/users/${group}`)).status).toBe(404);
  expect((await call('PATCH', `/servicePrincipals/${mallory.id}`, { accountEnabled: false })).status).toBe(
    404,
  );
  expect((await call('POST', `/applications/${mallory.id}/addPassword`, {})).status).toBe(404);
});

test('whoever may read users only learns nothing of groups and applications by their ids', async () => {
  const reader = await room.identity.person('Reader');
  await room.assign(reader.id, await room.role(['Lockstep.Access/users/read']), ownScope);
  const ask = as(await room.tokenFor(reader, { audience: 'https://graph.microsoft.com' }));
  expect((await ask('GET', '/users')).status).toBe(200);
  expect((await ask('POST', '/directoryObjects/getByIds', { ids: [admin.id] })).status).toBe(200);
  const group = await created('/groups', { displayName: 'secret project' });
  const refused = await ask('POST', '/directoryObjects/getByIds', { ids: [group] });
  expect(refused.status).toBe(403);
  expect(refused.text).not.toContain('secret project');
});

test('nobody locks themselves out', async () => {
  expect((await call('PATCH', `/users/${admin.id}`, { accountEnabled: false })).status).toBe(409);
  expect((await call('DELETE', `/users/${admin.id}`)).status).toBe(409);
});

test('takes a token for its own address, by which az and Terraform know Graph', async () => {
  for (const audience of ['https://localhost:8443', 'https://localhost:8443/']) {
    const ask = as(await room.tokenFor(admin, { audience }));
    expect((await ask('GET', '/groups')).status).toBe(200);
  }
});

test('a token for another resource is refused, in Graph’s words and with a challenge', async () => {
  const token = await room.tokenFor(admin, { audience: 'https://storage.azure.com' });
  const answer = await room.call('GET', '/v1.0/users', { token });
  expect(answer.status).toBe(401);
  expect((answer.json['error'] as { code: string }).code).toBe('InvalidAuthenticationToken');
  expect(answer.headers.get('www-authenticate')).toContain(`/${tenantId}/oauth2/v2.0/authorize`);
  expect((await room.call('GET', '/v1.0/users')).status).toBe(401);
});

test('an unknown route is denied, an unknown member and a bad filter are refused', async () => {
  expect((await call('GET', '/organization')).status).toBe(403);
  expect((await call('PATCH', `/users/${mallory.id}`, { jobTitle: 'x' })).status).toBe(400);
  const filtered = await call('GET', "/users?$filter=displayName ne 'x'");
  expect(filtered.status).toBe(400);
  expect((filtered.json['error'] as { code: string }).code).toBe('Request_UnsupportedQuery');
});

test('a disabled person’s token is refused on the next request', async () => {
  const grace = await room.identity.person('Short');
  const token = await room.tokenFor(grace, { audience: 'https://graph.microsoft.com' });
  expect((await as(token)('GET', '/me')).status).toBe(200);
  await call('PATCH', `/users/${grace.id}`, { accountEnabled: false });
  expect((await as(token)('GET', '/me')).status).toBe(401);
});
