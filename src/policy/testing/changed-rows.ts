import type { PolicyChange } from '../../store/changes.ts';
import type { PolicyRows } from '../snapshot.ts';

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
      return { ...next, roleAssignments: rows.roleAssignments.filter(other(change.assignment.id)) };
    case 'deny-assignment.put':
      return { ...next, denyAssignments: replaced(rows.denyAssignments, change.assignment) };
    case 'deny-assignment.deleted':
      return { ...next, denyAssignments: rows.denyAssignments.filter(other(change.assignment.id)) };
    case 'scope.placed':
      return { ...next, placements: [...unplaced(rows, change.placement.scope), change.placement] };
    case 'scope.removed':
      return { ...next, placements: unplaced(rows, change.scope) };
    case 'resource.put': {
      const { id, tags } = change;
      return {
        ...next,
        tags: tags ? [...untagged(rows, id), { scope: id.toLowerCase(), tags }] : (rows.tags ?? []),
      };
    }
    case 'resource.deleted':
      return { ...next, tags: untagged(rows, change.id) };
  }
}

/** Whether a placement would put a scope beneath itself, which the store refuses. */
export function makesRing(rows: PolicyRows, change: PolicyChange): boolean {
  if (change.kind !== 'scope.placed') return false;
  const { scope, parent } = change.placement;
  for (let at: string | null | undefined = parent; at;) {
    if (at === scope) return true;
    const above: string = at;
    at = rows.placements?.find((row) => row.scope === above)?.parent;
  }
  return false;
}

function replaced<T extends { readonly id: string }>(rows: readonly T[], row: T): T[] {
  return [...rows.filter(other(row.id)), row];
}

function other(id: string): (row: { readonly id: string }) => boolean {
  return (row) => row.id !== id;
}

function unplaced(rows: PolicyRows, scope: string): NonNullable<PolicyRows['placements']> {
  return (rows.placements ?? []).filter((row) => row.scope !== scope);
}

function untagged(rows: PolicyRows, id: string): NonNullable<PolicyRows['tags']> {
  return (rows.tags ?? []).filter((row) => row.scope !== id.toLowerCase());
}

function without(
  memberships: PolicyRows['memberships'],
  group: string,
  member: string,
): PolicyRows['memberships'] {
  return memberships.filter((row) => row.group !== group || row.member !== member);
}
