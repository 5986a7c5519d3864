import { z } from 'zod';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import { isGuid } from '../../../lib/ids.ts';
import { everyone } from '../../../policy/snapshot.ts';
import type { DenyAssignment } from '../../../store/changes.ts';
import {
  deleteDenyAssignment,
  parseDenyAssignment,
  putDenyAssignment,
} from '../../../store/deny-assignments.ts';
import { denyRequest } from './deny-request.ts';
import { guarded, json, jsonBody } from './exchanges.ts';
import { parseFilter, type Filter } from './filter.ts';
import { identitiesOf } from './identities.ts';
import { listPage } from './list-page.ts';
import type { AuthorizationOptions, TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { scopeRelations } from './scope-relations.ts';
import { denyAssignmentBody, denyAssignmentNameBody } from './representations.ts';

const filters = [
  'atScope',
  'principalId',
  'assignedTo',
  'gdprExportPrincipalId',
  'denyAssignmentName',
] as const;

/**
 * Read as in Azure; written, as Azure's own services alone may there, by whoever holds denyAssignments/write.
 * learn.microsoft.com/rest/api/authorization/deny-assignments
 */
export const describeDenyAssignments: TypeDescriber = (head, { scope, name }, options) => {
  const { snapshot, commit } = options;
  switch (head.method) {
    case 'GET':
      return guarded('denyAssignments/read', scope, 'read', { kind: 'none' }, async () => {
        if (name === null) {
          const filter = parseFilter(head.query.get('$filter'), filters);
          const view =
            filter.gdprExportPrincipalId === undefined ? denyAssignmentBody : denyAssignmentNameBody;
          return listPage(head, matching(options, scope, filter), view);
        }
        const assignment = snapshot.denyAssignment(name);
        if (assignment?.scope !== scope) throw notFound(name);
        return json(200, denyAssignmentBody(assignment));
      });
    case 'PUT':
      if (name === null) return null;
      return guarded('denyAssignments/write', scope, 'change', jsonBody, async (exchange) =>
        put(exchange, scope, name, options),
      );
    case 'DELETE':
      if (name === null) return null;
      return guarded('denyAssignments/delete', scope, 'change', { kind: 'none' }, async (exchange) => {
        const removed = await commit(exchange.attribution, async (tx, record) => {
          const row = await tx
            .selectFrom('deny_assignments')
            .selectAll()
            .where('id', '=', name)
            .where('scope', '=', scope)
            .executeTakeFirst();
          if (!row) return null;
          const assignment = parseDenyAssignment(row);
          await deleteDenyAssignment(tx, record, assignment);
          return assignment;
        });
        return removed ? json(200, denyAssignmentBody(removed)) : { status: 204 };
      });
    default:
      return null;
  }
};

async function put(
  exchange: Exchange,
  scope: string,
  name: string,
  options: AuthorizationOptions,
): Promise<Reply> {
  if (!isGuid(name)) {
    throw refusal(
      'invalid_request',
      'InvalidDenyAssignmentId',
      `The deny assignment ID '${name}' is not valid. It must be a GUID.`,
    );
  }
  const assignment: DenyAssignment = { id: name, scope, ...denyRequest(exchange.json(z.unknown()), options) };
  const created = await options.commit(exchange.attribution, async (tx, record) => {
    const existing = await tx
      .selectFrom('deny_assignments')
      .select('scope')
      .where('id', '=', name)
      .executeTakeFirst();
    if (existing && existing.scope !== scope) {
      throw refusal(
        'invalid_request',
        'DenyAssignmentUpdateNotPermitted',
        'A deny assignment of this name exists at another scope; its scope cannot be changed.',
      );
    }
    await putDenyAssignment(tx, record, assignment);
    exchange.conclude();
    return existing === undefined;
  });
  return json(created ? 201 : 200, denyAssignmentBody(assignment));
}

/**
 * At, above and below the scope; with `atScope()` not below it. `principalId` finds whom an assignment names itself,
 * `gdprExportPrincipalId` also whom it spares, `assignedTo` whom it reaches, through groups or as everyone, unless spared.
 */
function* matching(
  { snapshot }: AuthorizationOptions,
  scope: string,
  {
    atScope,
    principalId,
    assignedTo,
    gdprExportPrincipalId,
    denyAssignmentName,
  }: Filter<(typeof filters)[number]>,
): Generator<DenyAssignment> {
  const identities = assignedTo === undefined ? null : identitiesOf(snapshot, assignedTo);
  const relations = scopeRelations(snapshot, scope);
  for (const assignment of snapshot.denyAssignments()) {
    const { principals, excludePrincipals } = assignment;
    const above = relations.isAbove(assignment.scope);
    if (!above && (atScope !== undefined || !relations.isBeneath(assignment.scope))) continue;
    if (principalId !== undefined && !principals.some((id) => id === principalId)) continue;
    if (
      gdprExportPrincipalId !== undefined &&
      ![...principals, ...excludePrincipals].some((id) => id === gdprExportPrincipalId)
    )
      continue;
    if (denyAssignmentName !== undefined && assignment.name.toLowerCase() !== denyAssignmentName) continue;
    if (identities && !reaches(assignment, identities)) continue;
    yield assignment;
  }
}

function reaches(
  { principals, excludePrincipals }: DenyAssignment,
  identities: ReadonlySet<string>,
): boolean {
  const named = principals.some((id) => id === everyone || identities.has(id));
  return named && !excludePrincipals.some((id) => identities.has(id));
}

function notFound(name: string): Error {
  return refusal('not_found', 'DenyAssignmentNotFound', `The deny assignment '${name}' is not found.`);
}
