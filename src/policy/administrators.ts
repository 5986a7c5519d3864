import type { PrincipalId } from '../lib/ids.ts';
import type { Permission, PrincipalRecord, RoleDefinition } from '../store/changes.ts';
import { isAllowed } from './decide.ts';
import type { PrincipalNode } from './engine/principals.ts';
import { PermissionSet } from './permission-set.ts';
import { PolicySnapshot, type PolicyRows } from './snapshot.ts';

/** What somebody must be allowed at a scope so that policy there can still be changed by its own means. */
export interface Post {
  /** In normal form. */
  readonly scope: string;
  readonly actions: readonly string[];
}

export const writesAssignments = 'Microsoft.Authorization/roleAssignments/write';
export const deletesAssignments = 'Microsoft.Authorization/roleAssignments/delete';
export const liftsDenials = 'Microsoft.Authorization/denyAssignments/delete';

/** Role and deny assignments, written and deleted: who may do all four can undo whatever is done to a scope. */
export const administration: readonly string[] = [
  writesAssignments,
  deletesAssignments,
  'Microsoft.Authorization/denyAssignments/write',
  liftsDenials,
];

/** For a policy of a few rows. */
const small = { rightsBytes: 4_096, maskBytes: 4_096, cachedDecisions: 16 };

/**
 * The same policy as it holds whatever conditions say: without the grants that have one, with the denials as if they had
 * none. Who is allowed something by it is allowed it for certain.
 */
export function unconditionally(rows: PolicyRows): PolicySnapshot {
  return PolicySnapshot.from(
    {
      ...rows,
      roleDefinitions: rows.roleDefinitions.map((definition) => ({
        ...definition,
        permissions: definition.permissions.filter(({ condition = null }) => condition === null),
      })),
      roleAssignments: rows.roleAssignments.filter(({ condition = null }) => condition === null),
      denyAssignments: rows.denyAssignments.map((denial) => ({
        ...denial,
        condition: null,
        permissions: denial.permissions.map((permission) => ({ ...permission, condition: null })),
      })),
    },
    small,
  );
}

/** Whether a role may give some of what the posts of this page ask. */
export function isAdministrative({ permissions }: RoleDefinition): boolean {
  return bearsOn(permissions, administration);
}

/** Of a policy in memory what bears on these scopes; see `loadPolicyAt`, which reads the same from the store. */
export function policyAt(snapshot: PolicySnapshot, scopes: readonly string[]): PolicyRows {
  const { principals } = snapshot.engine;
  const wanted = new Set(scopes);
  const roleDefinitions = [...snapshot.roleDefinitions()];
  const roles = new Set(roleDefinitions.filter(isAdministrative).map(({ id }) => id));
  const named = [...snapshot.assignmentsAt(scopes, (id) => roles.has(id))];
  const nodes = new Set(named.flatMap(({ principalId }) => principals.get(principalId) ?? []));
  for (const node of nodes) for (const member of node.members ?? []) nodes.add(member);
  for (const node of nodes) for (const group of node.groups) nodes.add(group);
  return {
    principals: Array.from(nodes, ({ record }) => record).filter((record) => record !== null),
    memberships: [...nodes].flatMap((node) =>
      Array.from(node.groups, (group) => ({ group: group.id, member: node.id })),
    ),
    roleDefinitions,
    roleAssignments: named,
    denyAssignments: [...snapshot.denyAssignments()].filter(({ scope }) => wanted.has(scope)),
    placements: [...snapshot.placements()],
    version: 0,
  };
}

/** Whether a principal may do all that the post asks. */
export function holds(snapshot: PolicySnapshot, id: PrincipalId, { scope, actions }: Post): boolean {
  return actions.every((action) => isAllowed(snapshot, id, { action, dataAction: false, scope }));
}

/**
 * The people and applications who hold a post, by their own role assignments or through groups, each once. Looked for
 * as they are asked for: whoever needs only one takes the first.
 */
export function* holdersOf(snapshot: PolicySnapshot, post: Post): Generator<PrincipalRecord> {
  const { principals } = snapshot.engine;
  const seen = new Set<PrincipalNode>();
  const bears = (roleId: string): boolean => {
    const permissions = snapshot.permissionsOf(roleId);
    return permissions !== undefined && containsAny(permissions, post.actions);
  };
  for (const { principalId } of snapshot.assignmentsAt(snapshot.ancestors(post.scope), bears)) {
    const named = principals.get(principalId);
    if (!named) continue;
    const open = [named];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      open.push(...(node.members ?? []));
      const { record } = node;
      if (!record || (record.kind !== 'user' && record.kind !== 'application')) continue;
      if (holds(snapshot, record.id, post)) yield record;
    }
  }
}

/** Whether a role, or a denial, holds any of these actions at all, conditions left aside. */
export function bearsOn(permissions: readonly Permission[], actions: readonly string[]): boolean {
  return containsAny(new PermissionSet(permissions), actions);
}

function containsAny(permissions: PermissionSet, actions: readonly string[]): boolean {
  return actions.some((action) => permissions.contains(action.toLowerCase(), false));
}
