import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { by } from '../identity/testing/identity-room.ts';
import { newGuid, type PrincipalId } from '../lib/ids.ts';
import type { PrincipalRecord } from '../store/changes.ts';
import { graphSurface } from './graph/surface.ts';
import { ownScope } from './own-actions.ts';
import { openApiRoom, roleIds, tenantId, type ApiRoom } from './testing/api-room.ts';

const resourceGroup = '/subscriptions/0aa5c2b8-7b1c-4b0e-9c0a-111111111111/resourcegroups/ml';

let room: ApiRoom;
let token: string;
let mallory: PrincipalRecord;
let serial = 0;

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
});
afterAll(() => room.close());

beforeEach(async () => {
  serial += 1;
  mallory = await room.identity.person(`Mallory${serial}`);
  await room.assign(mallory.id, roleIds.lockstepAdministrator, ownScope);
  token = await room.tokenFor(mallory, { audience: 'https://graph.microsoft.com' });
});

const call = (method: string, path: string, json?: unknown) =>
  room.call(method, `/v1.0${path}`, { token, ...(json === undefined ? {} : { json }) });
const refer = (id: string) => ({ '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${id}` });

async function owner(): Promise<PrincipalRecord> {
  const person = await room.identity.person(`Olga${serial}`);
  await room.assign(person.id, roleIds.owner, '/');
  return person;
}

async function group(name: string): Promise<PrincipalId> {
  return (await room.identity.directory.createGroup(by, { displayName: `${name} ${serial}` })).id;
}

async function application(name: string): Promise<PrincipalId> {
  const { directory } = room.identity;
  return (await directory.createApplication(by, { displayName: `${name} ${serial}`, sponsorId: mallory.id }))
    .id;
}

const newPassword = { passwordProfile: { password: 'correct horse battery' } };

test('a Lockstep Administrator sets the password of whoever holds no role, not of an Owner', async () => {
  const nobody = await room.identity.person(`Nobody${serial}`);
  expect((await call('PATCH', `/users/${nobody.id}`, newPassword)).status).toBe(204);
  const olga = await owner();
  const refused = await call('PATCH', `/users/${olga.id}`, newPassword);
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('Microsoft.Authorization/roleAssignments/write');
  expect(await room.identity.directory.passwordVerifier(olga.id)).toBeNull();
});

test('roles held through nested groups count', async () => {
  const outer = await group('outer');
  const inner = await group('inner');
  await room.assign(outer, roleIds.owner, resourceGroup);
  await room.identity.directory.addMember(by, outer, inner);
  const victim = await room.identity.person(`Victim${serial}`);
  await room.identity.directory.addMember(by, inner, victim.id);
  expect((await call('PATCH', `/users/${victim.id}`, newPassword)).status).toBe(403);
});

test('whoever may assign the roles may act; the right at another scope is none', async () => {
  const victim = await room.identity.person(`Victim${serial}`);
  await room.assign(victim.id, roleIds.machineLearningDataScientist, resourceGroup);
  await room.assign(mallory.id, roleIds.userAccessAdministrator, `${resourceGroup}x`);
  expect((await call('PATCH', `/users/${victim.id}`, newPassword)).status).toBe(403);
  await room.assign(mallory.id, roleIds.userAccessAdministrator, resourceGroup);
  expect((await call('PATCH', `/users/${victim.id}`, newPassword)).status).toBe(204);
});

test('setting a password is a right of its own', async () => {
  const writer = await room.identity.person(`Writer${serial}`);
  await room.assign(writer.id, await room.role(['Lockstep.Access/users/write']), ownScope);
  token = await room.tokenFor(writer, { audience: 'https://graph.microsoft.com' });
  const nobody = await room.identity.person(`Nobody${serial}`);
  expect((await call('PATCH', `/users/${nobody.id}`, newPassword)).status).toBe(403);
  const user = { displayName: 'New', userPrincipalName: `new${serial}@lab.example` };
  expect((await call('POST', '/users', { ...user, ...newPassword })).status).toBe(403);
  expect((await call('POST', '/users', user)).status).toBe(201);
});

test('an Owner may be shut out, but not let back in, nor deleted', async () => {
  const olga = await owner();
  expect((await call('PATCH', `/users/${olga.id}`, { accountEnabled: false })).status).toBe(204);
  expect((await call('PATCH', `/users/${olga.id}`, { accountEnabled: true })).status).toBe(403);
  expect((await call('DELETE', `/users/${olga.id}`)).status).toBe(403);
  expect((await room.identity.directory.byId(olga.id))?.enabled).toBe(false);
});

test('nobody joins a group, or nests one of theirs in it, whose roles they may not assign', async () => {
  const owners = await group('owners');
  await room.assign(owners, roleIds.owner, '/');
  const mine = await group('mine');
  const within = await group('within');
  await room.identity.directory.addMember(by, owners, within);
  for (const [into, member] of [
    [owners, mallory.id],
    [owners, mine],
    [within, mallory.id],
  ] as const) {
    expect((await call('POST', `/groups/${into}/members/$ref`, refer(member))).status).toBe(403);
  }
  expect((await call('POST', `/groups/${mine}/members/$ref`, refer(mallory.id))).status).toBe(204);
  expect((await call('DELETE', `/groups/${owners}`)).status).toBe(403);
  expect((await call('DELETE', `/groups/${mine}`)).status).toBe(204);
});

test('a denial to a group is not escaped by leaving it or deleting it, nor by joining those it spares', async () => {
  const denied = await group('denied');
  const spared = await group('spared');
  await room.identity.directory.addMember(by, denied, mallory.id);
  await room.identity.feed.commit(by, (_tx, record) => {
    record({
      kind: 'deny-assignment.put',
      assignment: {
        id: newGuid(),
        name: 'freeze',
        description: '',
        scope: resourceGroup,
        permissions: [{ actions: ['*'], notActions: [], dataActions: ['*'], notDataActions: [] }],
        doNotApplyToChildScopes: false,
        principals: [denied],
        excludePrincipals: [spared],
      },
    });
    return Promise.resolve();
  });
  expect((await call('DELETE', `/groups/${denied}/members/${mallory.id}/$ref`)).status).toBe(403);
  expect((await call('DELETE', `/groups/${denied}`)).status).toBe(403);
  expect((await call('POST', `/groups/${spared}/members/$ref`, refer(mallory.id))).status).toBe(403);
});

test('no secret, certificate or federated credential is added to an application with roles of others', async () => {
  const deploy = await application('deploy');
  await room.assign(deploy, roleIds.contributor, resourceGroup);
  const federated = {
    name: 'mine',
    issuer: 'https://issuer.example',
    audiences: ['api://AzureADTokenExchange'],
    lockstepClaims: { repository_id: '42' },
  };
  const key = { keyCredential: { type: 'AsymmetricX509Cert', usage: 'Verify', key: 'AAAA' } };
  for (const [path, json] of [
    ['addPassword', {}],
    ['addKey', key],
    ['federatedIdentityCredentials', federated],
  ] as const) {
    expect([path, (await call('POST', `/applications/${deploy}/${path}`, json)).status]).toEqual([path, 403]);
  }
  const { directory } = room.identity;
  expect(await directory.secretsOf(deploy)).toEqual([]);
  expect(await directory.federatedCredentialsOf(deploy)).toEqual([]);
  await directory.setEnabled(by, deploy, false);
  expect((await call('PATCH', `/servicePrincipals/${deploy}`, { accountEnabled: true })).status).toBe(403);
  expect((await call('DELETE', `/applications/${deploy}`)).status).toBe(403);
});

test('an application that people’s sign-ins return to needs the power over all of them', async () => {
  const create = (displayName: string, redirectUris: string[]) =>
    call('POST', '/applications', { displayName, web: { redirectUris } });
  for (const uri of [
    'https://evil.example/callback',
    'http://localhost.evil.example/callback',
    'http://localhost:80@evil.example/callback',
    'com.evil.app:/callback',
  ]) {
    const refused = await create('Phish', ['http://localhost/callback', uri]);
    expect([uri, refused.status]).toEqual([uri, 403]);
  }
  expect((await create('Native', ['http://127.0.0.1:8765/callback', 'http://localhost'])).status).toBe(201);
  await room.assign(mallory.id, roleIds.userAccessAdministrator, '/');
  expect((await create('Dashboard', ['https://grafana.lab.example/callback'])).status).toBe(201);
});
