import { z } from 'zod';
import type { PrincipalId } from '../lib/ids.ts';
import type { Change, RoleAssignment, Tx } from './changes.ts';
import type { Schema } from './schema.ts';

type Record = (change: Change) => void;

const principalType = z.enum(['User', 'Group', 'ServicePrincipal']);

/**
 * Writes a role assignment, or the description and condition of one that exists: scope, role and principal stay.
 * The scope must be in normal form. Throws the database's constraint error if another assignment grants the same.
 */
export async function putRoleAssignment(tx: Tx, record: Record, assignment: RoleAssignment): Promise<void> {
  const changing = {
    description: assignment.description,
    condition: assignment.condition ?? null,
    updated_on: assignment.updatedOn ?? null,
    updated_by: assignment.updatedBy ?? null,
  };
  await tx
    .insertInto('role_assignments')
    .values({
      id: assignment.id,
      scope: assignment.scope,
      role_definition_id: assignment.roleDefinitionId,
      principal_id: assignment.principalId,
      principal_type: assignment.principalType,
      created_on: assignment.createdOn,
      created_by: assignment.createdBy,
      written_scope: assignment.writtenScope ?? null,
      ...changing,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
    .execute();
  record({ kind: 'role-assignment.put', assignment });
}

export async function deleteRoleAssignment(
  tx: Tx,
  record: Record,
  assignment: RoleAssignment,
): Promise<void> {
  await tx.deleteFrom('role_assignments').where('id', '=', assignment.id).execute();
  record({ kind: 'role-assignment.deleted', assignment });
}

export function parseRoleAssignment(row: Schema['role_assignments']): RoleAssignment {
  return {
    id: row.id,
    scope: row.scope,
    roleDefinitionId: row.role_definition_id,
    principalId: row.principal_id as PrincipalId,
    principalType: principalType.parse(row.principal_type),
    description: row.description,
    createdOn: row.created_on,
    createdBy: row.created_by,
    ...(row.condition === null ? {} : { condition: row.condition }),
    ...(row.written_scope === null ? {} : { writtenScope: row.written_scope }),
    ...(row.updated_on === null ? {} : { updatedOn: row.updated_on, updatedBy: row.updated_by ?? '' }),
  };
}
