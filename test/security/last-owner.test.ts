// Nobody locks the house: every way by which the last who may give and take away roles would go, tried over HTTP.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request, type Dispatcher } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { standardResources } from '../../src/api/entra/resources.ts';
import { administratorSignInName } from '../../src/composition/first-administrator.ts';
import { openFoundation, type Foundation } from '../../src/composition/foundation.ts';
import { loadConfig } from '../../src/config/load.ts';
import { initialise } from '../../src/init.ts';
import { newGuid, type Secret } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../src/main.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { isAllowed } from '../../src/policy/decide.ts';
import { systemAttribution, type PrincipalRecord } from '../../src/store/changes.ts';
import { deleteDenyAssignment } from '../../src/store/deny-assignments.ts';
import {
  deleteRoleAssignment,
  parseRoleAssignment,
  putRoleAssignment,
} from '../../src/store/role-assignments.ts';
import { deleteRoleDefinition } from '../../src/store/role-definitions.ts';

const everyone = '00000000-0000-0000-0000-000000000000';
const authorization = 'providers/Microsoft.Authorization';
const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

let lockstep: Lockstep;
let close: () => Promise<void>;
let agent: Agent;
let admin: PrincipalRecord;
let subscription: string;

beforeAll(async () => {
  await open();
});
afterAll(async () => {
  await close();
});

/** A house of its own; `before` may change what the first start finds. */
async function open(before?: (foundation: Foundation) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-last-owner-'));
  const defaults = loadConfig({ home, environment: {} });
  const config = {
    ...defaults,
    listen: { host: '127.0.0.1', port: await freePort() },
    limits: { ...defaults.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  if (before) {
    const foundation = await openFoundation(config, log);
    await before(foundation);
    await foundation.close();
  }
  lockstep = await startLockstep(config, log);
  agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
  subscription = `/subscriptions/${lockstep.foundation.workspace.subscriptionId}`;
  close = async () => {
    await agent.destroy();
    await lockstep.drain();
    rmSync(home, { recursive: true, force: true });
  };
}

/** As after `init`: the administrator is the only one who holds anything. */
beforeEach(async () => {
  const { directory, ledger } = lockstep.foundation;
  const userPrincipalName = administratorSignInName;
  admin =
    (await directory.userBySignInName(userPrincipalName)) ??
    (await directory.createUser(by(), { displayName: 'Administrator', userPrincipalName }));
  const kept = await assign(admin, roleIds.owner, '/', undefined, assignmentOf(admin));
  const denials = [...lockstep.snapshot.denyAssignments()];
  for (const denial of denials) {
    await ledger.commit(by(), (tx, record) => deleteDenyAssignment(tx, record, denial));
  }
  const grants = [...lockstep.snapshot.roleAssignments()].filter(({ id }) => id !== kept);
  for (const grant of grants) {
    await ledger.commit(by(), (tx, record) => deleteRoleAssignment(tx, record, grant));
  }
  const roles = [...lockstep.snapshot.roleDefinitions()].filter(({ type }) => type === 'CustomRole');
  for (const { id } of roles) {
    await ledger.commit(by(), (tx, record) => deleteRoleDefinition(tx, record, id));
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const by = () => systemAttribution(lockstep.foundation.tenantId, 'tests');

async function person(displayName: string, { password = true } = {}): Promise<PrincipalRecord> {
  const userPrincipalName = `${displayName.toLowerCase()}.${newGuid().slice(0, 8)}@lab.example`;
  const { directory, store } = lockstep.foundation;
  const made = await directory.createUser(by(), { displayName, userPrincipalName });
  // That there is one is what counts; to make one takes a second.
  if (password) {
    await store.db
      .updateTable('users')
      .set({ password: 'scrypt$some' })
      .where('principal_id', '=', made.id)
      .execute();
  }
  return made;
}

async function assign(
  principal: PrincipalRecord,
  roleDefinitionId: string = roleIds.owner,
  scope = '/',
  condition?: string,
  existing = '',
): Promise<string> {
  const id = existing === '' ? newGuid() : existing;
  await lockstep.foundation.ledger.commit(by(), (tx, record) =>
    putRoleAssignment(tx, record, {
      id,
      scope,
      roleDefinitionId,
      principalId: principal.id,
      principalType: principal.kind === 'group' ? 'Group' : 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'tests',
      ...(condition === undefined ? {} : { condition }),
    }),
  );
  return id;
}

const assignmentOf = (principal: PrincipalRecord) =>
  [...lockstep.snapshot.roleAssignments()].find(({ principalId }) => principalId === principal.id)?.id ?? '';

async function send(
  as: PrincipalRecord,
  method: Dispatcher.HttpMethod,
  path: string,
  json?: unknown,
): Promise<{ status: number; code: string; message: string }> {
  const isGraph = path.startsWith('/v1.0');
  const resources = standardResources({ publicUrl: lockstep.url, storageOrigins: [] });
  const audience = isGraph ? 'https://graph.microsoft.com' : 'https://management.azure.com';
  expect(resources.map((resource) => resource.audience)).toContain(audience);
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject: as,
    audience,
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: as.id, name: as.displayName }],
    authorities: [as.id],
    clientId: newGuid(),
    idType: 'user',
  });
  const version = isGraph ? '' : '?api-version=2022-04-01';
  const reply = await request(`${lockstep.url}${path}${version}`, {
    method,
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${token}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await reply.body.text();
  const parsed = errorBody.safeParse(text === '' ? null : JSON.parse(text));
  return { status: reply.statusCode, ...(parsed.success ? parsed.data.error : { code: '', message: text }) };
}

async function customRole(roleName: string, actions: readonly string[]): Promise<string> {
  const id = newGuid();
  const permissions = [{ actions, notActions: [] }];
  const made = await send(admin, 'PUT', `/${authorization}/roleDefinitions/${id}`, {
    properties: { roleName, type: 'CustomRole', permissions, assignableScopes: ['/'] },
  });
  expect(made.status, made.message).toBeLessThan(300);
  return id;
}

const lastOwner = { status: 409, code: 'LastOwnerRequired' };
const stillHeld = () =>
  [...lockstep.snapshot.principals()].some(({ id }) =>
    [
      'roleAssignments/write',
      'roleAssignments/delete',
      'denyAssignments/write',
      'denyAssignments/delete',
    ].every((action) =>
      isAllowed(lockstep.snapshot, id, {
        action: `Microsoft.Authorization/${action}`,
        dataAction: false,
        scope: subscription,
      }),
    ),
  );

/** Somebody who may touch the directory, and holds no role that would keep the house open. */
async function directoryAdministrator(): Promise<PrincipalRecord> {
  const dora = await person('Dora');
  await assign(dora, roleIds.lockstepAdministrator, '/providers/lockstep.access');
  await assign(dora, roleIds.rbacAdministrator);
  return dora;
}

test('the last Owner is neither disabled nor deleted, by the directory, by Graph or by their own deputy', async () => {
  const dora = await directoryAdministrator();
  const path = `/v1.0/users/${admin.id}`;
  expect(await send(dora, 'PATCH', path, { accountEnabled: false })).toMatchObject(lastOwner);
  const deleted = await send(dora, 'DELETE', path);
  expect(deleted).toMatchObject(lastOwner);
  expect(deleted.message).toContain('Administrator');
  const { directory } = lockstep.foundation;
  await expect(directory.deletePrincipal(by(), admin.id)).rejects.toMatchObject({ code: 'last_owner' });
  await expect(directory.setEnabled(by(), admin.id, false)).rejects.toMatchObject({ code: 'last_owner' });
  expect(lockstep.snapshot.principal(admin.id)?.enabled).toBe(true);

  const ada = await person('Ada');
  await assign(ada);
  expect((await send(ada, 'DELETE', path)).status).toBe(204);
});

test('what is refused leaves nothing behind: no row, no event, no change of policy', async () => {
  const dora = await directoryAdministrator();
  const before = lockstep.snapshot.version;
  await send(dora, 'DELETE', `/v1.0/users/${admin.id}`);
  expect(lockstep.snapshot.version).toBe(before);
  expect(await lockstep.foundation.directory.byId(admin.id)).not.toBeNull();
});

test('of two Owners who remove each other at the same time, one stays', async () => {
  const ada = await person('Ada');
  await assign(ada);
  const answers = await Promise.all([
    send(admin, 'DELETE', `/v1.0/users/${ada.id}`),
    send(ada, 'DELETE', `/v1.0/users/${admin.id}`),
    send(admin, 'DELETE', `/${authorization}/roleAssignments/${assignmentOf(ada)}`),
    send(ada, 'DELETE', `/${authorization}/roleAssignments/${assignmentOf(admin)}`),
  ]);
  expect(answers.filter(({ status }) => status < 300).length).toBeGreaterThan(0);
  expect(stillHeld()).toBe(true);
});

test('however many Owners end one another’s roles at once, one stays', async () => {
  const owners = [admin];
  for (const name of ['Ada', 'Bea', 'Cleo', 'Dina']) {
    const owner = await person(name);
    await assign(owner);
    owners.push(owner);
  }
  const { ledger } = lockstep.foundation;
  const outcomes = await Promise.allSettled(
    owners.map((owner) => {
      const assignment = lockstep.snapshot.roleAssignment(assignmentOf(owner));
      if (assignment === undefined) throw new Error(`${owner.displayName} owns nothing`);
      return ledger.commit(by(), async (tx, record) => {
        await tx.deleteFrom('role_assignments').where('id', '=', assignment.id).execute();
        record({ kind: 'role-assignment.deleted', assignment });
      });
    }),
  );
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(stillHeld()).toBe(true);
});

test('the group through which the last Owner is one keeps them, and is kept', async () => {
  const { directory } = lockstep.foundation;
  const dora = await directoryAdministrator();
  const outer = await directory.createGroup(by(), { displayName: 'Owners' });
  const inner = await directory.createGroup(by(), { displayName: 'Platform' });
  const ada = await person('Ada');
  await directory.addMember(by(), outer.id, inner.id);
  await directory.addMember(by(), inner.id, ada.id);
  await assign(outer);
  await send(admin, 'DELETE', `/${authorization}/roleAssignments/${assignmentOf(admin)}`);
  expect(assignmentOf(admin)).toBe('');

  expect(await send(dora, 'DELETE', `/v1.0/groups/${inner.id}/members/${ada.id}/$ref`)).toMatchObject(
    lastOwner,
  );
  expect(await send(dora, 'DELETE', `/v1.0/groups/${outer.id}/members/${inner.id}/$ref`)).toMatchObject(
    lastOwner,
  );
  expect(await send(dora, 'DELETE', `/v1.0/groups/${inner.id}`)).toMatchObject(lastOwner);
  expect(await send(dora, 'DELETE', `/v1.0/groups/${outer.id}`)).toMatchObject(lastOwner);
  expect(await send(dora, 'PATCH', `/v1.0/users/${ada.id}`, { accountEnabled: false })).toMatchObject(
    lastOwner,
  );
  expect(stillHeld()).toBe(true);

  const bea = await person('Bea');
  await directory.addMember(by(), outer.id, bea.id);
  expect((await send(dora, 'DELETE', `/v1.0/groups/${inner.id}/members/${ada.id}/$ref`)).status).toBe(204);
});

test('a group that loses what it was denied nothing by may still be denied through', async () => {
  const { directory } = lockstep.foundation;
  const suspended = await directory.createGroup(by(), { displayName: 'Suspended' });
  const made = await send(admin, 'PUT', `/${authorization}/denyAssignments/${newGuid()}`, {
    properties: {
      denyAssignmentName: 'suspended',
      permissions: [{ actions: ['*'], dataActions: ['*'] }],
      principals: [{ id: suspended.id }],
    },
  });
  expect(made.status, made.message).toBe(201);
  await expect(directory.addMember(by(), suspended.id, admin.id)).rejects.toMatchObject({
    code: 'last_owner',
  });
  expect(stillHeld()).toBe(true);
});

test('a role that makes Owners is neither emptied, nor conditioned, while nobody else is one', async () => {
  const clerk = await person('Clerk');
  const role = await customRole('Clerk', ['Microsoft.Authorization/*']);
  await assign(clerk, role);
  await send(admin, 'DELETE', `/${authorization}/roleAssignments/${assignmentOf(admin)}`);
  const rewrite = (permission: object) =>
    send(clerk, 'PUT', `/${authorization}/roleDefinitions/${role}`, {
      properties: {
        roleName: 'Clerk',
        type: 'CustomRole',
        permissions: [permission],
        assignableScopes: ['/'],
      },
    });
  expect(await rewrite({ actions: ['*/read'] })).toMatchObject(lastOwner);
  expect(await rewrite({ actions: ['*'], notActions: ['*/denyAssignments/delete'] })).toMatchObject(
    lastOwner,
  );
  const condition = "@Request[a:b] StringEquals 'x'";
  expect(await rewrite({ actions: ['*'], condition, conditionVersion: '2.0' })).toMatchObject(lastOwner);
  const grant = {
    properties: {
      roleDefinitionId: `/${authorization}/roleDefinitions/${role}`,
      principalId: clerk.id,
      condition,
      conditionVersion: '2.0',
    },
  };
  const assignment = `/${authorization}/roleAssignments/${assignmentOf(clerk)}`;
  expect(await send(clerk, 'PUT', assignment, grant)).toMatchObject(lastOwner);
  expect(await send(clerk, 'DELETE', assignment)).toMatchObject({
    status: 412,
    code: 'CannotDeleteLastRbacAdminAssignment',
  });
  expect((await rewrite({ actions: ['*'] })).status).toBeLessThan(300);
  expect(stillHeld()).toBe(true);
});

test.each([
  ['is false of everything', "@Request[a:b] StringEquals 'x'"],
  [
    'is true until something is asked',
    'NOT Exists @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]',
  ],
  ['bears on something else alone', "!(ActionMatches{'Microsoft.Storage/*'})"],
])('an Owner under a condition that %s is none', async (_, condition) => {
  const ada = await person('Ada');
  await assign(ada, roleIds.owner, '/', condition);
  expect(
    await send(ada, 'DELETE', `/${authorization}/roleAssignments/${assignmentOf(admin)}`),
  ).not.toMatchObject({
    status: 200,
  });
  await expect(lockstep.foundation.directory.deletePrincipal(by(), admin.id)).rejects.toMatchObject({
    code: 'last_owner',
  });
});

test.each<[string, string, object]>([
  ['everyone everything at the root', '', { actions: ['*'] }],
  ['everyone the deletion of anything', '', { actions: ['*/delete'] }],
  ['everyone what concerns denials', '', { actions: ['Microsoft.Authorization/denyAssignments/*'] }],
  ['everyone the giving of roles', '', { actions: ['*/roleAssignments/write'] }],
])('a deny assignment that denies %s says whom to exclude', async (_, scope, permission) => {
  const path = `${scope}/${authorization}/denyAssignments/${newGuid()}`;
  const denial = (excludePrincipals: object[]) => ({
    properties: {
      denyAssignmentName: 'stop',
      permissions: [permission],
      principals: [{ id: everyone, type: 'SystemDefined' }],
      excludePrincipals,
    },
  });
  const refused = await send(admin, 'PUT', path, denial([]));
  expect(refused).toMatchObject(lastOwner);
  expect(refused.message).toContain('exclude somebody');
  expect(refused.message).toContain('Administrator');
  const nobody = await person('Nobody');
  expect(await send(admin, 'PUT', path, denial([{ id: nobody.id }]))).toMatchObject(lastOwner);
  expect((await send(admin, 'PUT', path, denial([{ id: admin.id }]))).status).toBe(201);
  // Nor is the one exclusion taken out again, nor does whom it spares go.
  expect(await send(admin, 'PUT', path, denial([{ id: nobody.id }]))).toMatchObject(lastOwner);
  const { directory } = lockstep.foundation;
  await assign(nobody);
  await expect(directory.deletePrincipal(by(), admin.id)).rejects.toMatchObject({ code: 'last_owner' });
  expect((await send(admin, 'DELETE', path)).status).toBe(200);
  await directory.deletePrincipal(by(), admin.id);
});

test('a deny assignment deep down must be deletable there, also when whoever it spares goes', async () => {
  const { directory } = lockstep.foundation;
  const scope = `${subscription}/resourceGroups/vision`;
  const path = `${scope}/${authorization}/denyAssignments/${newGuid()}`;
  const denial = (excludePrincipals: object[]) => ({
    properties: {
      denyAssignmentName: 'legal hold',
      permissions: [{ actions: ['*'], dataActions: ['*'] }],
      principals: [{ id: everyone, type: 'SystemDefined' }],
      excludePrincipals,
    },
  });
  expect(await send(admin, 'PUT', path, denial([]))).toMatchObject(lastOwner);
  const keeper = await person('Keeper');
  await assign(keeper, roleIds.owner, scope.toLowerCase());
  expect((await send(admin, 'PUT', path, denial([{ id: keeper.id }]))).status).toBe(201);
  await expect(directory.deletePrincipal(by(), keeper.id)).rejects.toMatchObject({ code: 'last_owner' });
  const role = `${scope}/${authorization}/roleAssignments/${assignmentOf(keeper)}`;
  expect((await send(keeper, 'DELETE', role)).status).toBe(412);
  expect((await send(keeper, 'DELETE', path)).status).toBe(200);
  await directory.deletePrincipal(by(), keeper.id);
});

test('a subscription is not put beneath a group whose denial would lock it', async () => {
  const { tenantId } = lockstep.foundation;
  const group = '/providers/Microsoft.Management/managementGroups/trap';
  expect((await send(admin, 'PUT', group, {})).status).toBe(201);
  // Who is spared may move it, and go on giving roles, but could never delete the denial.
  const mona = await person('Mona');
  await assign(
    mona,
    await customRole('Mover', [
      'Microsoft.Management/*',
      'Microsoft.Authorization/roleAssignments/*',
      'Microsoft.Authorization/denyAssignments/write',
    ]),
  );
  const denial = {
    properties: {
      denyAssignmentName: 'trap',
      permissions: [{ actions: ['*/roleAssignments/*'] }],
      principals: [{ id: everyone, type: 'SystemDefined' }],
      excludePrincipals: [{ id: mona.id }],
    },
  };
  const made = await send(admin, 'PUT', `${group}/${authorization}/denyAssignments/${newGuid()}`, denial);
  expect(made.status, made.message).toBe(201);
  expect(await send(mona, 'PUT', `${group}${subscription}`)).toMatchObject(lastOwner);
  expect(await send(admin, 'PUT', `${group}${subscription}`)).toMatchObject({
    code: 'MoveWouldLoseOwnership',
  });
  expect(lockstep.snapshot.ancestors(subscription)).toEqual([
    subscription,
    `/providers/microsoft.management/managementgroups/${tenantId}`,
    '/',
  ]);
});

test('who could not come in does not count: no password, no credential, nobody who answers for it', async () => {
  const { directory, store } = lockstep.foundation;
  const refuses = () =>
    expect(directory.deletePrincipal(by(), admin.id)).rejects.toMatchObject({ code: 'last_owner' });
  const silent = await person('Silent', { password: false });
  await assign(silent);
  await refuses();
  const sponsor = await person('Sponsor');
  const robot = await directory.createApplication(by(), { displayName: 'robot', sponsorId: sponsor.id });
  await assign(robot);
  await refuses();
  await directory.addSecret(by(), robot.id);
  await store.db.updateTable('application_credentials').set({ expires_at: 1 }).execute();
  await refuses();
  const secret = await directory.addSecret(by(), robot.id);
  await directory.deletePrincipal(by(), admin.id);
  const gone = { code: 'last_owner' };
  await expect(directory.removeCredential(by(), robot.id, secret.id)).rejects.toMatchObject(gone);
  await expect(directory.setEnabled(by(), sponsor.id, false)).rejects.toMatchObject(gone);
  await expect(directory.deletePrincipal(by(), sponsor.id)).rejects.toMatchObject(gone);
  await expect(directory.deletePrincipal(by(), robot.id)).rejects.toMatchObject(gone);
  await directory.setPassword(by(), silent.id, 'correct horse battery staple' as Secret);
  await directory.deletePrincipal(by(), robot.id);
  await expect(directory.setEnabled(by(), silent.id, false)).rejects.toMatchObject(gone);
});

test('a house that was locked before can still shut people out', async () => {
  await close();
  // As a version that did not look may have left it.
  await open(async ({ ledger, store }) => {
    const rows = await store.db.selectFrom('role_assignments').selectAll().where('scope', '=', '/').execute();
    for (const row of rows) {
      await ledger.commit(by(), (tx, record) => deleteRoleAssignment(tx, record, parseRoleAssignment(row)));
    }
  });
  expect(stillHeld()).toBe(false);
  const ada = await person('Ada');
  await lockstep.foundation.directory.setEnabled(by(), ada.id, false);
  await lockstep.foundation.directory.deletePrincipal(by(), ada.id);
  expect(await lockstep.foundation.directory.byId(ada.id)).toBeNull();
});
