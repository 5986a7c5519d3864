import type { Kysely } from 'kysely';
import type { PrincipalId } from '../lib/ids.ts';
import type {
  DenyAssignment,
  PrincipalRecord,
  RoleAssignment,
  RoleDefinition,
  ScopePlacement,
} from './changes.ts';
import { readTogether } from './read-together.ts';
import { parseDenyAssignment } from './deny-assignments.ts';
import { parseRoleAssignment } from './role-assignments.ts';
import { parseRoleDefinition } from './role-definitions.ts';
import type { Schema } from './schema.ts';
import { parsePlacement } from './scope-placements.ts';
import { securityAttributesOf } from './security-attributes.ts';
import { z } from 'zod';

export interface StoredPolicy {
  readonly principals: readonly PrincipalRecord[];
  readonly memberships: readonly { readonly group: PrincipalId; readonly member: PrincipalId }[];
  readonly roleDefinitions: readonly RoleDefinition[];
  readonly roleAssignments: readonly RoleAssignment[];
  readonly denyAssignments: readonly DenyAssignment[];
  readonly placements: readonly ScopePlacement[];
  /** Tags of the resources that have any, by scope in normal form. */
  readonly tags: readonly { readonly scope: string; readonly tags: Readonly<Record<string, string>> }[];
  /** Sequence of the newest change that these rows contain; 0 before the first. */
  readonly version: number;
}

/** The whole policy as it stands, all of one moment. Throws if a row is not in the form this version writes. */
export async function loadPolicyRows(db: Kysely<Schema>): Promise<StoredPolicy> {
  return readTogether(db, async (tx) => {
    const newest = await tx
      .selectFrom('ledger_events')
      .select((events) => events.fn.max('sequence').as('sequence'))
      .where('previous_change', 'is not', null)
      .executeTakeFirst();
    const principals = await tx.selectFrom('principals').selectAll().execute();
    const memberships = await tx.selectFrom('group_members').selectAll().execute();
    const definitions = await tx.selectFrom('role_definitions').selectAll().execute();
    const assignments = await tx.selectFrom('role_assignments').selectAll().execute();
    const denials = await tx.selectFrom('deny_assignments').selectAll().execute();
    const placements = await loadPlacements(tx);
    const tagged = await tx
      .selectFrom('resources')
      .select(['id', 'tags_json'])
      .where('tags_json', '<>', '{}')
      .execute();
    return {
      principals: principals.map(parsePrincipal),
      memberships: memberships.map((row) => ({
        group: row.group_id as PrincipalId,
        member: row.member_id as PrincipalId,
      })),
      roleDefinitions: definitions.map(parseRoleDefinition),
      roleAssignments: assignments.map(parseRoleAssignment),
      denyAssignments: denials.map(parseDenyAssignment),
      placements,
      tags: tagged.map((row) => ({ scope: row.id, tags: tags.parse(JSON.parse(row.tags_json)) })),
      version: newest?.sequence ?? 0,
    };
  });
}

/** Every placement, those made first before the others. */
export async function loadPlacements(reader: Kysely<Schema>): Promise<ScopePlacement[]> {
  const rows = await reader
    .selectFrom('scope_placements')
    .selectAll()
    .orderBy('created_at')
    .orderBy('scope')
    .execute();
  return rows.map(parsePlacement);
}

const tags = z.record(z.string(), z.string());
const principalKind = z.enum(['user', 'group', 'application', 'managed-identity', 'job']);

export function parsePrincipal(row: Schema['principals']): PrincipalRecord {
  return {
    id: row.id as PrincipalId,
    kind: principalKind.parse(row.kind),
    displayName: row.display_name,
    enabled: row.enabled === 1,
    sponsorId: row.sponsor_id as PrincipalId | null,
    signInName: row.sign_in_name,
    ...securityAttributesOf(row),
  };
}
