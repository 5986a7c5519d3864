import type { PrincipalId } from '../lib/ids.ts';
import type { AssignmentView, Who } from './explanation.ts';
import type { RoleAssignment } from '../store/changes.ts';
import type { PrincipalNode } from './engine/principals.ts';
import type { PolicySnapshot } from './snapshot.ts';

export function whoIs(snapshot: PolicySnapshot, id: PrincipalId): Who {
  const record = snapshot.principal(id);
  return record
    ? { id, kind: record.kind, name: record.displayName }
    : { id, kind: 'unknown', name: 'an identity that no longer exists' };
}

/**
 * The shortest chain of groups by which `id` belongs to `target`, `target` last; empty when they are the same, null
 * when it does not belong. `live` leads through enabled groups only.
 */
export function groupsBetween(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  target: PrincipalId,
  way: 'live' | 'any',
): Who[] | null {
  const { principals } = snapshot.engine;
  const start = principals.get(id);
  if (!start) return null;
  const cameFrom = new Map<PrincipalNode, PrincipalNode | null>([[start, null]]);
  for (const [node] of cameFrom) {
    if (node.id === target) return backTo(snapshot, node, cameFrom);
    for (const group of node.groups) {
      if (cameFrom.has(group)) continue;
      if (way === 'live' && !principals.conveys(group.index)) continue;
      cameFrom.set(group, node);
    }
  }
  return null;
}

/** An assignment as `id` sees it: through which groups it holds. */
export function viewOf(
  snapshot: PolicySnapshot,
  assignment: RoleAssignment,
  id: PrincipalId,
): AssignmentView {
  return {
    id: assignment.id,
    roleDefinitionId: assignment.roleDefinitionId,
    roleName: snapshot.roleDefinition(assignment.roleDefinitionId)?.roleName ?? assignment.roleDefinitionId,
    scope: assignment.scope,
    principal: whoIs(snapshot, assignment.principalId),
    through: groupsBetween(snapshot, id, assignment.principalId, 'any') ?? [],
  };
}

function backTo(
  snapshot: PolicySnapshot,
  end: PrincipalNode,
  cameFrom: ReadonlyMap<PrincipalNode, PrincipalNode | null>,
): Who[] {
  const path: Who[] = [];
  let node: PrincipalNode = end;
  for (let from = cameFrom.get(node); from; from = cameFrom.get(node)) {
    path.unshift(whoIs(snapshot, node.id));
    node = from;
  }
  return path;
}
