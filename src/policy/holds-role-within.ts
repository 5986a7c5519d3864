import type { PrincipalId } from '../lib/ids.ts';
import type { RoleAssignment } from '../store/changes.ts';
import type { PolicySnapshot } from './snapshot.ts';

/**
 * Whether any role is assigned to the principal, or to an enabled group of theirs, at this scope (in normal form) or
 * beneath it. It says nothing of what they may do: that is for `decide`.
 */
export function holdsRoleWithin(snapshot: PolicySnapshot, id: PrincipalId, scope: string): boolean {
  return assignmentsOf(snapshot, id).some((held) => snapshot.isWithin(held.scope, scope));
}

/** The same, or one that reaches this scope from above: what is there is then no secret to them. */
export function holdsRoleTouching(snapshot: PolicySnapshot, id: PrincipalId, scope: string): boolean {
  return assignmentsOf(snapshot, id).some(
    (held) => snapshot.isWithin(held.scope, scope) || snapshot.isWithin(scope, held.scope),
  );
}

function assignmentsOf(snapshot: PolicySnapshot, id: PrincipalId): RoleAssignment[] {
  return snapshot.identitiesOf(id).flatMap((identity) => [...snapshot.assignmentsOf(identity)]);
}
