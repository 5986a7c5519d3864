import { roleIds } from '../../../policy/built-in-roles.ts';
import type { Change, RoleAssignment, Tx } from '../../../store/changes.ts';
import {
  deleteRoleAssignment,
  parseRoleAssignment,
  putRoleAssignment,
} from '../../../store/role-assignments.ts';
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
    if (condition !== null && before === null) await mustLeaveAnOwner(tx, existing);
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
  return { created: true, stored: assignment };
}

/**
 * Ends an assignment; null if there is none of this name at this scope. Throws `precondition_failed`
 * (CannotDeleteLastRbacAdminAssignment) rather than leave a subscription, or the root, without a live Owner.
 */
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
  await mustLeaveAnOwner(tx, assignment);
  await deleteRoleAssignment(tx, record, assignment);
  return assignment;
}

/**
 * Throws `precondition_failed` where this is the last unconditional assignment of Owner to an enabled principal at the
 * root or a subscription.
 */
async function mustLeaveAnOwner(
  tx: Tx,
  { id: name, scope, roleDefinitionId }: RoleAssignment,
): Promise<void> {
  if (needsOwner(scope) && roleDefinitionId === roleIds.owner) {
    const another = await tx
      .selectFrom('role_assignments')
      .innerJoin('principals', 'principals.id', 'role_assignments.principal_id')
      .select('role_assignments.id')
      .where('role_assignments.scope', '=', scope)
      .where('role_assignments.role_definition_id', '=', roleIds.owner)
      .where('role_assignments.id', '<>', name)
      .where('principals.enabled', '=', 1)
      .where('role_assignments.condition', 'is', null)
      .executeTakeFirst();
    if (!another) {
      throw refusal(
        'precondition_failed',
        'CannotDeleteLastRbacAdminAssignment',
        'Cannot delete the last RBAC admin assignment: assign Owner to another enabled principal here first.',
      );
    }
  }
}

function needsOwner(scope: string): boolean {
  return scope === '/' || /^\/subscriptions\/[^/]+$/.test(scope);
}

function grantsTheSame(a: RoleAssignment, b: RoleAssignment): boolean {
  return a.scope === b.scope && a.roleDefinitionId === b.roleDefinitionId && a.principalId === b.principalId;
}
