import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PrincipalId, TenantId } from '../lib/ids.ts';
import {
  systemAttribution,
  type Change,
  type Commit,
  type DenyAssignment,
  type RoleDefinition,
  type ScopePlacement,
  type Tx,
} from './changes.ts';
import { deleteDenyAssignment, putDenyAssignment } from './deny-assignments.ts';
import { loadPolicyRows } from './policy-rows.ts';
import { deleteRoleAssignment, putRoleAssignment } from './role-assignments.ts';
import { deleteRoleDefinition, ensureRoleDefinitions, putRoleDefinition } from './role-definitions.ts';
import { placeScope, removeScope } from './scope-placements.ts';
import type { Schema } from './schema.ts';
import { openSqliteStore, type Store } from './sqlite.ts';

const by = systemAttribution('22222222-0000-4000-8000-000000000000' as TenantId, 'test');
const user = '11111111-0000-4000-8000-000000000001' as PrincipalId;
const group = '11111111-0000-4000-8000-000000000002' as PrincipalId;
const reader: RoleDefinition = {
  id: '33333333-0000-4000-8000-000000000001',
  roleName: 'Reader',
  description: 'Sees.',
  type: 'BuiltInRole',
  permissions: [
    { actions: ['*/read'], notActions: ['a/b'], dataActions: ['c/*'], notDataActions: [], condition: 'x' },
  ],
  assignableScopes: ['/'],
};
const assignment = {
  id: '44444444-0000-4000-8000-000000000001',
  scope: '/subscriptions/s',
  roleDefinitionId: reader.id,
  principalId: user,
  principalType: 'User' as const,
  description: '',
  createdOn: '2026-01-01T00:00:00.000Z',
  createdBy: 'test',
  condition: "@Request[a] StringEquals 'b'",
};
const freeze: DenyAssignment = {
  id: 'd',
  name: 'Freeze',
  description: '',
  scope: '/a',
  permissions: reader.permissions,
  doNotApplyToChildScopes: true,
  principals: [user],
  excludePrincipals: [],
  condition: "@Request[a] StringEquals 'c'",
};
const labs: ScopePlacement = {
  scope: '/providers/microsoft.management/managementgroups/labs',
  parent: null,
  displayName: 'Labs',
};
const placed: ScopePlacement = { scope: '/subscriptions/s', parent: labs.scope, displayName: 'Vision' };

let store: Store;
let recorded: Change[];
const commit: Commit = async (_attribution, work) =>
  store.db.transaction().execute((tx) => work(tx, (change) => recorded.push(change)));

beforeEach(async () => {
  store = await openSqliteStore({ path: ':memory:' });
  recorded = [];
});

afterEach(async () => {
  await store.close();
});

test('an empty store is an empty policy at version 0', async () => {
  expect(await loadPolicyRows(store.db)).toEqual({
    principals: [],
    memberships: [],
    roleDefinitions: [],
    roleAssignments: [],
    denyAssignments: [],
    placements: [],
    tags: [],
    version: 0,
  });
});

test('what was written is what is loaded, at the version of the newest change', async () => {
  const principal = { display_name: 'x', sponsor_id: null, sign_in_name: null, created_at: 0 };
  await store.db
    .insertInto('principals')
    .values([
      {
        ...principal,
        id: user,
        kind: 'user',
        enabled: 0,
        security_attributes_json: '{"Lab_Level":3,"Lab_Projects":["ocean","ice"]}',
      },
      { ...principal, id: group, kind: 'group', enabled: 1, security_attributes_json: '{}' },
    ])
    .execute();
  await store.db.insertInto('group_members').values({ group_id: group, member_id: user }).execute();
  await commit(by, async (tx, record) => {
    await putDenyAssignment(tx, record, freeze);
    await placeScope(tx, record, labs, 1);
    await placeScope(tx, record, placed, 2);
  });
  await store.db
    .insertInto('resources')
    .values(resourceRow('/a/b', { purpose: 'triage' }))
    .execute();
  await store.db.insertInto('resources').values(resourceRow('/a/c', {})).execute();
  await ensureRoleDefinitions(store, commit, by, [reader], 5);
  await commit(by, (tx, record) => putRoleAssignment(tx, record, assignment));
  for (const [event_id, previous_change] of [
    ['evt_1', 0],
    ['evt_2', 1],
    ['evt_3', null],
  ] as const) {
    await store.db
      .insertInto('ledger_events')
      .values({
        event_id,
        time: 1,
        class_uid: 1,
        decision_id: null,
        job_id: null,
        principal_id: null,
        entry: new Uint8Array(),
        previous_change,
      })
      .execute();
  }
  const at = new Date(5).toISOString();
  const history = { createdOn: at, createdBy: '', updatedOn: at, updatedBy: '' };
  expect(await loadPolicyRows(store.db)).toEqual({
    principals: [
      {
        id: user,
        kind: 'user',
        displayName: 'x',
        enabled: false,
        sponsorId: null,
        signInName: null,
        securityAttributes: { Lab_Level: 3, Lab_Projects: ['ocean', 'ice'] },
      },
      { id: group, kind: 'group', displayName: 'x', enabled: true, sponsorId: null, signInName: null },
    ],
    memberships: [{ group, member: user }],
    roleDefinitions: [{ ...reader, history }],
    roleAssignments: [assignment],
    denyAssignments: [freeze],
    placements: [labs, placed],
    tags: [{ scope: '/a/b', tags: { purpose: 'triage' } }],
    version: 2,
  });
});

test('a definition is written when it is new or has changed, and not otherwise', async () => {
  expect(await ensureRoleDefinitions(store, commit, by, [reader], 1)).toBe(1);
  expect(await ensureRoleDefinitions(store, commit, by, [reader], 2)).toBe(0);
  expect(await ensureRoleDefinitions(store, commit, by, [{ ...reader, description: 'Looks.' }], 3)).toBe(1);
  expect(recorded.map((change) => change.kind)).toEqual(['role-definition.put', 'role-definition.put']);
  expect((await loadPolicyRows(store.db)).roleDefinitions).toMatchObject([{ description: 'Looks.' }]);
});

test('what is recorded of a definition is what is loaded, with who wrote it first and last', async () => {
  const { result, changes } = await written(async (tx, record) => {
    await putRoleDefinition(tx, record, { ...reader, writtenScopes: ['/'] }, 1, user);
    return putRoleDefinition(tx, record, { ...reader, description: 'Looks.' }, 2, group);
  });
  const [definition] = (await loadPolicyRows(store.db)).roleDefinitions;
  expect(changes.at(-1)).toEqual({ kind: 'role-definition.put', definition });
  expect(result).toEqual(definition);
  expect(definition).toEqual({
    ...reader,
    description: 'Looks.',
    history: {
      createdOn: '1970-01-01T00:00:00.001Z',
      createdBy: user,
      updatedOn: '1970-01-01T00:00:00.002Z',
      updatedBy: group,
    },
  });
});

test('an assignment keeps the spelling of its scope, and who changed it last', async () => {
  const mixed = { ...assignment, scope: '/subscriptions/s/resourcegroups/a' };
  const spelt = { ...mixed, writtenScope: '/subscriptions/s/resourceGroups/A' };
  const changed = { ...spelt, description: 'x', updatedOn: '2026-01-02T00:00:00.000Z', updatedBy: group };
  await written(async (tx, record) => {
    await putRoleAssignment(tx, record, spelt);
    await putRoleAssignment(tx, record, changed);
  });
  expect((await loadPolicyRows(store.db)).roleAssignments).toEqual([changed]);
});

test('each deletion removes the row and is recorded', async () => {
  await ensureRoleDefinitions(store, commit, by, [reader], 1);
  await commit(by, async (tx, record) => {
    await putRoleAssignment(tx, record, assignment);
    await deleteRoleAssignment(tx, record, assignment);
    await deleteRoleDefinition(tx, record, reader.id);
    await putDenyAssignment(tx, record, freeze);
    await deleteDenyAssignment(tx, record, freeze);
    await placeScope(tx, record, labs, 1);
    await removeScope(tx, record, labs.scope);
  });
  expect(recorded.map((change) => change.kind).slice(1)).toEqual([
    'role-assignment.put',
    'role-assignment.deleted',
    'role-definition.deleted',
    'deny-assignment.put',
    'deny-assignment.deleted',
    'scope.placed',
    'scope.removed',
  ]);
  expect(await loadPolicyRows(store.db)).toMatchObject({
    roleDefinitions: [],
    roleAssignments: [],
    denyAssignments: [],
    placements: [],
  });
});

test('a row that is not in the form this version writes is not guessed at', async () => {
  await store.db
    .insertInto('role_definitions')
    .values({
      id: reader.id,
      role_name: 'x',
      description: '',
      type: 'CustomRole',
      permissions_json: '[{"actions":"*"}]',
      assignable_scopes_json: '[]',
      created_at: 0,
      updated_at: 0,
      written_scopes_json: null,
      created_by: '',
      updated_by: '',
    })
    .execute();
  await expect(loadPolicyRows(store.db)).rejects.toThrow(/permissions|actions|expected/i);
});

test('a condition is written, changed and taken away with its assignment', async () => {
  await commit(by, async (tx, record) => {
    await putRoleAssignment(tx, record, assignment);
    await putRoleAssignment(tx, record, { ...assignment, condition: 'x' });
  });
  expect((await loadPolicyRows(store.db)).roleAssignments).toEqual([{ ...assignment, condition: 'x' }]);
  const { condition: _, ...plain } = assignment;
  await commit(by, (tx, record) => putRoleAssignment(tx, record, plain));
  expect((await loadPolicyRows(store.db)).roleAssignments).toEqual([plain]);
});

test('nothing can be put beneath what was never placed, nor be left without what it is beneath', async () => {
  await expect(commit(by, (tx, record) => placeScope(tx, record, placed, 1))).rejects.toThrow(/FOREIGN KEY/);
  await commit(by, async (tx, record) => {
    await placeScope(tx, record, labs, 1);
    await placeScope(tx, record, placed, 1);
  });
  await expect(commit(by, (tx, record) => removeScope(tx, record, labs.scope))).rejects.toThrow(
    /FOREIGN KEY/,
  );
});

async function written<T>(work: (tx: Tx, record: (change: Change) => void) => Promise<T>) {
  const before = recorded.length;
  const result = await commit(by, work);
  return { result, changes: recorded.slice(before) };
}

function resourceRow(id: string, tags: Readonly<Record<string, string>>): Schema['resources'] {
  return {
    id,
    display_id: id,
    type: 't',
    parent_id: '/a',
    name: 'n',
    properties_json: '{}',
    tags_json: JSON.stringify(tags),
    location: null,
    etag: '"1"',
    created_at: 0,
    created_by_json: '[]',
    updated_at: 0,
    updated_by_json: '[]',
  };
}
