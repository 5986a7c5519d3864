import type { PrincipalId } from '../lib/ids.ts';
import { decide } from './decide.ts';
import type { AssignmentView, AuthorityExplanation, DenyView, Explanation, Remedy } from './explanation.ts';
import { failingCondition } from './condition-trace.ts';
import { grantRequest } from './grant-request.ts';
import { resourceScopes } from './grant-scopes.ts';
import { grantorsAt } from './grantors.ts';
import { viewOf, whoIs, groupsBetween } from './group-path.ts';
import { nearMisses } from './near-misses.ts';
import type { PolicySnapshot } from './snapshot.ts';
import { suitableRoles } from './suitable-roles.ts';
import { policyIdOf, type Access, type Verdict } from './types.ts';

/**
 * What a person asks after a decision: which assignment allowed; or what is missing, what came nearest, at which
 * scopes a grant would suffice, with which role, who can give it, and whether that would be enough for the whole
 * chain. Agrees with `decide` on the same snapshot.
 */
export function explain(
  snapshot: PolicySnapshot,
  authorities: readonly PrincipalId[],
  access: Access,
): Explanation {
  const decided = authorities.map((id) => ({ id, verdict: decide(snapshot, id, access) }));
  const explained = decided.map(({ id, verdict }) => explainOne(snapshot, id, verdict, access, decided));
  const deciding = decided.find(({ verdict }) => !verdict.allowed) ?? decided[0];
  return {
    access,
    allowed: decided.length > 0 && decided.every(({ verdict }) => verdict.allowed),
    decidedFor: deciding ? whoIs(snapshot, deciding.id) : null,
    snapshotVersion: snapshot.version,
    authorities: explained,
  };
}

type Decided = readonly { readonly id: PrincipalId; readonly verdict: Verdict }[];

function explainOne(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  { allowed, cause }: Verdict,
  access: Access,
  chain: Decided,
): AuthorityExplanation {
  return {
    principal: whoIs(snapshot, id),
    allowed,
    cause,
    policyId: policyIdOf(cause),
    grantedBy: cause.kind === 'role-assignment' ? grantedBy(snapshot, id, cause.id) : null,
    deniedBy: cause.kind === 'deny-assignment' ? deniedBy(snapshot, id, cause.id, access) : null,
    remedy: cause.kind === 'missing-grant' ? remedy(snapshot, id, access, chain) : null,
  };
}

function grantedBy(snapshot: PolicySnapshot, id: PrincipalId, assignmentId: string): AssignmentView | null {
  const assignment = snapshot.roleAssignment(assignmentId);
  return assignment ? viewOf(snapshot, assignment, id) : null;
}

function deniedBy(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  assignmentId: string,
  access: Access,
): DenyView | null {
  const assignment = snapshot.denyAssignment(assignmentId);
  if (!assignment) return null;
  const paths = assignment.principals.map((named) => groupsBetween(snapshot, id, named, 'any'));
  const through = paths.find((path) => path !== null) ?? [];
  const { name, description, scope } = assignment;
  const condition = assignment.condition ?? null;
  const untold = failingCondition(snapshot, id, access, [condition])?.failing ?? null;
  return { id: assignmentId, name, description, scope, through, condition, untold };
}

function remedy(snapshot: PolicySnapshot, id: PrincipalId, access: Access, chain: Decided): Remedy {
  const scopes = resourceScopes(access.scope);
  const roles = suitableRoles(snapshot, access, scopes);
  const { grantors, more } = grantorsAt(snapshot, access.scope, {
    principal: id,
    role: roles[0]?.id ?? null,
  });
  const stillDenied = chain
    .filter((other) => other.id !== id && !other.verdict.allowed)
    .map((other) => ({ principal: whoIs(snapshot, other.id), policyId: policyIdOf(other.verdict.cause) }));
  return {
    missing: { kind: access.dataAction ? 'data action' : 'action', name: access.action },
    nearest: nearMisses(snapshot, id, access),
    scopes,
    roles,
    grantors,
    moreGrantors: more,
    request: grantRequest(snapshot, id, roles[0], offeredScope(access, scopes)),
    ifGranted: { allowed: stillDenied.length === 0, stillDenied },
  };
}

/**
 * Where the request that is offered would give the role: the narrowest scope that does. What is only being made has a
 * name of its own each time (a job, a version), and a role there would not do for the next: there it is the whole
 * resource, such as the workspace, in which it is made.
 */
function offeredScope({ action, dataAction, scope }: Access, scopes: readonly string[]): string {
  const narrowest = scopes.at(-1) ?? scope;
  // A file keeps its name however often it is written.
  const isFile = scope.includes('/directories/');
  if (dataAction || isFile || !action.toLowerCase().endsWith('/write')) return narrowest;
  return scopes.findLast((each) => /\/providers\/[^/]+\/[^/]+\/[^/]+$/.test(each)) ?? narrowest;
}
