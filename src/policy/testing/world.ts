import * as fc from 'fast-check';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Change, Permission, PrincipalRecord, RoleDefinition } from '../../store/changes.ts';
import { everyone, type PolicyRows } from '../snapshot.ts';
import type { Access } from '../types.ts';

export type PolicyChange = Extract<
  Change,
  {
    readonly kind: `${'principal' | 'group' | 'role-definition' | 'role-assignment' | 'deny-assignment'}.${string}`;
  }
>;

/** Tiny worlds, dense with denies, nesting and near misses: they find more than big ones. */
export const users = ids('1', 6);
export const groups = ids('2', 10);
const roleNames = ids('3', 5);
const grantNames = ids('4', 11);
const denyNames = ids('5', 3);
const strangers = ids('9', 1);

export const scopes = ['/', '/a', '/a/b', '/a/bc', '/a/b/c', '/a/b/c/d', '/a/b/cd', '/e', '/a/x/y'];
const actions = ['N/t/read', 'N/t/write', 'N/t/u/read', 'N/t/u/write', 'M/t/read', 'N/tt/read'];
const patterns = [
  '*',
  '*/read',
  'N/*',
  'N/t/*',
  'N/t/read',
  'n/T/u/*',
  '*/u/*',
  'N/t*read',
  'M/t/read',
  '*t/write',
];

export const accesses: fc.Arbitrary<Access> = fc.record({
  action: fc.constantFrom(...actions, ...actions.map((action) => action.toUpperCase())),
  dataAction: weighted(3, false, 1, true),
  scope: fc.constantFrom(...scopes, '/a/b/c/d/e', '/a/bcd'),
});

const permission: fc.Arbitrary<Permission> = fc.record({
  actions: fc.subarray(patterns, { minLength: 1, maxLength: 4 }),
  notActions: fc.subarray(patterns, { maxLength: 1 }),
  dataActions: fc.subarray(patterns, { maxLength: 2 }),
  notDataActions: fc.subarray(patterns, { maxLength: 1 }),
});
const permissions = fc.array(permission, { minLength: 1, maxLength: 2 });

const firstRoles: readonly (readonly Permission[])[] = [
  [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
  [{ actions: ['*'], notActions: ['*/write'], dataActions: ['*/read'], notDataActions: ['M/*'] }],
  [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
  [{ actions: ['N/t/*'], notActions: ['N/t/u/*'], dataActions: ['*'], notDataActions: [] }],
];

const anyGroup = fc.constantFrom(...groups);
const anyPrincipal = fc.constantFrom(...users, ...groups, ...strangers);
const anyScope = fc.constantFrom(...scopes, '/A/B');

const principalChange = fc
  .record({ id: fc.constantFrom(...users, ...groups), enabled: weighted(4, true, 1, false) })
  .map(({ id, enabled }): PolicyChange => ({ kind: 'principal.updated', principal: principal(id, enabled) }));
const principalDeletion = fc.constantFrom(...users, ...groups).map((id): PolicyChange => ({
  kind: 'principal.deleted',
  id,
  principalKind: groups.includes(id) ? 'group' : 'user',
}));
const memberAdded = fc
  .record({ group: anyGroup, member: fc.constantFrom(...users, ...groups) })
  .map((edge): PolicyChange => ({ kind: 'group.member-added', ...edge }));
const memberRemoved = fc
  .record({ group: anyGroup, member: fc.constantFrom(...users, ...groups) })
  .map((edge): PolicyChange => ({ kind: 'group.member-removed', ...edge }));
const rolePut = fc
  .record({ id: fc.constantFrom(...roleNames), permissions })
  .map(({ id, permissions }): PolicyChange => ({
    kind: 'role-definition.put',
    definition: roleDefinition(id, permissions),
  }));
const roleDeleted = fc
  .constantFrom(...roleNames)
  .map((id): PolicyChange => ({ kind: 'role-definition.deleted', id }));
const grant = fc
  .record({
    id: fc.constantFrom(...grantNames),
    scope: anyScope,
    roleDefinitionId: fc.constantFrom(...roleNames),
    principalId: anyPrincipal,
  })
  .map((row) => ({
    ...row,
    principalType: 'User' as const,
    description: '',
    createdOn: '2026-01-01T00:00:00Z',
    createdBy: '',
  }));
const grantPut = grant.map((assignment): PolicyChange => ({ kind: 'role-assignment.put', assignment }));
const grantDeleted = grant.map((assignment): PolicyChange => ({
  kind: 'role-assignment.deleted',
  assignment,
}));
const deny = fc.record({
  id: fc.constantFrom(...denyNames),
  name: fc.constant('deny'),
  description: fc.constant(''),
  scope: anyScope,
  permissions,
  doNotApplyToChildScopes: fc.boolean(),
  principals: fc.oneof(
    { weight: 1, arbitrary: fc.constant([everyone as PrincipalId]) },
    { weight: 3, arbitrary: fc.subarray([...users, ...groups], { minLength: 1, maxLength: 3 }) },
  ),
  excludePrincipals: fc.subarray([...users, ...groups, everyone as PrincipalId], { maxLength: 2 }),
});
const denyPut = deny.map((assignment): PolicyChange => ({ kind: 'deny-assignment.put', assignment }));
const denyDeleted = deny.map((assignment): PolicyChange => ({ kind: 'deny-assignment.deleted', assignment }));

export const changes: fc.Arbitrary<PolicyChange> = fc.oneof(
  { weight: 6, arbitrary: memberAdded },
  { weight: 3, arbitrary: memberRemoved },
  { weight: 12, arbitrary: grantPut },
  { weight: 2, arbitrary: grantDeleted },
  { weight: 2, arbitrary: denyPut },
  { weight: 1, arbitrary: denyDeleted },
  { weight: 2, arbitrary: rolePut },
  { weight: 1, arbitrary: roleDeleted },
  { weight: 3, arbitrary: principalChange },
  { weight: 1, arbitrary: principalDeletion },
);

/** Every user and group known, each user three groups deep, a few roles; nobody granted anything yet. */
export const firstWorld: PolicyRows = {
  principals: [...users, ...groups].map((id) => principal(id, true)),
  memberships: [...users, ...groups].flatMap((member, i) => {
    const group = groups[i < users.length ? i : i - users.length + 3];
    return group && i < users.length + 6 ? [{ group, member }] : [];
  }),
  roleDefinitions: roleNames.map((id, i) => roleDefinition(id, firstRoles[i] ?? [])),
  roleAssignments: [],
  denyAssignments: [],
  version: 0,
};

export function principal(id: PrincipalId, enabled: boolean): PrincipalRecord {
  const kind = groups.includes(id) ? 'group' : 'user';
  return { id, kind, displayName: id, enabled, sponsorId: null, signInName: null };
}

/** What the rows are after a change, written without the engine. */
export function changedRows(rows: PolicyRows, change: PolicyChange, version: number): PolicyRows {
  const next = { ...rows, version };
  switch (change.kind) {
    case 'principal.created':
    case 'principal.updated':
      return { ...next, principals: replaced(rows.principals, change.principal) };
    case 'principal.deleted':
      return {
        ...next,
        principals: rows.principals.filter((row) => row.id !== change.id),
        memberships: rows.memberships.filter((row) => row.group !== change.id && row.member !== change.id),
      };
    case 'group.member-added': {
      const { group, member } = change;
      return { ...next, memberships: [...without(rows.memberships, group, member), { group, member }] };
    }
    case 'group.member-removed':
      return { ...next, memberships: without(rows.memberships, change.group, change.member) };
    case 'role-definition.put':
      return { ...next, roleDefinitions: replaced(rows.roleDefinitions, change.definition) };
    case 'role-definition.deleted':
      return { ...next, roleDefinitions: rows.roleDefinitions.filter((row) => row.id !== change.id) };
    case 'role-assignment.put':
      return { ...next, roleAssignments: replaced(rows.roleAssignments, change.assignment) };
    case 'role-assignment.deleted':
      return {
        ...next,
        roleAssignments: rows.roleAssignments.filter((row) => row.id !== change.assignment.id),
      };
    case 'deny-assignment.put':
      return { ...next, denyAssignments: replaced(rows.denyAssignments, change.assignment) };
    case 'deny-assignment.deleted':
      return {
        ...next,
        denyAssignments: rows.denyAssignments.filter((row) => row.id !== change.assignment.id),
      };
  }
}

function replaced<T extends { readonly id: string }>(rows: readonly T[], row: T): T[] {
  return [...rows.filter((candidate) => candidate.id !== row.id), row];
}

function roleDefinition(id: string, permissions: readonly Permission[]): RoleDefinition {
  return { id, roleName: id, description: '', type: 'CustomRole', permissions, assignableScopes: ['/'] };
}

function without(
  memberships: PolicyRows['memberships'],
  group: PrincipalId,
  member: PrincipalId,
): PolicyRows['memberships'] {
  return memberships.filter((row) => row.group !== group || row.member !== member);
}

function ids(prefix: string, count: number): PrincipalId[] {
  return Array.from(
    { length: count },
    (_, i) => `${prefix.repeat(8)}-0000-4000-8000-${i.toString(16).padStart(12, '0')}` as PrincipalId,
  );
}

function weighted<T>(a: number, left: T, b: number, right: T): fc.Arbitrary<T> {
  return fc.oneof({ weight: a, arbitrary: fc.constant(left) }, { weight: b, arbitrary: fc.constant(right) });
}
