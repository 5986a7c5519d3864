import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PrincipalRecord } from '../../store/changes.ts';
import { ownScope } from '../own-actions.ts';
import { openApiRoom, roleIds, tenantId, type ApiRoom } from '../testing/api-room.ts';
import { graphSurface } from './surface.ts';

let room: ApiRoom;
let ada: PrincipalRecord;
let admin: string;

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
  ada = await room.identity.person('Ada');
  await room.assign(ada.id, roleIds.lockstepAdministrator, ownScope);
  admin = await room.tokenFor(ada, { audience: 'https://graph.microsoft.com' });
});
afterAll(() => room.close());

const call = (method: string, path: string, json?: unknown) =>
  room.call(method, `/v1.0${path}`, { token: admin, ...(json === undefined ? {} : { json }) });

const engineering = {
  '@odata.type': '#Microsoft.DirectoryServices.CustomSecurityAttributeValue',
  'Project@odata.type': '#Collection(String)',
  Project: ['Baker', 'Cascade'],
  'Level@odata.type': '#Int32',
  Level: 3,
  Certified: true,
  Site: 'Oslo',
};
const asked = '?$select=id,customSecurityAttributes';

test('are set in the form of Graph’s clients, shown when they are selected, merged and removed one by one', async () => {
  const path = `/users/${ada.id}`;
  expect((await call('PATCH', path, { customSecurityAttributes: { Engineering: engineering } })).status).toBe(
    204,
  );
  expect((await call('GET', path)).text).not.toContain('Baker');
  const type = '#microsoft.graph.customSecurityAttributeValue';
  expect((await call('GET', path + asked)).json['customSecurityAttributes']).toEqual({
    Engineering: { ...engineering, '@odata.type': type },
  });
  const next = { Engineering: { Project: [], Level: null, Certified: null }, Sales: { Region: 'north' } };
  expect((await call('PATCH', path, { customSecurityAttributes: next })).status).toBe(204);
  expect((await call('GET', path + asked)).json['customSecurityAttributes']).toEqual({
    Engineering: { '@odata.type': type, Site: 'Oslo' },
    Sales: { '@odata.type': type, Region: 'north' },
  });
});

test('of an application are set on its service principal', async () => {
  const id = String((await call('POST', '/applications', { displayName: 'trainer' })).json['id']);
  const path = `/servicePrincipals/${id}`;
  const given = { customSecurityAttributes: { Ml: { Purpose: 'research' } } };
  expect((await call('PATCH', path, given)).status).toBe(204);
  expect((await call('GET', path + asked)).json).toMatchObject(given);
  expect((await call('GET', path)).json['accountEnabled']).toBe(true);
});

test.each([
  ['a set whose name holds _', { a_b: { c: 'x' } }],
  ['an attribute whose name holds _', { a: { b_c: 'x' } }],
  ['a text that is too long', { a: { b: 'x'.repeat(65) } }],
  ['a fraction', { a: { b: 1.5 } }],
  ['an object', { a: { b: {} } }],
  ['a mixed list', { a: { b: ['x', 1] } }],
])('are refused for %s', async (_, given) => {
  const answer = await call('PATCH', `/users/${ada.id}`, { customSecurityAttributes: given });
  expect(answer.status).toBe(400);
});

test('whose names differ in case only are one attribute', async () => {
  const path = `/users/${ada.id}`;
  for (const given of [{ Case: { Name: 'one' } }, { case: { name: 'two' } }]) {
    expect((await call('PATCH', path, { customSecurityAttributes: given })).status).toBe(204);
  }
  expect((await call('GET', path + asked)).json['customSecurityAttributes']).toMatchObject({
    case: { name: 'two' },
  });
  expect((await call('GET', path + asked)).text).not.toContain('one');
});

test('need rights of their own, to see and to set', async () => {
  const writer = await room.identity.person('Writer');
  const users = ['Lockstep.Access/users/read', 'Lockstep.Access/users/write'];
  await room.assign(writer.id, await room.role([...users, 'Lockstep.Access/applications/write']), ownScope);
  const token = await room.tokenFor(writer, { audience: 'https://graph.microsoft.com' });
  const path = `/v1.0/users/${writer.id}`;
  const json = { customSecurityAttributes: { Ml: { Purpose: 'research' } } };
  expect((await room.call('PATCH', path, { token, json })).status).toBe(403);
  expect((await room.call('GET', path + asked, { token })).status).toBe(403);
  expect((await room.call('GET', path, { token })).status).toBe(200);
  expect((await call('GET', `/users/${writer.id}${asked}`)).json['customSecurityAttributes']).toBeNull();
});
