import { z } from 'zod';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import { isGuid } from '../../../lib/ids.ts';
import type { DenyAssignment } from '../../../store/changes.ts';
import {
  deleteDenyAssignment,
  parseDenyAssignment,
  putDenyAssignment,
} from '../../../store/deny-assignments.ts';
import { denyRequest } from './deny-request.ts';
import { guarded, json, jsonBody } from './exchanges.ts';
import { parseFilter } from './filter.ts';
import type { AuthorizationOptions, TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { denyAssignmentBody } from './representations.ts';

/**
 * Read as in Azure; written, as Azure's own services alone may there, by whoever holds denyAssignments/write.
 * learn.microsoft.com/rest/api/authorization/deny-assignments
 */
export const describeDenyAssignments: TypeDescriber = (head, { scope, name }, options) => {
  const { snapshot, commit } = options;
  switch (head.method) {
    case 'GET':
      return guarded('denyAssignments/read', scope, 'read', { kind: 'none' }, async () => {
        if (name === null)
          return json(200, { value: list(options, scope, head.query.get('$filter')), nextLink: null });
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
    return existing === undefined;
  });
  return json(created ? 201 : 200, denyAssignmentBody(assignment));
}

function list({ snapshot }: AuthorizationOptions, scope: string, text: string | null): object[] {
  const filter = parseFilter(text, ['atScope', 'principalId']);
  const found: object[] = [];
  for (const assignment of snapshot.denyAssignments()) {
    const above = snapshot.isWithin(scope, assignment.scope);
    if (!above && (filter.atScope || !snapshot.isWithin(assignment.scope, scope))) continue;
    if (filter.principalId && !assignment.principals.some((id) => id === filter.principalId)) continue;
    found.push(denyAssignmentBody(assignment));
  }
  return found;
}

function notFound(name: string): Error {
  return refusal('not_found', 'DenyAssignmentNotFound', `The deny assignment '${name}' is not found.`);
}
