import { z } from 'zod';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import { isLockstepError } from '../../../lib/errors.ts';
import { isGuid } from '../../../lib/ids.ts';
import type { RoleAssignment } from '../../../store/changes.ts';
import type { AuthorizationPath } from './authorization-path.ts';
import { withAssignment } from './assignment-attributes.ts';
import { assignmentRequest } from './assignment-request.ts';
import { decidedWith, guarded, json, jsonBody } from './exchanges.ts';
import { parseFilter, type Filter } from './filter.ts';
import { identitiesOf } from './identities.ts';
import { listPage } from './list-page.ts';
import type { AuthorizationOptions, TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { scopeRelations } from './scope-relations.ts';
import { roleAssignmentBody } from './representations.ts';
import { createAssignment, removeAssignment } from './assignment-changes.ts';

const filters = ['atScope', 'principalId', 'assignedTo'] as const;

/** learn.microsoft.com/rest/api/authorization/role-assignments */
export const describeRoleAssignments: TypeDescriber = (head, path, options) => {
  const { scope, name } = path;
  if (name === null) {
    if (head.method !== 'GET') return null;
    return guarded('roleAssignments/read', scope, 'read', { kind: 'none' }, async () => {
      const filter = parseFilter(head.query.get('$filter'), filters);
      return listPage(head, matching(options, scope, filter), (assignment) =>
        roleAssignmentBody(assignment, scope),
      );
    });
  }
  const named = options.snapshot.roleAssignment(name);
  const existing = named?.scope === scope ? named : null;
  switch (head.method) {
    case 'GET':
      return guarded('roleAssignments/read', scope, 'read', { kind: 'none' }, async () => {
        const assignment = options.snapshot.roleAssignment(name);
        if (assignment?.scope !== scope) throw notFound(name);
        return json(200, roleAssignmentBody(assignment, scope));
      });
    case 'PUT':
      return decidedWith(
        guarded('roleAssignments/write', scope, 'change', jsonBody, async (exchange) =>
          put(exchange, path, name, options),
        ),
        (access) => withAssignment(access, null, existing),
        (access, given) => withAssignment(access, assignmentRequest(given, scope, options), existing),
      );
    case 'DELETE':
      return decidedWith(
        guarded('roleAssignments/delete', scope, 'change', { kind: 'none' }, async (exchange) => {
          const removed = await options
            .commit(exchange.attribution, async (tx, record) => {
              const found = await removeAssignment(tx, record, name, scope);
              if (found !== null && !isDecidedOn(found, existing)) throw replaced(name);
              exchange.conclude();
              return found;
            })
            .catch(rethrowLastOwner);
          return removed ? json(200, roleAssignmentBody(removed, scope)) : { status: 204 };
        }),
        (access) => withAssignment(access, null, existing),
      );
    default:
      return null;
  }
};

async function put(
  exchange: Exchange,
  { scope, writtenScope }: AuthorizationPath,
  name: string,
  options: AuthorizationOptions,
): Promise<Reply> {
  if (!isGuid(name)) {
    throw refusal(
      'invalid_request',
      'InvalidRoleAssignmentId',
      `The role assignment ID '${name}' is not valid. The role assignment ID must be a GUID.`,
    );
  }
  const wanted = assignmentRequest(exchange.json(z.unknown()), scope, options);
  const assignment: RoleAssignment = {
    id: name,
    scope,
    ...(writtenScope === scope ? {} : { writtenScope }),
    ...wanted,
    createdOn: new Date(options.clock.now()).toISOString(),
    createdBy: exchange.caller?.subject.id ?? '',
  };
  const { created, stored } = await options.commit(exchange.attribution, (tx, record) =>
    createAssignment(tx, record, assignment),
  );
  return json(created ? 201 : 200, roleAssignmentBody(stored, scope));
}

/** At, above and below the scope; with `atScope()` not below it. `assignedTo` reaches through any number of groups. */
function* matching(
  { snapshot }: AuthorizationOptions,
  scope: string,
  { atScope, principalId, assignedTo }: Filter<(typeof filters)[number]>,
): Generator<RoleAssignment> {
  const identities = assignedTo === undefined ? null : identitiesOf(snapshot, assignedTo);
  const relations = scopeRelations(snapshot, scope);
  for (const assignment of snapshot.roleAssignments()) {
    const above = relations.isAbove(assignment.scope);
    if (!above && (atScope !== undefined || !relations.isBeneath(assignment.scope))) continue;
    if (principalId !== undefined && assignment.principalId !== principalId) continue;
    if (identities && !identities.has(assignment.principalId)) continue;
    yield assignment;
  }
}

/** Whether what is removed is what was decided on, and not another assignment that has taken its name meanwhile. */
function isDecidedOn(found: RoleAssignment, decided: RoleAssignment | null): boolean {
  return found.roleDefinitionId === decided?.roleDefinitionId && found.principalId === decided.principalId;
}

function replaced(name: string): Error {
  return refusal(
    'conflict',
    'RoleAssignmentUpdateConflict',
    `The role assignment '${name}' was written while it was to be removed; try again.`,
  );
}

/** What Azure calls it when the last Owner is to go. */
function rethrowLastOwner(cause: unknown): never {
  if (!isLockstepError(cause) || cause.code !== 'last_owner') throw cause;
  throw Object.assign(
    refusal('precondition_failed', 'CannotDeleteLastRbacAdminAssignment', cause.publicMessage),
    { cause },
  );
}

function notFound(name: string): Error {
  return refusal('not_found', 'RoleAssignmentNotFound', `The role assignment '${name}' is not found.`);
}
