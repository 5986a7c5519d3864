import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { by } from '../../../identity/testing/identity-room.ts';
import { newGuid, type PrincipalId } from '../../../lib/ids.ts';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { everyone } from '../../../policy/snapshot.ts';
import type { PrincipalRecord } from '../../../store/changes.ts';
import { putDenyAssignment } from '../../../store/deny-assignments.ts';
import { putRoleAssignment } from '../../../store/role-assignments.ts';
import { normalId, storageAccountId, workspaceId } from '../../../workspace/resource-ids.ts';
import { account, openMlHouse, workspace, type MlHouse } from '../testing/ml-house.ts';

const subscription = `/subscriptions/${workspace.subscriptionId}`;
const group = `${subscription}/resourceGroups/${workspace.resourceGroup}`;
const roleAt = (role: string): string =>
  `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role}`;

let house: MlHouse;
let olga: PrincipalRecord;
let rita: PrincipalRecord;
let ada: PrincipalRecord;
let zoe: PrincipalRecord;
let team: PrincipalRecord;
let owner: AuthorizationManagementClient;
let reader: AuthorizationManagementClient;

function clientOf(person: PrincipalRecord): AuthorizationManagementClient {
  return new AuthorizationManagementClient(house.credentialOf(person), workspace.subscriptionId, {
    endpoint: house.publicUrl,
    $host: house.publicUrl,
    credentialScopes: `${house.publicUrl}/.default`,
    tlsOptions: { ca: readFileSync(house.caCertificatePath, 'utf8') },
    retryOptions: { maxRetries: 0 },
  });
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of pages) found.push(item);
  return found;
}

const names = async (pages: AsyncIterable<{ readonly name?: string }>): Promise<Set<string | undefined>> =>
  new Set((await all(pages)).map(({ name }) => name));

/** The code and status that the client makes of a refusal. */
async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error && 'code' in error && 'statusCode' in error
      ? [error.code, error.statusCode]
      : error;
  }
  return 'not refused';
}

beforeAll(async () => {
  house = await openMlHouse();
  olga = await house.room.person('Olga');
  rita = await house.room.person('Rita');
  ada = await house.room.person('Ada');
  zoe = await house.room.person('Zoe');
  team = await house.room.directory.createGroup(by, { displayName: 'Team' });
  const inner = await house.room.directory.createGroup(by, { displayName: 'Inner team' });
  await house.room.directory.addMember(by, team.id, inner.id);
  await house.room.directory.addMember(by, inner.id, ada.id);
  await house.grant(olga, 'owner', '/');
  await house.grant(olga, 'owner', subscription);
  await house.grant(rita, 'reader', subscription);
  owner = clientOf(olga);
  reader = clientOf(rita);
});

afterAll(async () => {
  await house.close();
});

describe('role assignments, to the unmodified client', () => {
  it('are created, read, changed, found by every list and filter, and deleted', async () => {
    const [own, above, below] = [newGuid(), newGuid(), newGuid()];
    const reading = { roleDefinitionId: roleAt(roleIds.reader), principalId: team.id };
    const made = await owner.roleAssignments.create(group, own, { ...reading, principalType: 'Group' });
    expect(made).toMatchObject({
      name: own,
      type: 'Microsoft.Authorization/roleAssignments',
      principalId: team.id,
      principalType: 'Group',
      roleDefinitionId: roleAt(roleIds.reader),
      createdBy: olga.id,
    });
    await owner.roleAssignments.create(subscription, above, { ...reading, principalId: ada.id });
    await owner.roleAssignments.create(workspaceId(workspace), below, { ...reading, principalId: ada.id });

    expect(await reader.roleAssignments.get(group, own)).toMatchObject({ name: own, scope: group });
    const described = await owner.roleAssignments.create(group, own, { ...reading, description: 'why' });
    expect(described.description).toBe('why');

    const among = async (pages: AsyncIterable<{ readonly name?: string }>): Promise<string[]> => {
      const found = await names(pages);
      return Object.entries({ own, above, below })
        .filter(([, id]) => found.has(id))
        .map(([key]) => key);
    };
    const { roleAssignments } = reader;
    const to = (filter: string): { filter: string } => ({ filter });
    expect(await among(roleAssignments.listForScope(group))).toEqual(['own', 'above', 'below']);
    expect(await among(roleAssignments.listForScope(group, to('atScope()')))).toEqual(['own', 'above']);
    expect(await among(roleAssignments.listForScope(group, to(`principalId eq '${ada.id}'`)))).toEqual([
      'above',
      'below',
    ]);
    expect(await among(roleAssignments.listForScope(group, to(`principalId eq ${ada.id}`)))).toEqual([
      'above',
      'below',
    ]);
    expect(await among(roleAssignments.listForScope(group, to(`assignedTo('${ada.id}')`)))).toEqual([
      'own',
      'above',
      'below',
    ]);
    expect(
      await among(roleAssignments.listForScope(group, to(`atScope() and assignedTo('${ada.id}')`))),
    ).toEqual(['own', 'above']);
    expect(await among(roleAssignments.listForSubscription(to('atScope()')))).toEqual(['above']);
    expect(await among(roleAssignments.listForSubscription())).toEqual(['own', 'above', 'below']);
    expect(await among(roleAssignments.listForResourceGroup(workspace.resourceGroup))).toEqual([
      'own',
      'above',
      'below',
    ]);
    const ofWorkspace = roleAssignments.listForResource(
      workspace.resourceGroup,
      'Microsoft.MachineLearningServices',
      'workspaces',
      workspace.name,
      to(`assignedTo('${ada.id}')`),
    );
    expect(await among(ofWorkspace)).toEqual(['own', 'above', 'below']);
    expect(await refusalOf(all(roleAssignments.listForScope(group, to("roleName eq 'x'"))))).toEqual([
      'InvalidFilter',
      400,
    ]);

    expect(await owner.roleAssignments.delete(group, own)).toMatchObject({ name: own });
    expect(await owner.roleAssignments.delete(group, own)).toEqual({});
    expect(await refusalOf(reader.roleAssignments.get(group, own))).toEqual(['RoleAssignmentNotFound', 404]);
  });

  it('are reached by the id that they say, which begins with a slash, and by one that does not', async () => {
    const name = newGuid();
    const id = `${group}/providers/Microsoft.Authorization/roleAssignments/${name}`;
    const wanted = { roleDefinitionId: roleAt(roleIds.contributor), principalId: ada.id };
    const made = await owner.roleAssignments.createById(id, wanted);
    expect(made.name).toBe(name);
    for (const spelt of [made.id ?? '', id, id.slice(1)])
      expect(await reader.roleAssignments.getById(spelt)).toMatchObject({ id: made.id });
    expect(await reader.roleAssignments.get(group.slice(1), name)).toMatchObject({ id: made.id });
    expect(await owner.roleAssignments.deleteById(made.id ?? '')).toMatchObject({ name });
    expect(await refusalOf(reader.roleAssignments.getById(id))).toEqual(['RoleAssignmentNotFound', 404]);
  });

  it('come in pages, each once', async () => {
    const things = `${group}/providers/Contoso.Paged/things/x`;
    await house.room.feed.commit(by, async (tx, record) => {
      for (let n = 0; n < 2_100; n++) {
        await putRoleAssignment(tx, record, {
          id: newGuid(),
          scope: normalId(`${things}/parts/${n}`),
          roleDefinitionId: roleIds.reader,
          principalId: ada.id,
          principalType: 'User',
          description: '',
          createdOn: new Date().toISOString(),
          createdBy: olga.id,
        });
      }
    });
    const pages = await all(reader.roleAssignments.listForScope(things).byPage());
    const found = pages.flat().map(({ name }) => name);
    expect(pages.map((page) => page.length).slice(0, 2)).toEqual([1_000, 1_000]);
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBeGreaterThanOrEqual(2_100);
    expect(await refusalOf(all(reader.roleAssignments.listForScope(things, { skipToken: '../x' })))).toEqual([
      'InvalidSkipToken',
      400,
    ]);
  });

  it('are refused with the codes that Azure has', async () => {
    const name = newGuid();
    const wanted = { roleDefinitionId: roleAt(roleIds.reader), principalId: rita.id };
    const create = (change: object, scope = group, as = newGuid(), client = owner) =>
      refusalOf(client.roleAssignments.create(scope, as, { ...wanted, ...change }));
    await owner.roleAssignments.create(group, name, wanted);
    expect(await create({})).toEqual(['RoleAssignmentExists', 409]);
    expect(await create({ principalId: newGuid() })).toEqual(['PrincipalNotFound', 400]);
    expect(await create({ principalType: 'Group' })).toEqual(['UnmatchedPrincipalType', 400]);
    expect(await create({ roleDefinitionId: roleAt(newGuid()) })).toEqual([
      'RoleDefinitionDoesNotExist',
      404,
    ]);
    expect(await create({ principalId: ada.id }, group, name)).toEqual([
      'RoleAssignmentUpdateNotPermitted',
      400,
    ]);
    expect(await create({ principalId: ada.id }, group, 'mine')).toEqual(['InvalidRoleAssignmentId', 400]);
    expect(await create({ principalId: ada.id }, group, newGuid(), reader)).toEqual([
      'AuthorizationFailed',
      403,
    ]);
    expect(await refusalOf(reader.roleAssignments.delete(group, name))).toEqual(['AuthorizationFailed', 403]);
    const last = await all(owner.roleAssignments.listForScope('/', { filter: 'atScope()' }));
    const root = last.find(({ principalId }) => principalId === olga.id);
    expect(await refusalOf(owner.roleAssignments.delete('', root?.name ?? ''))).toEqual([
      'CannotDeleteLastRbacAdminAssignment',
      412,
    ]);
  });

  it('carry conditions, which are read back, in force, and refused when they are none', async () => {
    const name = newGuid();
    const wanted = {
      roleDefinitionId: roleAt(roleIds.rbacAdministrator),
      principalId: ada.id,
      condition: `@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${roleIds.reader}}`,
      conditionVersion: '2.0',
    };
    await owner.roleAssignments.create(group, name, wanted);
    expect(await reader.roleAssignments.get(group, name)).toMatchObject({
      condition: wanted.condition,
      conditionVersion: '2.0',
    });
    const delegate = clientOf(ada).roleAssignments;
    const give = (role: string) =>
      delegate.create(group, newGuid(), { roleDefinitionId: roleAt(role), principalId: olga.id });
    expect((await give(roleIds.reader)).principalId).toBe(olga.id);
    expect(await refusalOf(give(roleIds.owner))).toEqual(['AuthorizationFailed', 403]);
    const bad = { ...wanted, principalId: rita.id, condition: '@Request[x' };
    expect(await refusalOf(owner.roleAssignments.create(group, newGuid(), bad))).toEqual([
      'InvalidCondition',
      400,
    ]);
    await owner.roleAssignments.delete(group, name);
  });
});

describe('role definitions, to the unmodified client', () => {
  it('are defined, read, changed, listed by scope, name and type, and deleted', async () => {
    const [wide, narrow] = [newGuid(), newGuid()];
    const custom = (roleName: string, assignable: string) => ({
      roleName,
      description: 'of a test',
      roleType: 'CustomRole',
      permissions: [{ actions: ['Contoso.Things/*/read'], notActions: ['Contoso.Things/secrets/read'] }],
      assignableScopes: [assignable],
    });
    const made = await owner.roleDefinitions.createOrUpdate(subscription, wide, custom('Wide', subscription));
    expect(made).toMatchObject({ name: wide, roleName: 'Wide', roleType: 'CustomRole' });
    await owner.roleDefinitions.createOrUpdate(group, narrow, custom('Narrow', group));
    expect(await reader.roleDefinitions.get(group, narrow)).toMatchObject({
      permissions: [{ actions: ['Contoso.Things/*/read'], notActions: ['Contoso.Things/secrets/read'] }],
    });
    expect(await reader.roleDefinitions.getById(made.id ?? '')).toMatchObject({ name: wide });
    const changed = { ...custom('Wide', subscription), description: 'changed' };
    expect(await owner.roleDefinitions.createOrUpdate(subscription, wide, changed)).toMatchObject({
      description: 'changed',
    });

    const among = async (scope: string, filter?: string): Promise<string[]> => {
      const found = await names(reader.roleDefinitions.list(scope, filter === undefined ? {} : { filter }));
      return Object.entries({ wide, narrow, builtIn: roleIds.reader })
        .filter(([, id]) => found.has(id))
        .map(([key]) => key);
    };
    expect(await among(subscription)).toEqual(['wide', 'builtIn']);
    expect(await among(subscription, 'atScope()')).toEqual(['wide', 'builtIn']);
    expect(await among(subscription, 'atScopeAndBelow()')).toEqual(['wide', 'narrow', 'builtIn']);
    expect(await among(group)).toEqual(['wide', 'narrow', 'builtIn']);
    expect(await among(group, "type eq 'CustomRole'")).toEqual(['wide', 'narrow']);
    expect(await among(group, "type eq 'BuiltInRole'")).toEqual(['builtIn']);
    expect(await among(group, "roleName eq 'Reader'")).toEqual(['builtIn']);
    expect(await among(subscription, "atScopeAndBelow() and type eq 'CustomRole'")).toEqual([
      'wide',
      'narrow',
    ]);
    expect(await refusalOf(all(reader.roleDefinitions.list(group, { filter: "type eq 'x'" })))).toEqual([
      'InvalidFilter',
      400,
    ]);
    const everywhere = await names(owner.roleDefinitions.list('/', { filter: "type eq 'CustomRole'" }));
    expect([everywhere.has(wide), everywhere.has(narrow)]).toEqual([true, true]);

    const assigned = newGuid();
    await owner.roleAssignments.create(group, assigned, {
      roleDefinitionId: made.id ?? '',
      principalId: ada.id,
    });
    expect(await refusalOf(owner.roleDefinitions.delete(subscription, wide))).toEqual([
      'RoleDefinitionHasAssignments',
      400,
    ]);
    await owner.roleAssignments.delete(group, assigned);
    expect(await owner.roleDefinitions.delete(subscription, wide)).toMatchObject({ name: wide });
    expect(await owner.roleDefinitions.delete(subscription, wide)).toEqual({});
    expect(await refusalOf(reader.roleDefinitions.get(group, wide))).toEqual([
      'RoleDefinitionDoesNotExist',
      404,
    ]);
  });

  it('are refused with the codes that Azure has', async () => {
    const custom = { roleName: 'Reader', permissions: [{ actions: ['x/read'] }], assignableScopes: [group] };
    const define = (id: string, change: object, client = owner) =>
      refusalOf(client.roleDefinitions.createOrUpdate(group, id, { ...custom, ...change }));
    expect(await define(newGuid(), {})).toEqual(['RoleDefinitionWithSameNameExists', 409]);
    expect(await define(roleIds.reader, {})).toEqual(['RoleDefinitionUpdateNotPermitted', 409]);
    expect(await define('mine', {})).toEqual(['InvalidRoleDefinitionId', 400]);
    expect(await define(newGuid(), { roleName: 'New', assignableScopes: ['nowhere'] })).toEqual([
      'InvalidRoleDefinition',
      400,
    ]);
    expect(await define(newGuid(), { roleName: 'New' }, reader)).toEqual(['AuthorizationFailed', 403]);
  });
});

describe('deny assignments, to the unmodified client', () => {
  it('are listed by scope, name, and everything that they say of a principal', async () => {
    const [onTeam, onAll] = [newGuid(), newGuid()];
    const denial = {
      description: 'of a test',
      permissions: [{ actions: ['Contoso.Denied/*'], notActions: [], dataActions: [], notDataActions: [] }],
      doNotApplyToChildScopes: false,
    };
    await house.room.feed.commit(by, async (tx, record) => {
      await putDenyAssignment(tx, record, {
        ...denial,
        id: onTeam,
        name: 'On the team',
        scope: normalId(group),
        principals: [team.id],
        excludePrincipals: [],
      });
      await putDenyAssignment(tx, record, {
        ...denial,
        id: onAll,
        name: 'On all',
        scope: normalId(workspaceId(workspace)),
        principals: [everyone as PrincipalId],
        excludePrincipals: [rita.id],
      });
    });
    const { denyAssignments } = reader;
    const among = async (pages: AsyncIterable<{ readonly name?: string }>): Promise<string[]> => {
      const found = await names(pages);
      return Object.entries({ onTeam, onAll })
        .filter(([, id]) => found.has(id))
        .map(([key]) => key);
    };
    const listed = (filter: string) => among(denyAssignments.listForScope(group, { filter }));
    expect(await among(denyAssignments.list())).toEqual(['onTeam', 'onAll']);
    expect(await among(denyAssignments.list({ filter: 'atScope()' }))).toEqual([]);
    expect(await among(denyAssignments.listForResourceGroup(workspace.resourceGroup))).toEqual([
      'onTeam',
      'onAll',
    ]);
    const resource = ['Microsoft.MachineLearningServices', '', 'workspaces', workspace.name] as const;
    expect(
      await among(
        denyAssignments.listForResource(workspace.resourceGroup, ...resource, { filter: 'atScope()' }),
      ),
    ).toEqual(['onTeam', 'onAll']);
    expect(await listed('atScope()')).toEqual(['onTeam']);
    expect(await listed(`principalId eq '${team.id}'`)).toEqual(['onTeam']);
    expect(await listed(`principalId eq '${ada.id}'`)).toEqual([]);
    expect(await listed(`assignedTo('${ada.id}')`)).toEqual(['onTeam', 'onAll']);
    expect(await listed(`assignedTo('${rita.id}')`)).toEqual([]);
    expect(await listed(`atScope() and assignedTo('${ada.id}')`)).toEqual(['onTeam']);
    expect(await listed("denyAssignmentName eq 'on all'")).toEqual(['onAll']);
    expect(await listed(`gdprExportPrincipalId eq '${rita.id}'`)).toEqual(['onAll']);
    const [exported] = await all(
      denyAssignments.listForScope(group, { filter: `gdprExportPrincipalId eq '${rita.id}'` }),
    );
    expect(exported).toMatchObject({ denyAssignmentName: 'On all', description: 'of a test' });
    expect([exported?.principals, exported?.permissions, exported?.scope]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await refusalOf(all(denyAssignments.list({ filter: "roleName eq 'x'" })))).toEqual([
      'InvalidFilter',
      400,
    ]);
    const one = await denyAssignments.get(group, onTeam);
    expect(one).toMatchObject({
      denyAssignmentName: 'On the team',
      principals: [{ id: team.id }],
      isSystemProtected: false,
    });
    expect(await denyAssignments.getById(one.id ?? '')).toMatchObject({ name: onTeam });
    expect(await refusalOf(denyAssignments.get(group, newGuid()))).toEqual(['DenyAssignmentNotFound', 404]);
  });
});

describe('the rest of the provider, to the unmodified client', () => {
  it('lists the permissions of the caller at a group and at a resource', async () => {
    const ofGroup = await all(reader.permissions.listForResourceGroup(workspace.resourceGroup));
    expect(ofGroup).toMatchObject([{ actions: ['*/read'] }]);
    const [, , , type = '', name = ''] = storageAccountId(workspace, account).split('/').slice(-5);
    const ofResource = await all(
      reader.permissions.listForResource(workspace.resourceGroup, 'Microsoft.Storage', '', type, name),
    );
    expect(ofResource).toEqual(ofGroup);
  });

  it('lists the operations that there are, of all providers and of one', async () => {
    const providers = await all(reader.providerOperationsMetadataOperations.list());
    expect(providers.map(({ name }) => name)).toContain('Microsoft.MachineLearningServices');
    const storage = await reader.providerOperationsMetadataOperations.get('microsoft.storage');
    const blobs = storage.resourceTypes?.find(({ name }) => name?.endsWith('containers/blobs'));
    expect(blobs?.operations).toContainEqual(
      expect.objectContaining({
        name: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
        isDataAction: true,
      }),
    );
    expect(await refusalOf(reader.providerOperationsMetadataOperations.get('Contoso.None'))).toEqual([
      'ProviderNotFound',
      404,
    ]);
  });

  it('knows no classic administrators, and elevates nobody', async () => {
    expect(await all(reader.classicAdministrators.list())).toEqual([]);
    expect(await refusalOf(all(clientOf(zoe).classicAdministrators.list()))).toEqual([
      'AuthorizationFailed',
      403,
    ]);
    expect(await refusalOf(reader.globalAdministrator.elevateAccess())).toEqual(['AuthorizationFailed', 403]);
    expect(await refusalOf(owner.globalAdministrator.elevateAccess())).toEqual([
      'ElevateAccessNotSupported',
      501,
    ]);
  });

  it('refuses what it does not serve, without saying that it is empty', async () => {
    expect(await refusalOf(all(owner.roleEligibilitySchedules.listForScope(group)))).toEqual([
      'RouteNotDescribed',
      403,
    ]);
  });
});
