import * as fc from 'fast-check';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Permission, PolicyChange, PrincipalRecord, RoleDefinition } from '../../store/changes.ts';
import { everyone, type PolicyRows } from '../snapshot.ts';
import type { Access } from '../types.ts';
import { attributeSets, conditions, securityAttributes, tagSets } from './condition-texts.ts';

/** Tiny worlds, dense with denies, nesting and near misses: they find more than big ones. */
export const users = ids('1', 6);
export const groups = ids('2', 10);
const roleNames = ids('3', 5);
const grantNames = ids('4', 14);
const denyNames = ids('5', 4);
const strangers = ids('9', 1);

const managementGroups = ['a', 'b', 'c'].map(
  (name) => `/providers/microsoft.management/managementgroups/${name}`,
);
const subscriptions = ['s', 'ss', 't'].map((name) => `/subscriptions/${name}`);
const resourceGroup = '/subscriptions/s/resourcegroups/r';
const resource = `${resourceGroup}/providers/n/t/x`;

export const scopes = [
  '/',
  ...managementGroups,
  ...subscriptions,
  resourceGroup,
  '/subscriptions/s/resourcegroups/rr',
  '/subscriptions/t/resourcegroups/r',
  resource,
  `${resource}x`,
  `${resource}/u/y`,
  '/elsewhere',
];
const askedScopes = [
  ...scopes,
  `${resource}/u/y/v/z`,
  `${resource}/u`,
  '/subscriptions/u',
  `${resourceGroup}/x`,
];
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

export const accesses: fc.Arbitrary<Access> = fc
  .record({
    action: fc.constantFrom(...actions, ...actions.map((action) => action.toUpperCase())),
    dataAction: weighted(3, false, 1, true),
    scope: weighted(12, fc.constantFrom(...askedScopes), 1, fc.constantFrom(...askedScopes.map(loud))),
    subOperation: fc.constantFrom('List', 'read'),
    subtree: fc.constantFrom(true, false, false),
    attributes: fc.record({ request: attributeSets, resource: attributeSets, environment: attributeSets }),
  })
  .map(({ subOperation, subtree, ...access }) => ({
    ...access,
    ...(subOperation === 'read' ? {} : { subOperation }),
    ...(subtree ? { subtree } : {}),
  }));

const anyGroup = fc.constantFrom(...groups);
const anyPrincipal = fc.constantFrom(...users, ...groups, ...strangers);
const anyScope = weighted(15, fc.constantFrom(...scopes), 1, fc.constantFrom(...scopes.map(loud)));
const condition = weighted(3, fc.constant(null), 1, conditions);

const permission: fc.Arbitrary<Permission> = fc.record({
  actions: fc.subarray(patterns, { minLength: 1, maxLength: 4 }),
  notActions: fc.subarray(patterns, { maxLength: 1 }),
  dataActions: fc.subarray(patterns, { maxLength: 2 }),
  notDataActions: fc.subarray(patterns, { maxLength: 1 }),
  condition: weighted(5, fc.constant(null), 1, conditions),
});
const permissions = fc.array(permission, { minLength: 1, maxLength: 2 });

const firstRoles: readonly (readonly Permission[])[] = [
  [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
  [{ actions: ['*'], notActions: ['*/write'], dataActions: ['*/read'], notDataActions: ['M/*'] }],
  [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
  [{ actions: ['N/t/*'], notActions: ['N/t/u/*'], dataActions: ['*'], notDataActions: [] }],
];

const principalPut = fc
  .record({
    id: fc.constantFrom(...users, ...groups),
    enabled: fc.constantFrom(true, true, true, false),
    attributes: securityAttributes,
  })
  .map(({ id, enabled, attributes }) => ({
    kind: 'principal.updated' as const,
    principal: { ...principal(id, enabled), securityAttributes: attributes },
  }));
export const groupsDisabled: fc.Arbitrary<PolicyChange> = anyGroup.map((id) => ({
  kind: 'principal.updated' as const,
  principal: principal(id, false),
}));
const edge = fc.record({ group: anyGroup, member: fc.constantFrom(...users, ...groups) });
const grant = fc.record({
  id: fc.constantFrom(...grantNames),
  scope: anyScope,
  roleDefinitionId: fc.constantFrom(...roleNames),
  principalId: anyPrincipal,
  condition,
  principalType: fc.constant('User' as const),
  description: fc.constant(''),
  createdOn: fc.constant('2026-01-01T00:00:00Z'),
  createdBy: fc.constant(''),
});
const deny = fc.record({
  id: fc.constantFrom(...denyNames),
  name: fc.constant('deny'),
  description: fc.constant(''),
  scope: anyScope,
  permissions,
  doNotApplyToChildScopes: fc.boolean(),
  principals: weighted(
    3,
    fc.subarray([...users, ...groups], { minLength: 1, maxLength: 3 }),
    1,
    fc.constant<PrincipalId[]>([everyone as PrincipalId]),
  ),
  excludePrincipals: fc.subarray([...users, ...groups, everyone as PrincipalId], { maxLength: 2 }),
  condition,
});
export const denyPuts: fc.Arbitrary<PolicyChange> = deny.map((assignment) => ({
  kind: 'deny-assignment.put' as const,
  assignment,
}));
const placement = fc.record({
  scope: fc.constantFrom(...managementGroups, ...subscriptions),
  parent: weighted(4, fc.constantFrom(...managementGroups), 1, fc.constant(null)),
  displayName: fc.constant(''),
});
const tagged = fc.constantFrom('/subscriptions/s', resourceGroup, resource, resource.toUpperCase());

/** Each kind of change and how often it is to come. */
export const changeKinds: readonly {
  readonly weight: number;
  readonly arbitrary: fc.Arbitrary<PolicyChange>;
}[] = [
  { weight: 6, arbitrary: edge.map((row) => ({ kind: 'group.member-added' as const, ...row })) },
  { weight: 3, arbitrary: edge.map((row) => ({ kind: 'group.member-removed' as const, ...row })) },
  {
    weight: 14,
    arbitrary: grant.map((assignment) => ({ kind: 'role-assignment.put' as const, assignment })),
  },
  {
    weight: 2,
    arbitrary: grant.map((assignment) => ({ kind: 'role-assignment.deleted' as const, assignment })),
  },
  { weight: 3, arbitrary: denyPuts },
  {
    weight: 1,
    arbitrary: deny.map((assignment) => ({ kind: 'deny-assignment.deleted' as const, assignment })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ id: fc.constantFrom(...roleNames), permissions }).map((role) => ({
      kind: 'role-definition.put' as const,
      definition: roleDefinition(role.id, role.permissions),
    })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...roleNames).map((id) => ({ kind: 'role-definition.deleted' as const, id })),
  },
  { weight: 3, arbitrary: principalPut },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...users, ...groups).map((id) => ({
      kind: 'principal.deleted' as const,
      id,
      principalKind: groups.includes(id) ? ('group' as const) : ('user' as const),
    })),
  },
  { weight: 3, arbitrary: placement.map((row) => ({ kind: 'scope.placed' as const, placement: row })) },
  {
    weight: 1,
    arbitrary: placement.map(({ scope }) => ({ kind: 'scope.removed' as const, scope })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ id: tagged, tags: tagSets })
      .map((row) => ({ kind: 'resource.put' as const, type: 'n/t', created: false, ...row })),
  },
  { weight: 1, arbitrary: tagged.map((id) => ({ kind: 'resource.deleted' as const, type: 'n/t', id })) },
];

export const changes: fc.Arbitrary<PolicyChange> = fc.oneof(...changeKinds);

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
  placements: [{ scope: '/subscriptions/s', parent: managementGroups[0] ?? null, displayName: '' }],
  tags: [],
  version: 0,
};

export function principal(id: PrincipalId, enabled: boolean): PrincipalRecord {
  const kind = groups.includes(id) ? 'group' : 'user';
  return { id, kind, displayName: id, enabled, sponsorId: null, signInName: null };
}

export function roleDefinition(id: string, permissions: readonly Permission[]): RoleDefinition {
  return { id, roleName: id, description: '', type: 'CustomRole', permissions, assignableScopes: ['/'] };
}

function ids(prefix: string, count: number): PrincipalId[] {
  return Array.from(
    { length: count },
    (_, i) => `${prefix.repeat(8)}-0000-4000-8000-${i.toString(16).padStart(12, '0')}` as PrincipalId,
  );
}

function loud(scope: string): string {
  return scope === '/' ? scope : scope.toUpperCase();
}

function weighted<T>(a: number, left: fc.Arbitrary<T>, b: number, right: fc.Arbitrary<T>): fc.Arbitrary<T>;
function weighted<T>(a: number, left: T, b: number, right: T): fc.Arbitrary<T>;
function weighted<T>(a: number, left: T | fc.Arbitrary<T>, b: number, right: T | fc.Arbitrary<T>) {
  const of = (value: T | fc.Arbitrary<T>): fc.Arbitrary<T> =>
    value instanceof fc.Arbitrary ? value : fc.constant(value);
  return fc.oneof({ weight: a, arbitrary: of(left) }, { weight: b, arbitrary: of(right) });
}
