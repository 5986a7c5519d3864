import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ZodType } from 'zod';
import type { Described, Exchange, RequestHead } from '../../../gateway/types.ts';
import { ManualClock } from '../../../lib/clock.ts';
import { LockstepError } from '../../../lib/errors.ts';
import type { PrincipalId, RequestId, TenantId } from '../../../lib/ids.ts';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { decide, decideForAll } from '../../../policy/decide.ts';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import {
  ada,
  ben,
  cleo,
  deny,
  group,
  job,
  person,
  platformTeam,
  researchers,
  rows,
  subscription,
  training,
  visionTeam,
  workspace,
} from '../../../policy/testing/people.ts';
import { systemAttribution, type Change, type Commit, type PrincipalRecord } from '../../../store/changes.ts';
import { loadPolicyRows } from '../../../store/policy-rows.ts';
import { putRoleAssignment } from '../../../store/role-assignments.ts';
import { putRoleDefinition } from '../../../store/role-definitions.ts';
import { openSqliteStore, type Store } from '../../../store/sqlite.ts';
import { lastOwnerGuard } from '../../last-owner.ts';
import { authorizationDescriber } from './describer.ts';

const provider = 'providers/Microsoft.Authorization';
const by = systemAttribution('22222222-0000-4000-8000-000000000000' as TenantId, 'test');
const names = Array.from({ length: 9 }, (_, i) => `33333333-0000-4000-8000-00000000000${i}`);
const aiReader = `${subscription}/${provider}/roleDefinitions/${roleIds.reader}`;

let store: Store;
let snapshot: PolicySnapshot;
let recorded: Change[];
let sequence: number;
let clock: ManualClock;
let describer: (head: RequestHead) => Described | null;

/** Real transactions; a ledger would append what is recorded here. */
const commit: Commit = async (_attribution, work) => {
  const changes: Change[] = [];
  const result = await store.db.transaction().execute(async (tx) => {
    const done = await work(tx, (change) => changes.push(change));
    await lastOwnerGuard({ snapshot, reachable: async () => true })(tx, changes);
    return done;
  });
  for (const change of changes) snapshot.apply({ previous: sequence, sequence: ++sequence, change });
  recorded.push(...changes);
  return result;
};

beforeEach(async () => {
  store = await openSqliteStore({ path: ':memory:' });
  await store.db.transaction().execute(async (tx) => {
    for (const principal of rows.principals) {
      await tx.insertInto('principals').values(principalRow(principal)).execute();
    }
    for (const { group: group_id, member: member_id } of rows.memberships) {
      await tx.insertInto('group_members').values({ group_id, member_id }).execute();
    }
    for (const definition of rows.roleDefinitions) await putRoleDefinition(tx, () => {}, definition, 0);
    for (const assignment of rows.roleAssignments) await putRoleAssignment(tx, () => {}, assignment);
  });
  snapshot = PolicySnapshot.from(await loadPolicyRows(store.db));
  recorded = [];
  sequence = 0;
  clock = new ManualClock(Date.parse('2026-11-20T10:00:00Z'));
  describer = authorizationDescriber({
    snapshot,
    commit,
    clock,
    principal: (id: PrincipalId) => snapshot.principal(id),
    tenantId: by.tenantId,
    actsAs: (id) => [id],
  });
});

afterEach(async () => {
  await store.close();
});

describe('a role assignment', () => {
  const address = `${group}/${provider}/roleAssignments/${names[1]}`;
  const wanted = { properties: { roleDefinitionId: aiReader, principalId: cleo, principalType: 'User' } };

  test('needs roleAssignments/write at that very scope', async () => {
    expect(describer(head('PUT', address))?.guard).toMatchObject({
      kind: 'action',
      access: { action: 'Microsoft.Authorization/roleAssignments/write', dataAction: false, scope: group },
    });
    expect(await refusedWith('PUT', address, wanted, ada)).toBe('AuthorizationFailed');
    expect(recorded).toEqual([]);
  });

  test('is created once, read back, found by every filter, enforced at once, and ended', async () => {
    const readJob = {
      action: 'Microsoft.MachineLearningServices/workspaces/jobs/read',
      dataAction: false,
      scope: workspace,
    };
    await store.db.deleteFrom('role_assignments').where('principal_id', '=', cleo).execute();
    snapshot = PolicySnapshot.from(await loadPolicyRows(store.db));
    describer = authorizationDescriber({
      snapshot,
      commit,
      clock: new ManualClock(0),
      principal: (id) => snapshot.principal(id),
      tenantId: by.tenantId,
      actsAs: (id) => [id],
    });
    expect(decide(snapshot, cleo, readJob).allowed).toBe(false);

    const created = await send('PUT', address, wanted);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      id: `${group}/${provider}/roleAssignments/${names[1]}`,
      name: names[1],
      properties: {
        principalId: cleo,
        principalType: 'User',
        scope: group,
        roleDefinitionId: aiReader,
        createdBy: ben,
      },
    });
    expect(recorded.map((change) => change.kind)).toEqual(['role-assignment.put']);
    expect(decide(snapshot, cleo, readJob).allowed).toBe(true);

    expect((await send('PUT', address.toUpperCase(), wanted)).status).toBe(200);
    expect(recorded).toHaveLength(1);
    expect((await send('GET', address)).body).toEqual(created.body);
    const listed = async (filter: string, scope = group): Promise<number> =>
      valueOf(await send('GET', `${scope}/${provider}/roleAssignments?$filter=${encodeURIComponent(filter)}`))
        .length;
    expect(await listed(`principalId eq '${cleo}'`)).toBe(1);
    expect(await listed(`assignedTo('${ada}')`)).toBe(2);
    expect(await listed(`atScope() and assignedTo('${ada}')`)).toBe(1);
    expect(await listed('', subscription)).toBe(6);
    expect(await listed('atScope()', subscription)).toBe(1);

    expect((await send('DELETE', address)).status).toBe(200);
    expect((await send('DELETE', address)).status).toBe(204);
    expect(decide(snapshot, cleo, readJob).allowed).toBe(false);
    expect((await loadPolicyRows(store.db)).roleAssignments.some((row) => row.id === names[1])).toBe(false);
  });

  test('is found only at its own scope: the by-id form of another scope does not reach it', async () => {
    const [own] = rows.roleAssignments;
    expect((await send('GET', `${group}/${provider}/roleAssignments/${own?.id}`)).status).toBe(200);
    expect(await refusedWith('GET', `${workspace}/${provider}/roleAssignments/${own?.id}`)).toBe(
      'RoleAssignmentNotFound',
    );
    expect((await send('DELETE', `${workspace}/${provider}/roleAssignments/${own?.id}`)).status).toBe(204);
    expect(snapshot.roleAssignment(own?.id ?? '')).toEqual(own);
  });

  test.each<[string, unknown, string, number]>([
    [
      'the same grant under another name',
      { roleDefinitionId: aiReader, principalId: cleo },
      'RoleAssignmentExists',
      409,
    ],
    ['a principal that does not exist', { principalId: names[8] }, 'PrincipalNotFound', 400],
    ['a principal of another type', { principalType: 'Group' }, 'UnmatchedPrincipalType', 400],
    [
      'a role that does not exist',
      { roleDefinitionId: aiReader.replace('acdd72a7', 'bcdd72a7') },
      'RoleDefinitionDoesNotExist',
      404,
    ],
    ['a role that is no path', { roleDefinitionId: 'Reader' }, 'InvalidRoleDefinitionId', 400],
    [
      'a condition of no version',
      { condition: "@Resource[a] StringEquals 'b'" },
      'ConditionVersionNotSupported',
      400,
    ],
    [
      'a text that is no condition',
      { condition: '@Resource[a] IsLike 3', conditionVersion: '2.0' },
      'InvalidCondition',
      400,
    ],
    ['another scope than that of the address', { scope: '/' }, 'InvalidRoleAssignmentRequest', 400],
    ['no principal', { principalId: undefined }, 'BadRequestFormat', 400],
  ])('with %s is refused and changes nothing', async (_what, properties, azureCode, status) => {
    await send('PUT', address, wanted);
    recorded = [];
    const body = { properties: { ...wanted.properties, ...(properties as object) } };
    const error = await refusal('PUT', address.replace(names[1] ?? '', names[2] ?? ''), body);
    expect([error.details['azureCode'], error.status]).toEqual([azureCode, status]);
    expect(recorded).toEqual([]);
  });

  test('keeps its scope, role and principal for good', async () => {
    await send('PUT', address, wanted);
    const other = { properties: { ...wanted.properties, principalId: ada } };
    expect(await refusedWith('PUT', address, other)).toBe('RoleAssignmentUpdateNotPermitted');
    const elsewhere = address.replace('vision', 'speech');
    expect(await refusedWith('PUT', elsewhere, wanted)).toBe('RoleAssignmentUpdateNotPermitted');
    const described = { properties: { ...wanted.properties, description: 'for the audit' } };
    expect((await send('PUT', address, described)).body).toMatchObject({
      properties: { description: 'for the audit' },
    });
  });

  test('answers its scope as it was first written, and is found under any spelling', async () => {
    const spelt = `${subscription}/resourceGroups/Vision`;
    const path = (scope: string) => `${scope}/${provider}/roleAssignments/${names[1]}`;
    const created = await send('PUT', path(spelt), wanted);
    expect(created.status).toBe(201);
    const shown = {
      id: path(spelt),
      properties: {
        scope: spelt,
        roleDefinitionId: aiReader,
      },
    };
    expect(created.body).toMatchObject(shown);
    for (const other of [spelt, spelt.toLowerCase(), spelt.toUpperCase()]) {
      expect((await send('GET', path(other))).body).toMatchObject(shown);
      expect((await send('PUT', path(other), wanted)).body).toMatchObject(shown);
    }
    snapshot = PolicySnapshot.from(await loadPolicyRows(store.db));
    expect(snapshot.roleAssignment(names[1] ?? '')).toMatchObject({
      scope: spelt.toLowerCase(),
      writtenScope: spelt,
    });
    expect(await refusedWith('PUT', path(spelt.toUpperCase()).replace(names[1]!, names[2]!), wanted)).toBe(
      'RoleAssignmentExists',
    );
  });

  test('at the root names its role as the subscription does from which it is seen', async () => {
    const [owner] = rows.roleAssignments.filter(({ scope }) => scope === subscription);
    snapshot.apply({
      previous: sequence,
      sequence: ++sequence,
      change: { kind: 'role-assignment.put', assignment: { ...owner!, id: names[1]!, scope: '/' } },
    });
    const roleOf = async (scope: string) => {
      const listed = valueOf(await send('GET', `${scope}/${provider}/roleAssignments`)) as {
        name: string;
        properties: { roleDefinitionId: string };
      }[];
      return listed.find(({ name }) => name === names[1])?.properties.roleDefinitionId;
    };
    const [role] = valueOf(
      await send('GET', `${subscription}/${provider}/roleDefinitions?$filter=roleName eq 'Owner'`),
    ) as { id: string }[];
    expect(await roleOf(subscription)).toBe(role?.id);
    expect(await roleOf(workspace)).toBe(role?.id);
    expect(await roleOf('')).toBe(`/${provider}/roleDefinitions/${roleIds.owner}`);
  });

  test('tells who changed it last, and when', async () => {
    const created = await send('PUT', address, wanted);
    expect(created.body).toMatchObject({
      properties: { createdOn: '2026-11-20T10:00:00.000Z', updatedOn: '2026-11-20T10:00:00.000Z' },
    });
    clock.advance(60_000);
    await send('PUT', address, wanted);
    expect((await send('GET', address)).body).toEqual(created.body);
    await send('PUT', address, { properties: { ...wanted.properties, description: 'for the audit' } });
    expect((await send('GET', address)).body).toMatchObject({
      properties: {
        createdOn: '2026-11-20T10:00:00.000Z',
        createdBy: ben,
        updatedOn: '2026-11-20T10:01:00.000Z',
        updatedBy: ben,
      },
    });
  });

  test('must be named by a GUID', async () => {
    expect(await refusedWith('PUT', `${group}/${provider}/roleAssignments/mine`, wanted)).toBe(
      'InvalidRoleAssignmentId',
    );
  });

  test('of the last live Owner of a subscription cannot be ended', async () => {
    const owner = `${subscription}/${provider}/roleAssignments/${rows.roleAssignments[2]?.id}`;
    const error = await refusal('DELETE', owner);
    expect([error.details['azureCode'], error.status]).toEqual(['CannotDeleteLastRbacAdminAssignment', 412]);

    const second = {
      properties: { roleDefinitionId: aiReader.replace(roleIds.reader, roleIds.owner), principalId: cleo },
    };
    await send('PUT', `${subscription}/${provider}/roleAssignments/${names[3]}`, second);
    await store.db.updateTable('principals').set({ enabled: 0 }).where('id', '=', cleo).execute();
    expect(await refusedWith('DELETE', owner)).toBe('CannotDeleteLastRbacAdminAssignment');
    await store.db.updateTable('principals').set({ enabled: 1 }).where('id', '=', cleo).execute();
    expect((await send('DELETE', owner)).status).toBe(200);
  });

  test('of the last Owner of a subscription takes no condition, and a conditional Owner does not count as one', async () => {
    const [owner] = rows.roleAssignments.filter(({ scope }) => scope === subscription);
    const conditional = {
      condition: "@Request[a:b] StringEquals 'x'",
      conditionVersion: '2.0',
      roleDefinitionId: `${subscription}/${provider}/roleDefinitions/${roleIds.owner}`,
    };
    const last = `${subscription}/${provider}/roleAssignments/${owner?.id}`;
    const bound = { properties: { ...conditional, principalId: owner?.principalId } };
    expect(await refusedWith('PUT', last, bound)).toBe('last_owner');
    const other = { properties: { ...conditional, principalId: ada } };
    await send('PUT', `${subscription}/${provider}/roleAssignments/${names[4]}`, other);
    expect(await refusedWith('DELETE', last)).toBe('CannotDeleteLastRbacAdminAssignment');
  });

  test('that collides in a race leaves one', async () => {
    const results = await Promise.allSettled(
      [4, 5, 6].map((i) => send('PUT', address.replace(names[1] ?? '', names[i] ?? ''), wanted)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(recorded).toHaveLength(1);
  });
});

describe('a condition', () => {
  const address = `${group}/${provider}/roleAssignments/${names[1]}`;
  const roleAt = (role: string): string => `${subscription}/${provider}/roleDefinitions/${role}`;
  const condition = "@Request[Contoso.X/y:purpose] StringEquals 'research'";

  test('is kept, read back, changed, enforced at once, and taken away', async () => {
    const wanted = { roleDefinitionId: aiReader, principalId: cleo, condition, conditionVersion: '2.0' };
    await store.db.deleteFrom('role_assignments').where('principal_id', '=', cleo).execute();
    for (const { id } of [...snapshot.roleAssignments()].filter(({ principalId }) => principalId === cleo)) {
      snapshot.apply({
        previous: sequence,
        sequence: ++sequence,
        change: { kind: 'role-assignment.deleted', assignment: snapshot.roleAssignment(id)! },
      });
    }
    const created = await send('PUT', address, { properties: wanted });
    expect(created.body).toMatchObject({ properties: { condition, conditionVersion: '2.0' } });
    const asked = (purpose: string) =>
      decide(snapshot, cleo, {
        action: 'Microsoft.Storage/storageAccounts/read',
        dataAction: false,
        scope: group,
        attributes: { request: { 'contoso.x/y:purpose': purpose } },
      }).allowed;
    expect([asked('research'), asked('marketing')]).toEqual([true, false]);
    const other = condition.replace('research', 'marketing');
    await send('PUT', address, { properties: { ...wanted, condition: other } });
    expect([asked('research'), asked('marketing')]).toEqual([false, true]);
    const rebuilt = PolicySnapshot.from(await loadPolicyRows(store.db));
    expect(rebuilt.roleAssignment(names[1] ?? '')?.condition).toBe(other);
    await send('PUT', address, { properties: { ...wanted, condition: null } });
    expect([asked('research'), asked('marketing')]).toEqual([true, true]);
  });

  test.each([
    ['role', `ForAnyOfAnyValues:GuidEquals {${roleIds.reader}}`, 'RoleDefinitionId'],
    ['kind of principal', "ForAnyOfAnyValues:StringEqualsIgnoreCase {'user'}", 'PrincipalType'],
    ['principal', `ForAnyOfAnyValues:GuidEquals {${cleo}}`, 'PrincipalId'],
  ])('keeps a delegate to one %s, by every route', async (what, comparison, attribute) => {
    const on = (source: string, verb: string): string =>
      `(!(ActionMatches{'Microsoft.Authorization/roleAssignments/${verb}'}) OR (@${source}[Microsoft.Authorization/roleAssignments:${attribute}] ${comparison}))`;
    await send('PUT', address, {
      properties: {
        roleDefinitionId: roleAt(roleIds.userAccessAdministrator),
        principalId: ada,
        condition: `${on('Request', 'write')} AND ${on('Resource', 'delete')}`,
        conditionVersion: '2.0',
      },
    });
    const give = (role: string, principalId: PrincipalId, name = 2) =>
      [
        'PUT',
        `${group}/${provider}/roleAssignments/${names[name]}`,
        { properties: { roleDefinitionId: roleAt(role), principalId } },
        ada,
      ] as const;
    const forbidden = {
      role: give(roleIds.owner, cleo),
      'kind of principal': give(roleIds.reader, visionTeam),
      principal: give(roleIds.reader, ben),
    }[what];
    if (!forbidden) throw new Error(`nothing is forbidden of ${what}`);
    expect(await refusedWith(...forbidden)).toBe('AuthorizationFailed');
    const untrue = { properties: { ...forbidden[2].properties, principalType: 'User' } };
    expect(await refusedWith('PUT', forbidden[1], untrue, ada)).not.toBeUndefined();
    // Nor may the delegate loosen what binds it, nor end what it could not have given.
    const [platformOwner] = rows.roleAssignments.filter(({ principalId }) => principalId === platformTeam);
    const own = {
      properties: { roleDefinitionId: roleAt(roleIds.userAccessAdministrator), principalId: ada },
    };
    // (Who may give people any role may give themselves any; as in Azure, a kind alone binds nobody.)
    if (what !== 'kind of principal') {
      expect(await refusedWith('PUT', address, own, ada)).toBe('AuthorizationFailed');
      expect(await refusedWith('DELETE', address, undefined, ada)).toBe('AuthorizationFailed');
    }
    expect(
      await refusedWith(
        'DELETE',
        `${subscription}/${provider}/roleAssignments/${platformOwner?.id}`,
        undefined,
        ada,
      ),
    ).toBe('AuthorizationFailed');
    const allowed = give(roleIds.reader, cleo);
    expect((await send(...allowed)).status).toBe(201);
    expect((await send('DELETE', allowed[1], undefined, ada)).status).toBe(200);
  });
});

describe('a deny assignment', () => {
  const address = `${group}/${provider}/denyAssignments/${names[3]}`;
  const permissions = [{ actions: ['*'], notActions: ['*/read'] }];
  const wanted = {
    denyAssignmentName: 'incident 42',
    permissions,
    principals: [{ id: '00000000-0000-0000-0000-000000000000', type: 'SystemDefined' }],
    excludePrincipals: [{ id: platformTeam, type: 'Group' }],
  };
  const submit = {
    action: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
    dataAction: false,
    scope: workspace,
  };

  test('is written, enforced at once, read back, changed and ended', async () => {
    expect(decide(snapshot, ada, submit).allowed).toBe(true);
    expect((await send('PUT', address, { properties: wanted })).status).toBe(201);
    expect(decide(snapshot, ada, submit).cause).toMatchObject({ kind: 'deny-assignment', id: names[3] });
    expect(decide(snapshot, ben, submit).allowed).toBe(true);
    expect((await send('GET', address)).body).toMatchObject({
      properties: { principals: [{ type: 'SystemDefined' }], excludePrincipals: [{ id: platformTeam }] },
    });
    const narrower = { ...wanted, permissions: [{ actions: ['*/delete'] }] };
    expect((await send('PUT', address, { properties: narrower })).status).toBe(200);
    expect(decide(snapshot, ada, submit).allowed).toBe(true);
    expect((await send('DELETE', address)).status).toBe(200);
    expect((await send('DELETE', address)).status).toBe(204);
  });

  test('needs denyAssignments/write, which a data scientist lacks', async () => {
    expect(await refusedWith('PUT', address, { properties: wanted }, ada)).toBe('AuthorizationFailed');
    expect(await refusedWith('DELETE', address, undefined, ada)).toBe('AuthorizationFailed');
  });

  test.each<[string, object, string]>([
    ['nobody', { principals: [] }, 'InvalidDenyAssignment'],
    ['everyone left out', { excludePrincipals: wanted.principals }, 'InvalidDenyAssignment'],
    ['an unknown principal', { principals: [{ id: names[8] }] }, 'PrincipalNotFound'],
    ['no permission', { permissions: [] }, 'InvalidDenyAssignment'],
    ['a text that is no condition', { condition: 'x', conditionVersion: '2.0' }, 'InvalidCondition'],
  ])('with %s is refused', async (_what, properties, code) => {
    expect(await refusedWith('PUT', address, { properties: { ...wanted, ...properties } })).toBe(code);
    expect(recorded).toEqual([]);
  });
});

describe('a role definition', () => {
  const address = (scope: string): string => `${scope}/${provider}/roleDefinitions/${names[1]}`;
  const definition = (assignableScopes: string[], actions = ['Contoso.Things/*/read']): object => ({
    properties: { roleName: 'Thing reader', permissions: [{ actions }], assignableScopes },
  });

  test('lists the built-in roles, by name too', async () => {
    const all = valueOf(await send('GET', `${subscription}/${provider}/roleDefinitions`));
    expect(all).toHaveLength(rows.roleDefinitions.length);
    const filter = encodeURIComponent("roleName eq 'storage blob data reader'");
    const [found] = valueOf(
      await send('GET', `${subscription}/${provider}/roleDefinitions?$filter=${filter}`),
    );
    expect(found).toMatchObject({ name: roleIds.storageBlobDataReader });
  });

  test('of our own is written, used, protected while used, and deleted', async () => {
    expect((await send('PUT', address(group), definition([group]))).status).toBe(201);
    const grant = { properties: { roleDefinitionId: address(subscription), principalId: cleo } };
    expect(await refusedWith('PUT', `${subscription}/${provider}/roleAssignments/${names[2]}`, grant)).toBe(
      'RoleDefinitionNotAssignableAtScope',
    );
    const assigned = `${workspace}/${provider}/roleAssignments/${names[2]}`;
    expect((await send('PUT', assigned, grant)).status).toBe(201);
    expect(await refusedWith('DELETE', address(group))).toBe('RoleDefinitionHasAssignments');
    await send('DELETE', assigned);
    expect((await send('DELETE', address(group))).status).toBe(200);
    expect(snapshot.roleDefinition(names[1] ?? '')).toBeUndefined();
  });

  test('that Azure ships is seen at the root by anyone, one of our own only by who may read roles there', async () => {
    await send('PUT', address(group), definition([group]));
    const stranger = job;
    const listed = async (query: string, who: PrincipalId) =>
      valueOf(await send('GET', `/${provider}/roleDefinitions${query}`, undefined, who)) as {
        name: string;
      }[];
    expect(await listed('', stranger)).toHaveLength(rows.roleDefinitions.length);
    expect(await listed("?$filter=roleName eq 'Thing reader'", stranger)).toEqual([]);
    expect(await listed("?$filter=roleName eq 'Reader'", stranger)).toMatchObject([{ name: roleIds.reader }]);
    for (const root of ['', '/']) {
      const path = `${root}/${provider}/roleDefinitions`;
      expect((await send('GET', `${path}/${roleIds.reader}`, undefined, stranger)).status).toBe(200);
      for (const hidden of [names[1], names[8]])
        expect(await refusedWith('GET', `${path}/${hidden}`, undefined, stranger)).toBe(
          'AuthorizationFailed',
        );
    }
    snapshot.apply({
      previous: sequence,
      sequence: ++sequence,
      change: {
        kind: 'role-assignment.put',
        assignment: {
          ...rows.roleAssignments[0]!,
          id: names[7]!,
          scope: '/',
          roleDefinitionId: roleIds.reader,
          principalId: stranger,
        },
      },
    });
    expect(await listed("?$filter=roleName eq 'Thing reader'", stranger)).toMatchObject([{ name: names[1] }]);
    expect((await send('GET', `/${provider}/roleDefinitions/${names[1]}`, undefined, stranger)).status).toBe(
      200,
    );
    expect(await refusedWith('GET', `/${provider}/roleDefinitions/${names[8]}`, undefined, stranger)).toBe(
      'RoleDefinitionDoesNotExist',
    );
  });

  test('keeps the spelling of its assignable scopes, and tells who wrote it first and last', async () => {
    const spelt = `${subscription}/resourceGroups/Vision`;
    const created = await send('PUT', address(group), definition([spelt]));
    expect(created.body).toMatchObject({
      properties: {
        assignableScopes: [spelt],
        createdOn: '2026-11-20T10:00:00.000Z',
        createdBy: ben,
        updatedOn: '2026-11-20T10:00:00.000Z',
      },
    });
    expect(snapshot.roleDefinition(names[1] ?? '')?.assignableScopes).toEqual([group]);
    clock.advance(60_000);
    const changed = await send('PUT', address(spelt), definition([spelt], ['Contoso.Things/a/read']));
    expect(changed.body).toMatchObject({
      properties: { createdOn: '2026-11-20T10:00:00.000Z', updatedOn: '2026-11-20T10:01:00.000Z' },
    });
    expect((await send('GET', address(group))).body).toMatchObject(changed.body as object);
    await send('PUT', address(group), definition([group]));
    expect((await send('GET', address(group))).body).toMatchObject({
      properties: { assignableScopes: [group] },
    });
  });

  test('cannot be widened by someone who may not write roles at every scope that it reaches', async () => {
    const scoped = {
      ...rows.roleAssignments[0],
      id: names[7] ?? '',
      scope: group,
      principalId: ada,
      roleDefinitionId: roleIds.userAccessAdministrator,
    };
    snapshot.apply({
      previous: sequence,
      sequence: ++sequence,
      change: { kind: 'role-assignment.put', assignment: { ...rows.roleAssignments[0]!, ...scoped } },
    });
    expect((await send('PUT', address(group), definition([group]), ada)).status).toBe(201);
    expect(await refusedWith('PUT', address(group), definition([group, subscription]), ada)).toBe(
      'AuthorizationFailed',
    );
    expect(await refusedWith('PUT', address(group), definition(['/']), ada)).toBe('AuthorizationFailed');
    await send('PUT', address(subscription), definition([group, subscription], ['Contoso.Things/a/read']));
    expect(await refusedWith('PUT', address(group), definition([group], ['*']), ada)).toBe(
      'AuthorizationFailed',
    );
    expect(await refusedWith('DELETE', address(group), undefined, ada)).toBe('AuthorizationFailed');
  });

  test.each<[string, object, string]>([
    ['an action that is no action', definition([group], ['(a+)+$']), 'InvalidRoleDefinition'],
    ['a scope that is no scope', definition(['nowhere']), 'InvalidRoleDefinition'],
    [
      'somewhere else to be assigned',
      definition([`${subscription}/resourcegroups/other`]),
      'InvalidRoleDefinition',
    ],
    [
      'the name of another role',
      { properties: { roleName: 'OWNER', permissions: [{}], assignableScopes: [group] } },
      'RoleDefinitionWithSameNameExists',
    ],
  ])('with %s is refused', async (_what, body, azureCode) => {
    expect(await refusedWith('PUT', address(group), body)).toBe(azureCode);
    expect(recorded).toEqual([]);
  });

  test('is assignable at one management group at most, and then grants no data action', async () => {
    const [one, two] = ['a', 'b'].map((id) => `/providers/Microsoft.Management/managementGroups/${id}`);
    const put = (assignableScopes: unknown[], dataActions: string[]) =>
      refusedWith('PUT', address(group), {
        properties: {
          roleName: 'Wide',
          permissions: [{ actions: ['x/read'], dataActions }],
          assignableScopes: [group, ...assignableScopes],
        },
      });
    expect(await put([one, two], [])).toBe('InvalidRoleDefinition');
    expect(await put([one], ['x/y/read'])).toBe('InvalidRoleDefinition');
    expect(await put([one], [])).toBe('AuthorizationFailed');
  });

  test('keeps the scopes at which it is assigned', async () => {
    await send('PUT', address(group), definition([group]));
    const grant = { properties: { roleDefinitionId: address(subscription), principalId: cleo } };
    await send('PUT', `${group}/${provider}/roleAssignments/${names[2]}`, grant);
    expect(await refusedWith('PUT', address(group), definition([workspace]))).toBe(
      'RoleDefinitionHasAssignments',
    );
  });

  test('cannot be the 5,001st', async () => {
    const [, ...rest] = Array.from({ length: 5_001 }, (_, i) => i);
    for (const n of rest) {
      const id = `55555555-0000-4000-8000-${String(n).padStart(12, '0')}`;
      const one = { ...rows.roleDefinitions[0]!, id, roleName: `r${n}`, type: 'CustomRole' as const };
      snapshot.apply({
        previous: sequence,
        sequence: ++sequence,
        change: { kind: 'role-definition.put', definition: one },
      });
    }
    expect(await refusedWith('PUT', address(group), definition([group]))).toBe('RoleDefinitionLimitExceeded');
  });

  test('that is built in cannot be changed or deleted', async () => {
    const owner = `${subscription}/${provider}/roleDefinitions/${roleIds.reader}`;
    expect(await refusedWith('PUT', owner, definition([subscription], ['*']))).toBe(
      'RoleDefinitionUpdateNotPermitted',
    );
    expect(await refusedWith('DELETE', owner)).toBe('RoleDefinitionUpdateNotPermitted');
  });
});

describe('the decision point', () => {
  const blobRead = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
  const question = (objectId: string, resource: string): object => ({
    Subject: { Attributes: { ObjectId: objectId, Groups: [platformTeam, researchers] } },
    Actions: [{ Id: blobRead, IsDataAction: true }, { Id: 'Microsoft.Storage/storageAccounts/write' }],
    Resource: { Id: resource },
  });

  test('answers per action, names the assignment, and does not believe the groups that it is told', async () => {
    const { body } = await send('POST', `${group}/${provider}/checkaccess`, question(ada, training));
    expect(body).toMatchObject([
      {
        actionId: blobRead,
        isDataAction: true,
        accessDecision: 'Allowed',
        roleAssignment: { name: rows.roleAssignments[1]?.id },
      },
      { accessDecision: 'NotAllowed', roleAssignment: null },
    ]);
  });

  test('tells a deny assignment from a missing grant', async () => {
    snapshot.apply({
      previous: sequence,
      sequence: ++sequence,
      change: { kind: 'deny-assignment.put', assignment: deny(1, { principals: [visionTeam] }) },
    });
    const { body } = await send('POST', `${group}/${provider}/checkaccess`, question(ada, training));
    expect(body).toMatchObject([
      { accessDecision: 'Denied', denyAssignment: { name: deny(1, {}).id } },
      { accessDecision: 'Denied' },
    ]);
    const denials = valueOf(await send('GET', `${group}/${provider}/denyAssignments`));
    expect(denials).toHaveLength(1);
  });

  test('answers only about resources within the scope at which the caller may ask', async () => {
    const ask = `${workspace}/${provider}/checkaccess`;
    expect(await refusedWith('POST', ask, question(ada, training))).toBe('InvalidResource');
    expect(await refusedWith('POST', ask, question(ada, `${workspace}2`))).toBe('InvalidResource');
  });

  test('lists the permissions of the caller, of no delegated one', async () => {
    const { body } = await send('GET', `${workspace}/${provider}/permissions`, undefined, cleo);
    expect(body).toMatchObject({ value: [{ actions: ['*/read'] }] });
    expect(await refusedWith('GET', `${workspace}/${provider}/permissions`, undefined, ada, job)).toBe(
      'DelegatedPermissionsNotSupported',
    );
  });
});

describe('the operations that there are', () => {
  test('are listed by provider for whoever is authenticated, data actions marked', async () => {
    const all = valueOf(await send('GET', `/${provider}/providerOperations`, undefined, cleo));
    expect(all.length).toBeGreaterThan(5);
    const { body } = await send('GET', `/${provider}/providerOperations/microsoft.STORAGE`, undefined, cleo);
    expect(body).toMatchObject({ name: 'Microsoft.Storage', displayName: 'Microsoft Storage' });
    expect(JSON.stringify(body)).toContain(
      '"storageAccounts/blobServices/containers/blobs","displayName":"storageAccounts/blobServices/containers/blobs"',
    );
    expect(await refusedWith('GET', `/${provider}/providerOperations/nobody`)).toBe('ProviderNotFound');
  });

  test('elevate nobody: without the action it is denied, and with it there is nothing to be elevated by', async () => {
    expect(await refusedWith('POST', `/${provider}/elevateAccess`, undefined, cleo)).toBe(
      'AuthorizationFailed',
    );
    snapshot.apply({
      previous: sequence,
      sequence: ++sequence,
      change: {
        kind: 'role-assignment.put',
        assignment: { ...rows.roleAssignments[2]!, id: names[8] ?? '', scope: '/' },
      },
    });
    expect(await refusedWith('POST', `/${provider}/elevateAccess`)).toBe('ElevateAccessNotSupported');
    expect(recorded).toEqual([]);
  });
});

describe('the describer', () => {
  test.each([
    ['GET', `${group}/providers/Microsoft.Compute/virtualMachines/x`],
    ['GET', `${group}/${provider}`],
    ['GET', `${group}/${provider}/elevateAccess`],
    ['POST', `${group}/${provider}/roleAssignments`],
    ['PATCH', `${group}/${provider}/roleAssignments/${names[1]}`],
    ['PUT', `${group}/${provider}/denyAssignments`],
    ['GET', `${group}/${provider}/roleAssignments/${names[1]}/more`],
    ['GET', `${group}/Microsoft.Authorization/roleAssignments`],
  ])('does not know %s %s', (method, path) => {
    expect(describer(head(method, path))).toBeNull();
  });

  test.each([
    `/a//b/${provider}/roleAssignments`,
    `/a/%2e%2e/${provider}/roleAssignments`,
    `/a%2Fb/${provider}/roleAssignments`,
    `/a%00/${provider}/roleAssignments`,
    `/a%ff/${provider}/roleAssignments`,
  ])('refuses %s, whose prefix is no scope', (path) => {
    expect(() => describer(head('GET', path))).toThrow(LockstepError);
  });

  test('takes the whole tenant as a scope, and the last mention of the provider as the one that counts', () => {
    const scopeOf = (path: string): unknown => describer(head('GET', path))?.guard;
    expect(scopeOf(`/${provider}/roleAssignments`)).toMatchObject({ access: { scope: '/' } });
    const nested = `/a/${provider}/roleAssignments/x/${provider}/roleAssignments`;
    expect(scopeOf(nested)).toMatchObject({
      access: { scope: `/a/${provider.toLowerCase()}/roleassignments/x` },
    });
  });

  test.each([
    "principalId eq 'me'",
    'principalId ne 1',
    "atScope() or assignedTo('x')",
    "roleName eq 'x'",
    "'",
  ])('refuses the filter %s rather than answer too much', async (filter) => {
    const path = `${group}/${provider}/roleAssignments?$filter=${encodeURIComponent(filter)}`;
    expect(await refusedWith('GET', path)).toBe('InvalidFilter');
  });
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What the pipeline does: decide on the guard, then serve. */
async function send(
  method: string,
  path: string,
  body?: unknown,
  ...authorities: PrincipalId[]
): Promise<Answer> {
  const request = head(method, path);
  const described = describer(request);
  if (!described) throw new Error(`${method} ${path} is not described`);
  const chain = authorities.length > 0 ? authorities : [ben];
  const decisionOn = (access: Parameters<Exchange['decideAlso']>[0]): Exchange['decision'] => ({
    ...decideForAll(snapshot, chain, access),
    id: 'dec_test' as Exchange['decision']['id'],
    authorities: chain,
    access,
    snapshotVersion: snapshot.version,
    restsOnTime: false,
  });
  let access =
    described.guard.kind === 'action'
      ? described.guard.access
      : { action: 'x', dataAction: false, scope: described.guard.scope };
  let unread: unknown = null;
  try {
    if (described.guard.kind === 'action' && described.guard.accessFromBody) {
      access = described.guard.accessFromBody(Buffer.from(JSON.stringify(body)));
    }
  } catch (error) {
    unread = error;
  }
  const decision = decisionOn(access);
  if (described.guard.kind === 'action' && !decision.allowed) {
    throw new LockstepError({ code: 'access_denied', details: { decision } });
  }
  if (unread) throw unread;
  const reply = await described.serve({
    head: request,
    caller: {
      tenantId: by.tenantId,
      subject: { id: chain[0] ?? ben, kind: 'user', name: 'caller' },
      chain: [],
      authorities: chain,
      credential: { kind: 'bearer', tokenId: 't', sessionId: null, leaseId: null, expiresAt: 0 },
    },
    decision,
    attribution: by,
    bytes: Buffer.alloc(0),
    stream: Readable.from([]),
    json: <T>(schema: ZodType<T>): T => schema.parse(JSON.parse(JSON.stringify(body))),
    form: () => new Map(),
    signal: new AbortController().signal,
    decideAlso: async (also) => decisionOn(also),
    decideEach: async (accesses) => accesses.map(decisionOn),
    trailers: () => ({}),
    hint: () => undefined,
    conclude: () => undefined,
    sentAgain: () => undefined,
  });
  return { status: reply.status, body: typeof reply.body === 'string' ? JSON.parse(reply.body) : undefined };
}

async function refusal(...request: Parameters<typeof send>): Promise<LockstepError> {
  const answer: unknown = await send(...request).catch((error: unknown) => error);
  if (answer instanceof LockstepError) return answer;
  throw new Error('not refused', { cause: answer });
}

async function refusedWith(...request: Parameters<typeof send>): Promise<unknown> {
  const error = await refusal(...request);
  return error.details['azureCode'] ?? (error.code === 'access_denied' ? 'AuthorizationFailed' : error.code);
}

function valueOf({ body }: Answer): unknown[] {
  const value = typeof body === 'object' && body !== null && 'value' in body ? body.value : null;
  return Array.isArray(value) ? value : [];
}

function head(method: string, url: string): RequestHead {
  const [path = '', rawQuery = ''] = url.split('?');
  return {
    id: 'req_test' as RequestId,
    method,
    host: 'localhost',
    authority: 'localhost:8443',
    path,
    rawQuery,
    query: new URLSearchParams(rawQuery),
    headers: {},
    remoteAddress: '127.0.0.1',
    origin: 'https://localhost:8443',
    upgrade: null,
    hasBody: false,
  };
}

function principalRow(record: PrincipalRecord = person(ada, 'Ada')): {
  id: string;
  kind: string;
  display_name: string;
  enabled: number;
  sponsor_id: string | null;
  sign_in_name: string | null;
  created_at: number;
  security_attributes_json: string;
} {
  return {
    id: record.id,
    kind: record.kind,
    display_name: record.displayName,
    enabled: 1,
    sponsor_id: record.sponsorId,
    sign_in_name: record.signInName,
    created_at: 0,
    security_attributes_json: '{}',
  };
}
