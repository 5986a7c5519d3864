import type { PrincipalId } from '../../lib/ids.ts';
import type { DenyAssignment, Permission, PrincipalRecord, RoleAssignment } from '../../store/changes.ts';
import type { PolicyRows } from '../snapshot.ts';
import type { Access } from '../types.ts';

/**
 * The specification of `decide`, in the plainest way: it shares no code with the engine, looks at every row every
 * time, and follows the steps of Azure RBAC one after the other. Slow on purpose.
 * learn.microsoft.com/azure/role-based-access-control/overview
 */
export interface ReferenceAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** The assignment that is named, or null. */
  readonly policyId: string | null;
}

const everyoneId = '00000000-0000-0000-0000-000000000000';

export function referenceDecide(rows: PolicyRows, id: PrincipalId, access: Access): ReferenceAnswer {
  const principal = rows.principals.find((candidate) => candidate.id === id);
  if (!principal) return { allowed: false, reason: 'unknown-principal', policyId: null };
  if (!principal.enabled) return { allowed: false, reason: 'disabled-principal', policyId: null };

  const grantIdentities = identities(rows, principal, false);
  const denyIdentities = identities(rows, principal, true);

  const denies = rows.denyAssignments.filter(
    (deny) =>
      denyCovers(deny, access.scope) &&
      !deny.excludePrincipals.some(
        (excluded) => excluded !== everyoneId && grantIdentities.includes(excluded),
      ) &&
      deny.principals.some((named) => named === everyoneId || denyIdentities.includes(named)) &&
      permits(deny.permissions, access),
  );
  const deny = nearestThenLowest(denies);
  if (deny) return { allowed: false, reason: 'deny-assignment', policyId: deny.id };

  const grants = rows.roleAssignments.filter((grant) => {
    const role = rows.roleDefinitions.find((definition) => definition.id === grant.roleDefinitionId);
    return (
      role !== undefined &&
      grantIdentities.includes(grant.principalId) &&
      covers(grant.scope, access.scope) &&
      permits(role.permissions, access)
    );
  });
  const grant = nearestThenLowest(grants);
  if (grant) return { allowed: true, reason: 'role-assignment', policyId: grant.id };
  return { allowed: false, reason: 'missing-grant', policyId: null };
}

/** The principal and its groups, transitively; a disabled group passes denies on, but neither grants nor exclusions. */
function identities(rows: PolicyRows, principal: PrincipalRecord, throughDisabled: boolean): PrincipalId[] {
  const found = [principal.id];
  let grew = true;
  while (grew) {
    grew = false;
    for (const { group, member } of rows.memberships) {
      if (!found.includes(member) || found.includes(group)) continue;
      const record = rows.principals.find((candidate) => candidate.id === group);
      const live = record !== undefined && record.kind === 'group' && record.enabled;
      if (!live && !throughDisabled) continue;
      found.push(group);
      grew = true;
    }
  }
  return found;
}

function segments(scope: string): string[] {
  return scope
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '');
}

function covers(assigned: string, asked: string): boolean {
  const above = segments(assigned);
  const below = segments(asked);
  return above.length <= below.length && above.every((segment, i) => segment === below[i]);
}

function denyCovers(deny: DenyAssignment, asked: string): boolean {
  if (!covers(deny.scope, asked)) return false;
  return !deny.doNotApplyToChildScopes || segments(deny.scope).length === segments(asked).length;
}

function permits(permissions: readonly Permission[], access: Access): boolean {
  return permissions.some((permission) => {
    const given = access.dataAction ? permission.dataActions : permission.actions;
    const withheld = access.dataAction ? permission.notDataActions : permission.notActions;
    return (
      given.some((pattern) => wildcardMatch(pattern, access.action)) &&
      !withheld.some((pattern) => wildcardMatch(pattern, access.action))
    );
  });
}

/** By the definition: a star takes nothing, or one character and may go on. */
export function wildcardMatch(pattern: string, text: string): boolean {
  const wanted = Array.from(pattern.toLowerCase());
  let reachable = [true, ...Array.from(wanted, () => false)];
  const throughStars = (states: boolean[]): boolean[] => {
    for (let i = 0; i < wanted.length; i++) if (wanted[i] === '*' && states[i]) states[i + 1] = true;
    return states;
  };
  reachable = throughStars(reachable);
  for (const character of text.toLowerCase()) {
    const next = Array.from(reachable, () => false);
    for (let i = 0; i < wanted.length; i++) {
      if (!reachable[i]) continue;
      if (wanted[i] === '*') next[i] = true;
      else if (wanted[i] === character) next[i + 1] = true;
    }
    reachable = throughStars(next);
  }
  return reachable[wanted.length] === true;
}

function nearestThenLowest<T extends RoleAssignment | DenyAssignment>(
  candidates: readonly T[],
): T | undefined {
  return [...candidates].sort(
    (a, b) => segments(b.scope).length - segments(a.scope).length || (a.id < b.id ? -1 : 1),
  )[0];
}
