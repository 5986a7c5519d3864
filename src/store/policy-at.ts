import type { PrincipalId } from '../lib/ids.ts';
import type { RoleDefinition, ScopePlacement, Tx } from './changes.ts';
import { parseDenyAssignment } from './deny-assignments.ts';
import { parsePrincipal, type StoredPolicy } from './policy-rows.ts';
import { parseRoleAssignment } from './role-assignments.ts';
import { parseRoleDefinition } from './role-definitions.ts';

/** Values that one query names; far below what databases take. */
const perQuery = 500;

export interface PolicyAtOptions {
  readonly scopes: readonly string[];
  /** Where scopes hang that do not hang where their names say. */
  readonly placements: readonly ScopePlacement[];
  readonly matters: (definition: RoleDefinition) => boolean;
  /** For these principals and nobody else; null for all. */
  readonly only: readonly PrincipalId[] | null;
}

/**
 * The policy at exactly these scopes as the transaction would leave it: what is assigned and denied there, and of the
 * directory whomever a role that `matters` reaches, with all of their groups. Tags are left out, and so is whoever
 * holds none of these roles. With `only` its cost goes by the assignments of those, and not by how many there are.
 */
export async function loadPolicyAt(
  tx: Tx,
  { scopes, placements, matters, only }: PolicyAtOptions,
): Promise<StoredPolicy> {
  const upwards = (from: readonly string[]) =>
    closure(
      from,
      (members) => tx.selectFrom('group_members').selectAll().where('member_id', 'in', members).execute(),
      (row) => row.group_id,
    );
  const asked = only === null ? null : await upwards(only);
  const denials = await inParts(scopes, (part) =>
    tx.selectFrom('deny_assignments').selectAll().where('scope', 'in', part).execute(),
  );
  const at = (part: readonly string[]) => tx.selectFrom('role_assignments').where('scope', 'in', part);
  const own =
    asked === null
      ? null
      : await inParts(asked.ids, (ids) =>
          inParts(scopes, (part) => at(part).where('principal_id', 'in', ids).selectAll().execute()),
        );
  // Of all, told by an index alone: most roles at a crowded scope do not matter.
  const assigned =
    own ?? (await inParts(scopes, (part) => at(part).select('role_definition_id').distinct().execute()));
  const roleIds = [...new Set(assigned.map((row) => row.role_definition_id))];
  const definitions = await inParts(roleIds, (part) =>
    tx.selectFrom('role_definitions').selectAll().where('id', 'in', part).execute(),
  );
  const roleDefinitions = definitions.map(parseRoleDefinition);
  const mattering = roleDefinitions.filter(matters).map(({ id }) => id);
  const named =
    own?.filter((row) => mattering.includes(row.role_definition_id)) ??
    (await inParts(scopes, (part) =>
      inParts(mattering, (roles) => at(part).where('role_definition_id', 'in', roles).selectAll().execute()),
    ));
  const { ids, rows: memberships } = asked ?? (await upwards(await membersOf(tx, named)));
  const principals = await inParts(ids, (part) =>
    tx.selectFrom('principals').selectAll().where('id', 'in', part).execute(),
  );
  return {
    principals: principals.map(parsePrincipal),
    memberships: memberships.map((row) => ({
      group: row.group_id as PrincipalId,
      member: row.member_id as PrincipalId,
    })),
    roleDefinitions,
    roleAssignments: named.map(parseRoleAssignment),
    denyAssignments: denials.map(parseDenyAssignment),
    placements,
    tags: [],
    version: 0,
  };
}

/** The principals that these assignments name, and their members, transitively. */
async function membersOf(tx: Tx, named: readonly { readonly principal_id: string }[]) {
  const { ids } = await closure(
    named.map((row) => row.principal_id),
    (groups) => tx.selectFrom('group_members').selectAll().where('group_id', 'in', groups).execute(),
    (row) => row.member_id,
  );
  return ids;
}

/** All that is reached from these ids, they themselves included, and the rows on the way. */
async function closure<Row>(
  start: readonly string[],
  step: (ids: readonly string[]) => Promise<Row[]>,
  reached: (row: Row) => string,
): Promise<{ readonly ids: readonly string[]; readonly rows: readonly Row[] }> {
  const found = new Set(start);
  const rows: Row[] = [];
  for (let edge = [...found]; edge.length > 0;) {
    const next = await inParts(edge, step);
    rows.push(...next);
    edge = [...new Set(next.map(reached))].filter((id) => !found.has(id));
    for (const id of edge) found.add(id);
  }
  return { ids: [...found], rows };
}

async function inParts<Value, Row>(
  values: readonly Value[],
  query: (part: readonly Value[]) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let from = 0; from < values.length; from += perQuery) {
    rows.push(...(await query(values.slice(from, from + perQuery))));
  }
  return rows;
}
