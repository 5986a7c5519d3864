import type { Change, RoleAssignment, Tx } from '../../../store/changes.ts';
import {
  deleteRoleAssignment,
  parseRoleAssignment,
  putRoleAssignment,
} from '../../../store/role-assignments.ts';
import { answerAccessRequests } from '../../access-requests/access-requests.ts';
import { refusal } from './refusals.ts';

type Record = (change: Change) => void;

/**
 * Writes an assignment unless it exists. The same name with the same role, principal and scope changes only its
 * description and condition. Throws `conflict` (RoleAssignmentExists) when another name already grants the same, and
 * `invalid_request` (RoleAssignmentUpdateNotPermitted) when the name stands for something else.
 */
export async function createAssignment(
  tx: Tx,
  record: Record,
  assignment: RoleAssignment,
): Promise<{ created: boolean; stored: RoleAssignment }> {
  const named = await tx
    .selectFrom('role_assignments')
    .selectAll()
    .where('id', '=', assignment.id)
    .executeTakeFirst();
  if (named) {
    const existing = parseRoleAssignment(named);
    if (!grantsTheSame(existing, assignment)) {
      throw refusal(
        'invalid_request',
        'RoleAssignmentUpdateNotPermitted',
        'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
      );
    }
    const { condition: before = null, ...kept } = existing;
    const { description, condition = null } = assignment;
    if (description === existing.description && condition === before)
      return { created: false, stored: existing };
    const stored = {
      ...kept,
      description,
      ...(condition === null ? {} : { condition }),
      updatedOn: assignment.createdOn,
      updatedBy: assignment.createdBy,
    };
    await putRoleAssignment(tx, record, stored);
    return { created: false, stored };
  }
  const twin = await tx
    .selectFrom('role_assignments')
    .select('id')
    .where('scope', '=', assignment.scope)
    .where('role_definition_id', '=', assignment.roleDefinitionId)
    .where('principal_id', '=', assignment.principalId)
    .executeTakeFirst();
  if (twin) {
    throw refusal(
      'conflict',
      'RoleAssignmentExists',
      `The role assignment already exists. The ID of the existing role assignment is ${twin.id.replaceAll('-', '')}.`,
    );
  }
  await putRoleAssignment(tx, record, assignment);
  await answerAccessRequests(tx, record, assignment);
  return { created: true, stored: assignment };
}

/** Ends an assignment; null if there is none of this name at this scope. */
export async function removeAssignment(
  tx: Tx,
  record: Record,
  name: string,
  scope: string,
): Promise<RoleAssignment | null> {
  const row = await tx
    .selectFrom('role_assignments')
    .selectAll()
    .where('id', '=', name)
    .where('scope', '=', scope)
    .executeTakeFirst();
  if (!row) return null;
  const assignment = parseRoleAssignment(row);
  await deleteRoleAssignment(tx, record, assignment);
  return assignment;
}

function grantsTheSame(a: RoleAssignment, b: RoleAssignment): boolean {
  return a.scope === b.scope && a.roleDefinitionId === b.roleDefinitionId && a.principalId === b.principalId;
}
