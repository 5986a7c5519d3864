import type { PrincipalId } from '../lib/ids.ts';
import type { Engine } from './engine/engine.ts';
import { deniedBase, disabledPrincipal, missingGrant, unknownPrincipal } from './engine/outcomes.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access, Cause, Verdict } from './types.ts';

const policyUnavailable: Verdict = { allowed: false, cause: { kind: 'policy-unavailable' } };
const unnamed: ReadonlyMap<number, Verdict> = new Map([
  [missingGrant, { allowed: false, cause: { kind: 'missing-grant' } }],
  [unknownPrincipal, { allowed: false, cause: { kind: 'unknown-principal' } }],
  [disabledPrincipal, { allowed: false, cause: { kind: 'disabled-principal' } }],
]);

/**
 * Whether one principal may do this, and the one policy that says so. Azure RBAC's order: a deny assignment that
 * applies wins over every grant; else any role assignment to the principal or one of its enabled groups, at the
 * scope or an ancestor, whose role contains the action and whose condition is true; else deny. When several apply,
 * the one at the nearest scope is named, and of those the one with the lowest id. Never throws: a fault is a deny.
 *
 * What is done to a whole subtree (`access.subtree`) is denied as well by a deny assignment that applies anywhere beneath
 * the scope, or it would be evaded by way of the scope above. Such a denial counts unless its condition is false whatever
 * lies there: attributes of the resource and the request are not known beneath. Named is the one fewest steps down. Grants
 * reach beneath by themselves, on the condition that is asked at the scope.
 * learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource
 */
export function decide(snapshot: PolicySnapshot, principal: PrincipalId, access: Access): Verdict {
  try {
    if (snapshot.fault !== null) return policyUnavailable;
    return verdictOf(snapshot.engine, snapshot.engine.decideNamed(principal, access));
  } catch {
    return policyUnavailable;
  }
}

/**
 * The answer for a delegation chain: every authority must be allowed. On a deny `decidedFor` is the first authority
 * that lacks the right; on an allow the first authority. Without any authority nothing is allowed.
 */
export function decideForAll(
  snapshot: PolicySnapshot,
  authorities: readonly PrincipalId[],
  access: Access,
): Verdict & { readonly decidedFor: PrincipalId | null } {
  let first: (Verdict & { readonly decidedFor: PrincipalId | null }) | null = null;
  for (const authority of authorities) {
    const verdict = decide(snapshot, authority, access);
    if (!verdict.allowed) return { ...verdict, decidedFor: authority };
    first ??= { ...verdict, decidedFor: authority };
  }
  return first ?? { allowed: false, cause: { kind: 'unknown-principal' }, decidedFor: null };
}

/** Whether `decideForAll` would allow, faster, since no policy is named. Never throws: a fault is a deny. */
export function isAllowedForAll(
  snapshot: PolicySnapshot,
  authorities: readonly PrincipalId[],
  access: Access,
): boolean {
  for (const authority of authorities) if (!isAllowed(snapshot, authority, access)) return false;
  return authorities.length > 0;
}

/** Whether `decide` would allow, faster, since no policy is named. Never throws: a fault is a deny. */
export function isAllowed(snapshot: PolicySnapshot, principal: PrincipalId, access: Access): boolean {
  try {
    const { engine, fault } = snapshot;
    return fault === null && engine.allowsNamed(principal, access);
  } catch {
    return false;
  }
}

function verdictOf(engine: Engine, outcome: number): Verdict {
  if (outcome >= 0) return { allowed: true, cause: grantCause(engine, outcome) };
  if (outcome > deniedBase) return unnamed.get(outcome) ?? policyUnavailable;
  const { id, name, scope } = engine.assignments.denialAt(deniedBase - outcome);
  return { allowed: false, cause: { kind: 'deny-assignment', id, name, scope } };
}

function grantCause({ assignments, roles }: Engine, slot: number): Cause {
  const { id, roleDefinitionId, scope, principalId } = assignments.grantAt(slot);
  const roleName = roles.get(roleDefinitionId)?.definition?.roleName ?? roleDefinitionId;
  return { kind: 'role-assignment', id, roleDefinitionId, roleName, scope, principalId };
}
