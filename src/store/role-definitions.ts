import { z } from 'zod';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Attribution, Change, Commit, Permission, RoleDefinition, Tx } from './changes.ts';
import type { Schema } from './schema.ts';
import type { Store } from './sqlite.ts';

type Record = (change: Change) => void;

type StoredPermission = Omit<Permission, 'condition'> & { readonly condition?: string };

export const permissionsSchema = z
  .array(
    z.object({
      actions: z.array(z.string()),
      notActions: z.array(z.string()),
      dataActions: z.array(z.string()),
      notDataActions: z.array(z.string()),
      condition: z.string().optional(),
    }),
  )
  .transform(storedPermissions);

/** Permissions as they are stored: members in one order, no empty condition. */
export function storedPermissions(
  permissions: readonly (Omit<Permission, 'condition'> & {
    readonly condition?: string | null | undefined;
  })[],
): StoredPermission[] {
  return permissions.map(({ actions, notActions, dataActions, notDataActions, condition }) => ({
    actions,
    notActions,
    dataActions,
    notDataActions,
    ...(condition == null ? {} : { condition }),
  }));
}

/** Writes a role definition, new or changed, and answers it with its history; `now` in milliseconds. */
export async function putRoleDefinition(
  tx: Tx,
  record: Record,
  definition: RoleDefinition,
  now: number,
  by = '',
): Promise<RoleDefinition> {
  const content = {
    role_name: definition.roleName,
    description: definition.description,
    type: definition.type,
    permissions_json: canonicalJson(storedPermissions(definition.permissions)),
    assignable_scopes_json: canonicalJson(definition.assignableScopes),
    written_scopes_json: definition.writtenScopes ? canonicalJson(definition.writtenScopes) : null,
    updated_at: now,
    updated_by: by,
  };
  const row = await tx
    .insertInto('role_definitions')
    .values({ id: definition.id, created_at: now, created_by: by, ...content })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(content))
    .returningAll()
    .executeTakeFirstOrThrow();
  const stored = parseRoleDefinition(row);
  record({ kind: 'role-definition.put', definition: stored });
  return stored;
}

export async function deleteRoleDefinition(tx: Tx, record: Record, id: string): Promise<void> {
  await tx.deleteFrom('role_definitions').where('id', '=', id).execute();
  record({ kind: 'role-definition.deleted', id });
}

/** Writes those of the given definitions that the store lacks or holds in another form. Answers how many. */
export async function ensureRoleDefinitions(
  store: Store,
  commit: Commit,
  by: Attribution,
  definitions: readonly RoleDefinition[],
  now: number,
): Promise<number> {
  const rows = await store.db.selectFrom('role_definitions').selectAll().execute();
  const stored = new Map(rows.map((row) => [row.id, JSON.stringify(ordered(parseRoleDefinition(row)))]));
  const outdated = definitions.filter(
    (definition) => stored.get(definition.id) !== JSON.stringify(ordered(definition)),
  );
  if (outdated.length === 0) return 0;
  await commit(by, async (tx, record) => {
    for (const definition of outdated) await putRoleDefinition(tx, record, definition, now);
  });
  return outdated.length;
}

export function parseRoleDefinition(row: Schema['role_definitions']): RoleDefinition {
  const { written_scopes_json: written } = row;
  return {
    id: row.id,
    roleName: row.role_name,
    description: row.description,
    type: row.type,
    permissions: permissionsSchema.parse(JSON.parse(row.permissions_json)),
    assignableScopes: z.array(z.string()).parse(JSON.parse(row.assignable_scopes_json)),
    ...(written === null ? {} : { writtenScopes: z.array(z.string()).parse(JSON.parse(written)) }),
    history: {
      createdOn: new Date(row.created_at).toISOString(),
      createdBy: row.created_by,
      updatedOn: new Date(row.updated_at).toISOString(),
      updatedBy: row.updated_by,
    },
  };
}

/** What a role is, without its history: members in one order, so that equal definitions print alike. */
function ordered(definition: RoleDefinition): RoleDefinition {
  const { id, roleName, description, type, permissions, assignableScopes } = definition;
  return {
    id,
    roleName,
    description,
    type,
    permissions: storedPermissions(permissions),
    assignableScopes,
  };
}
