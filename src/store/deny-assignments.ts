import { z } from 'zod';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { PrincipalId } from '../lib/ids.ts';
import type { Change, DenyAssignment, Tx } from './changes.ts';
import { permissionsSchema, storedPermissions } from './role-definitions.ts';
import type { Schema } from './schema.ts';

type Record = (change: Change) => void;

const principalIds = z.array(z.string()).transform((ids) => ids as PrincipalId[]);

/** Writes a deny assignment, new or changed. The scope must be in normal form. */
export async function putDenyAssignment(tx: Tx, record: Record, assignment: DenyAssignment): Promise<void> {
  const content = {
    name: assignment.name,
    description: assignment.description,
    scope: assignment.scope,
    permissions_json: canonicalJson(storedPermissions(assignment.permissions)),
    do_not_apply_to_child_scopes: assignment.doNotApplyToChildScopes ? 1 : 0,
    principals_json: canonicalJson(assignment.principals),
    exclude_principals_json: canonicalJson(assignment.excludePrincipals),
    condition: assignment.condition ?? null,
  };
  await tx
    .insertInto('deny_assignments')
    .values({ id: assignment.id, ...content })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(content))
    .execute();
  record({ kind: 'deny-assignment.put', assignment });
}

export async function deleteDenyAssignment(
  tx: Tx,
  record: Record,
  assignment: DenyAssignment,
): Promise<void> {
  await tx.deleteFrom('deny_assignments').where('id', '=', assignment.id).execute();
  record({ kind: 'deny-assignment.deleted', assignment });
}

/** Throws if the row is not in the form that this version writes. */
export function parseDenyAssignment(row: Schema['deny_assignments']): DenyAssignment {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    scope: row.scope,
    permissions: permissionsSchema.parse(JSON.parse(row.permissions_json)),
    doNotApplyToChildScopes: row.do_not_apply_to_child_scopes === 1,
    principals: principalIds.parse(JSON.parse(row.principals_json)),
    excludePrincipals: principalIds.parse(JSON.parse(row.exclude_principals_json)),
    ...(row.condition === null ? {} : { condition: row.condition }),
  };
}
