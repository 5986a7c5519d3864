import type { PrincipalId } from '../lib/ids.ts';
import type { ActionEntry } from './action-table.ts';
import type { Grant, Reach } from './nodes.ts';
import { reachOf } from './principal-graph.ts';
import { isNormalScope, normalizeScope } from './scope.ts';
import type { ScopeNode } from './scope-tree.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access, Cause, Verdict } from './types.ts';

const missingGrant: Verdict = { allowed: false, cause: { kind: 'missing-grant' } };
const unknownPrincipal: Verdict = { allowed: false, cause: { kind: 'unknown-principal' } };
const disabledPrincipal: Verdict = { allowed: false, cause: { kind: 'disabled-principal' } };
const policyUnavailable: Verdict = { allowed: false, cause: { kind: 'policy-unavailable' } };

/**
 * Whether one principal may do this, and the one policy that says so. Azure RBAC's order: a deny assignment that
 * applies wins over every grant; else any role assignment to the principal or one of its enabled groups, at the
 * scope or an ancestor, whose role contains the action; else deny. When several apply, the one at the nearest
 * scope is named, and of those the one with the lowest id. Never throws: a fault is a deny.
 * learn.microsoft.com/azure/role-based-access-control/overview#how-azure-rbac-determines-if-a-user-has-access-to-a-resource
 */
export function decide(snapshot: PolicySnapshot, principal: PrincipalId, access: Access): Verdict {
  try {
    if (snapshot.fault !== null) return policyUnavailable;
    const node = snapshot.graph.get(principal);
    if (!node?.record) return unknownPrincipal;
    if (!node.record.enabled) return disabledPrincipal;
    const action = snapshot.actions.entry(access.action, access.dataAction);
    const from = snapshot.scopes.exact(access.scope);
    if (from) return search(snapshot, from, access.scope, reachOf(node), action);
    const scope = isNormalScope(access.scope) ? access.scope : normalizeScope(access.scope);
    if (scope === null) return policyUnavailable;
    const near = snapshot.scopes.exact(scope) ?? snapshot.scopes.nearestAbove(scope);
    return search(snapshot, near, scope, reachOf(node), action);
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
  return first ?? { ...unknownPrincipal, decidedFor: null };
}

function search(
  { graph: { marks }, scopes }: PolicySnapshot,
  from: ScopeNode,
  scope: string,
  reach: Reach,
  action: ActionEntry,
): Verdict {
  marks.mark(reach);
  let grant: Grant | null = null;
  for (let node: ScopeNode | null = from; node; node = scopes.above(node)) {
    const denial = node.denials?.find(marks, scope, action);
    if (denial) {
      const { id, name, scope: at } = denial.assignment;
      return { allowed: false, cause: { kind: 'deny-assignment', id, name, scope: at } };
    }
    grant ??= node.grants?.find(marks, reach, action) ?? null;
  }
  return grant ? { allowed: true, cause: causeOf(grant) } : missingGrant;
}

function causeOf({ assignment, role }: Grant): Cause {
  return {
    kind: 'role-assignment',
    id: assignment.id,
    roleDefinitionId: role.id,
    roleName: role.roleName,
    scope: assignment.scope,
    principalId: assignment.principalId,
  };
}
