import type { PrincipalId } from '../src/lib/ids.ts';
import type { DenyAssignment, Permission, RoleAssignment } from '../src/store/changes.ts';
import type { Workload } from './decision-workload.ts';

/** What a host prepares for the peers, with nothing of the engine that they are measured against. */
export interface Flattened {
  /** The user's assignments, its own and those of all its groups. */
  grantsOf(user: PrincipalId): RoleAssignment[];
  denialsOf(user: PrincipalId): DenyAssignment[];
  /** By role definition or deny assignment: the concrete actions that its wildcards stand for. */
  actionsOf(id: string): readonly string[];
}

export function flatten({ rows, actions }: Workload): Flattened {
  const parents = groupBy(rows.memberships, ({ member }) => member);
  const grants = groupBy(rows.roleAssignments, ({ principalId }) => principalId);
  const denials = groupBy(rows.denyAssignments, ({ principals: [named] }) => named);
  const permissions = new Map<string, readonly Permission[]>();
  for (const { id, permissions: held } of rows.roleDefinitions) permissions.set(id, held);
  for (const { id, permissions: held } of rows.denyAssignments) permissions.set(id, held);
  const matched = new Map<string, ReadonlySet<string>>();
  const matches = (pattern: string): ReadonlySet<string> => {
    let found = matched.get(pattern);
    if (!found) {
      const expression = expressionOf(pattern);
      matched.set(pattern, (found = new Set(actions.filter((action) => expression.test(action)))));
    }
    return found;
  };
  const expanded = new Map<string, readonly string[]>();
  const identities = (user: PrincipalId): Set<PrincipalId> => {
    const found = new Set([user]);
    for (const id of found) for (const { group } of parents.get(id) ?? []) found.add(group);
    return found;
  };
  return {
    grantsOf: (user) => [...identities(user)].flatMap((id) => grants.get(id) ?? []),
    denialsOf: (user) => [...identities(user)].flatMap((id) => denials.get(id) ?? []),
    actionsOf(id) {
      const known = expanded.get(id);
      if (known) return known;
      const held = permissions.get(id) ?? [];
      const contained = actions.filter((action) =>
        held.some(
          (each) =>
            each.actions.some((pattern) => matches(pattern).has(action)) &&
            !each.notActions.some((pattern) => matches(pattern).has(action)),
        ),
      );
      expanded.set(id, contained);
      return contained;
    },
  };
}

/** The scope and its ancestors, nearest first. */
export function ancestry(scope: string): string[] {
  const chain = [scope];
  for (let cut = scope.lastIndexOf('/'); cut > 0; cut = scope.lastIndexOf('/', cut - 1)) {
    chain.push(scope.slice(0, cut));
  }
  if (scope !== '/') chain.push('/');
  return chain;
}

/** By scope: those scopes of the tenant at or above it, nearest first: a walk that a host prepares for the peers. */
export function chainsOf({ scopes }: Workload): ReadonlyMap<string, readonly string[]> {
  const known = new Map(scopes.map((scope) => [scope, scope]));
  return new Map(
    scopes.map((scope) => [scope, ancestry(scope).flatMap((above) => known.get(above) ?? [])] as const),
  );
}

export function groupBy<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
