import type { Exchange } from '../gateway/types.ts';
import { failure } from '../lib/errors.ts';
import type { PrincipalId } from '../lib/ids.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { AssignmentPrincipalType, PrincipalKind, RoleAssignment } from '../store/changes.ts';
import { requireAlso } from './also.ts';

/** Whom a principal's roles would come to serve: what conditions on the right to assign roles may ask for. */
interface Beneficiary {
  readonly id: PrincipalId;
  readonly kind: PrincipalKind;
}

const principalTypes: Readonly<Record<PrincipalKind, AssignmentPrincipalType>> = {
  user: 'User',
  group: 'Group',
  application: 'ServicePrincipal',
  'managed-identity': 'ServicePrincipal',
  job: 'ServicePrincipal',
};

/**
 * Whoever is given the means to act as a principal (a way to sign in, a credential) is given every role that it holds,
 * itself and through its groups. So the caller must be allowed to assign each of these roles at its scope; a principal
 * without any role needs nothing more. What somebody does about themselves gives nobody anything.
 * Each right is decided and recorded with the request. Throws `access_denied` naming the first one that is missing.
 */
export async function requirePowerOver(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  target: PrincipalId,
): Promise<void> {
  const { subject } = callerOf(exchange);
  if (subject.id !== target) await requireToAssign(exchange, snapshot, target, subject);
}

/**
 * A program that people sign in to acts with all of their rights, and asks nobody. So whoever says where their
 * sign-ins return to must be allowed to assign every role. Throws as above.
 */
export async function requirePowerOverEveryone(exchange: Exchange): Promise<void> {
  await requireAt(exchange, 'Microsoft.Authorization/roleAssignments/write', ['/']);
}

/** Adding to a group gives the member the group's roles, and what spares the group from a denial. Throws as above. */
export async function requirePowerToAdmit(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  group: PrincipalId,
  member: Beneficiary,
): Promise<void> {
  await requireToAssign(exchange, snapshot, group, member);
  await requireOverDenials(exchange, snapshot, group, 'excludePrincipals');
}

/** Whoever leaves a group leaves behind what is denied to its members. Throws as above. */
export async function requirePowerToRelease(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  group: PrincipalId,
): Promise<void> {
  await requireOverDenials(exchange, snapshot, group, 'principals');
}

/** With a principal go the role assignments that name it, and with a group what is denied to it. Throws as above. */
export async function requirePowerToDelete(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  target: PrincipalId,
): Promise<void> {
  const scopes = Array.from(snapshot.assignmentsOf(target), ({ scope }) => scope);
  await requireAt(exchange, 'Microsoft.Authorization/roleAssignments/delete', scopes);
  await requirePowerToRelease(exchange, snapshot, target);
}

async function requireToAssign(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  holder: PrincipalId,
  beneficiary: Beneficiary,
): Promise<void> {
  const given = new Map<string, RoleAssignment>();
  for (const identity of [holder, ...snapshot.identitiesOf(holder)]) {
    for (const assignment of snapshot.assignmentsOf(identity)) {
      given.set(`${assignment.roleDefinitionId} ${assignment.scope}`, assignment);
    }
  }
  for (const { scope, roleDefinitionId } of given.values()) {
    await requireAlso(exchange, {
      action: 'Microsoft.Authorization/roleAssignments/write',
      dataAction: false,
      scope,
      attributes: {
        request: {
          'microsoft.authorization/roleassignments:roledefinitionid': roleDefinitionId,
          'microsoft.authorization/roleassignments:principalid': beneficiary.id,
          'microsoft.authorization/roleassignments:principaltype': principalTypes[beneficiary.kind],
        },
      },
    });
  }
}

async function requireOverDenials(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  group: PrincipalId,
  list: 'principals' | 'excludePrincipals',
): Promise<void> {
  const reached = new Set([group, ...snapshot.identitiesOf(group)]);
  const denials = [...snapshot.denyAssignments()].filter((denial) =>
    denial[list].some((id) => reached.has(id)),
  );
  const scopes = denials.map(({ scope }) => scope);
  await requireAt(exchange, 'Microsoft.Authorization/denyAssignments/write', scopes);
}

async function requireAt(exchange: Exchange, action: string, scopes: readonly string[]): Promise<void> {
  for (const scope of new Set(scopes)) await requireAlso(exchange, { action, dataAction: false, scope });
}

function callerOf({ caller }: Exchange) {
  if (caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
  return caller;
}
