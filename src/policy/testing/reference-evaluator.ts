import type { PrincipalId } from '../../lib/ids.ts';
import type { AttributeValue, DenyAssignment, Permission, PrincipalRecord } from '../../store/changes.ts';
import type { PolicyRows } from '../snapshot.ts';
import type { Access } from '../types.ts';
import { referenceCondition, type ReferenceContext, type ReferenceTruth } from './reference-conditions.ts';

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

export function referenceDecide(rows: PolicyRows, id: PrincipalId, asked: Access): ReferenceAnswer {
  const principal = rows.principals.find((candidate) => candidate.id === id);
  if (!principal) return { allowed: false, reason: 'unknown-principal', policyId: null };
  if (!principal.enabled) return { allowed: false, reason: 'disabled-principal', policyId: null };

  const access = { ...asked, scope: asked.scope.toLowerCase() };
  const chain = scopeChain(rows, access.scope);
  const context = contextOf(rows, principal, access);
  const grantIdentities = identities(rows, principal, false);
  const denyIdentities = identities(rows, principal, true);

  const denies = rows.denyAssignments.filter(
    (deny) =>
      denyReaches(deny, chain) &&
      deny.principals.some((named) => named === everyoneId || denyIdentities.includes(named)) &&
      !deny.excludePrincipals.some((it) => it !== everyoneId && grantIdentities.includes(it)) &&
      truth(deny.condition, context) !== 'false' &&
      permits(deny.permissions, access, (condition) => truth(condition, context) !== 'false'),
  );
  const deny = nearestThenLowest(denies, chain);
  if (deny) return { allowed: false, reason: 'deny-assignment', policyId: deny.id };

  const grants = rows.roleAssignments.filter((grant) => {
    const role = rows.roleDefinitions.find((definition) => definition.id === grant.roleDefinitionId);
    return (
      role !== undefined &&
      grantIdentities.includes(grant.principalId) &&
      chain.includes(grant.scope.toLowerCase()) &&
      truth(grant.condition, context) === 'true' &&
      permits(role.permissions, access, (condition) => truth(condition, context) === 'true')
    );
  });
  const grant = nearestThenLowest(grants, chain);
  const beneath = grant && asked.subtree ? referenceDenialBeneath(rows, principal, access) : undefined;
  if (beneath) return { allowed: false, reason: 'deny-assignment', policyId: beneath };
  if (grant) return { allowed: true, reason: 'role-assignment', policyId: grant.id };
  return { allowed: false, reason: 'missing-grant', policyId: null };
}

/** The denial that an operation on all beneath a scope meets there first: fewest steps down, then the lowest id. */
function referenceDenialBeneath(
  rows: PolicyRows,
  principal: PrincipalRecord,
  access: Access,
): string | undefined {
  const context = { ...contextOf(rows, principal, access), isUnknown: isOfWhatLiesBeneath };
  const grantIdentities = identities(rows, principal, false);
  const denyIdentities = identities(rows, principal, true);
  const stepsDown = (deny: DenyAssignment): number =>
    scopeChain(rows, deny.scope.toLowerCase()).indexOf(access.scope);
  const denies = rows.denyAssignments.filter(
    (deny) =>
      stepsDown(deny) > 0 &&
      deny.principals.some((named) => named === everyoneId || denyIdentities.includes(named)) &&
      !deny.excludePrincipals.some((it) => it !== everyoneId && grantIdentities.includes(it)) &&
      truth(deny.condition, context) !== 'false' &&
      permits(deny.permissions, access, (condition) => truth(condition, context) !== 'false'),
  );
  return denies.sort((a, b) => stepsDown(a) - stepsDown(b) || (a.id < b.id ? -1 : 1))[0]?.id;
}

function isOfWhatLiesBeneath(source: string): boolean {
  return source === 'resource' || source === 'request';
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

/** The scope and all above it, nearest first: by its path, except where a scope was placed beneath another. */
function scopeChain(rows: PolicyRows, scope: string): string[] {
  if (scope === '/') return ['/'];
  const placement = rows.placements?.find((candidate) => candidate.scope === scope);
  const byPath = scope.replace(/\/[^/]*$/, '');
  const parent = placement ? placement.parent : byPath;
  return [scope, ...scopeChain(rows, parent === null || parent === '' ? '/' : parent)];
}

function denyReaches(deny: DenyAssignment, chain: readonly string[]): boolean {
  const reached = deny.doNotApplyToChildScopes ? chain.slice(0, 1) : chain;
  return reached.includes(deny.scope.toLowerCase());
}

function permits(
  permissions: readonly Permission[],
  access: Access,
  counts: (condition: Permission['condition']) => boolean,
): boolean {
  return permissions.some((permission) => {
    const given = access.dataAction ? permission.dataActions : permission.actions;
    const withheld = access.dataAction ? permission.notDataActions : permission.notActions;
    return (
      given.some((pattern) => wildcardMatch(pattern, access.action)) &&
      !withheld.some((pattern) => wildcardMatch(pattern, access.action)) &&
      counts(permission.condition)
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

function nearestThenLowest<T extends { readonly id: string; readonly scope: string }>(
  candidates: readonly T[],
  chain: readonly string[],
): T | undefined {
  const steps = ({ scope }: T): number => chain.indexOf(scope.toLowerCase());
  return [...candidates].sort((a, b) => steps(a) - steps(b) || (a.id < b.id ? -1 : 1))[0];
}

function truth(condition: string | null | undefined, context: ReferenceContext): ReferenceTruth {
  const none = condition === null || condition === undefined || condition.trim() === '';
  return none ? 'true' : referenceCondition(condition, context);
}

/** What a condition finds: the deciding principal's own attributes, the request's, and tags from the store. */
function contextOf(rows: PolicyRows, principal: PrincipalRecord, access: Access): ReferenceContext {
  const { request, resource, environment } = access.attributes ?? {};
  const prefix = 'microsoft.directory/customsecurityattributes/id:';
  const security = Object.fromEntries(
    Object.entries(principal.securityAttributes ?? {}).map(([name, value]) => [prefix + name, value]),
  );
  return {
    action: access.action,
    subOperation: access.subOperation ?? null,
    attribute: (source, name) => {
      if (source === 'principal') return own(security, name);
      if (source === 'request') return own(request, name);
      if (source === 'environment') return own(environment, name);
      return own(resource, name) ?? tag(rows, access.scope, name);
    },
  };
}

/** Of the longest path at or above the scope that has tags. */
function tag(rows: PolicyRows, scope: string, name: string): AttributeValue | undefined {
  const [, key, marked] = /(?:^|\/)tags:(.+?)(<\$key_case_sensitive\$>)?$/i.exec(name) ?? [];
  const tagged = (rows.tags ?? []).filter(
    (row) => Object.keys(row.tags).length > 0 && `${scope}/`.startsWith(`${row.scope}/`),
  );
  const nearest = tagged.sort((a, b) => b.scope.length - a.scope.length)[0];
  if (key === undefined) return undefined;
  return marked
    ? Object.entries(nearest?.tags ?? {}).find(([it]) => it === key)?.[1]
    : own(nearest?.tags, key);
}

function own(
  set: Readonly<Record<string, AttributeValue>> | undefined,
  name: string,
): AttributeValue | undefined {
  return Object.entries(set ?? {}).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}
