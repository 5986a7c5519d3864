import type { PrincipalId } from '../lib/ids.ts';
import type { PolicySnapshot } from './snapshot.ts';

/**
 * Whether any role is assigned to the principal, or to an enabled group of theirs, at this scope (in normal form) or
 * beneath it. It says nothing of what they may do: that is for `decide`.
 */
export function holdsRoleWithin(snapshot: PolicySnapshot, id: PrincipalId, scope: string): boolean {
  return snapshot
    .identitiesOf(id)
    .some((identity) =>
      snapshot.assignmentsOf(identity).some((held) => snapshot.isWithin(held.scope, scope)),
    );
}
