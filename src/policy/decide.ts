import type { PrincipalId } from '../lib/ids.ts';
import type { Denial, Grant, PrincipalNode, Reach, ScopeNode } from './nodes.ts';
import { reachOf } from './principal-graph.ts';
import { isNormalScope, normalizeScope } from './scope.ts';
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
    const scope = isNormalScope(access.scope) ? access.scope : normalizeScope(access.scope);
    if (scope === null) return policyUnavailable;
    const action = snapshot.actionName(access.action);
    return search(snapshot.scopes.nearest(scope), scope, reachOf(node), action, access.dataAction);
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

function search(from: ScopeNode, scope: string, reach: Reach, action: string, dataAction: boolean): Verdict {
  let grant: Grant | null = null;
  for (let node: ScopeNode | null = from; node; node = node.parent) {
    for (const denial of node.denials) {
      if (denial.permissions.contains(action, dataAction) && denialApplies(denial, scope, reach)) {
        const { id, name, scope: at } = denial.assignment;
        return { allowed: false, cause: { kind: 'deny-assignment', id, name, scope: at } };
      }
    }
    grant ??= grantAt(node, reach.active, action, dataAction);
  }
  return grant ? { allowed: true, cause: causeOf(grant) } : missingGrant;
}

/** Whether a deny assignment at the scope or an ancestor concerns this principal; its permissions aside. */
export function denialApplies(denial: Denial, scope: string, reach: Reach): boolean {
  if (denial.assignment.doNotApplyToChildScopes && denial.assignment.scope !== scope) return false;
  for (const node of denial.excluded) if (reach.active.has(node)) return false;
  if (denial.everyone) return true;
  for (const node of denial.principals) if (reach.all.has(node)) return true;
  return false;
}

function grantAt(
  node: ScopeNode,
  identities: ReadonlySet<PrincipalNode>,
  action: string,
  dataAction: boolean,
): Grant | null {
  const { byPrincipal, grants } = node;
  if (!byPrincipal || identities.size >= grants.length) {
    for (const grant of grants) {
      if (identities.has(grant.principal) && grant.role.permissions?.contains(action, dataAction))
        return grant;
    }
    return null;
  }
  let lowest: Grant | null = null;
  for (const identity of identities) {
    const own = byPrincipal.get(identity);
    if (!own) continue;
    for (const grant of own) {
      if (lowest && grant.assignment.id > lowest.assignment.id) break;
      if (grant.role.permissions?.contains(action, dataAction)) {
        lowest = grant;
        break;
      }
    }
  }
  return lowest;
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
