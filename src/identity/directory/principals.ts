import type { Kysely } from 'kysely';
import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import { newGuid, type PrincipalId } from '../../lib/ids.ts';
import type {
  AttributeValue,
  Attribution,
  Change,
  Commit,
  PrincipalKind,
  PrincipalRecord,
  Tx,
} from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import { securityAttributesOf, storedSecurityAttributes } from '../../store/security-attributes.ts';
import { revokeIssued } from '../signin/issued-tokens.ts';
import { withdrawLinks } from '../signin/one-time-links.ts';
import { endSessions } from '../signin/sessions.ts';
import { principalIdOf } from './names.ts';

/** What the files of the directory work with. */
export interface DirectoryParts {
  readonly db: Kysely<Schema>;
  readonly commit: Commit;
  readonly clock: Clock;
}

export type Recorder = (change: Change) => void;

/** Either the connection or a transaction: whatever can read. */
export type Reader = Kysely<Schema> | Tx;

export const principalColumns = [
  'principals.id',
  'principals.kind',
  'principals.display_name',
  'principals.enabled',
  'principals.sponsor_id',
  'principals.sign_in_name',
  'principals.created_at',
  'principals.security_attributes_json',
] as const;

type PrincipalRow = Schema['principals'];

export function toPrincipal(row: PrincipalRow): PrincipalRecord {
  return {
    id: row.id as PrincipalId,
    kind: row.kind as PrincipalKind,
    displayName: row.display_name,
    enabled: row.enabled === 1,
    sponsorId: row.sponsor_id as PrincipalId | null,
    signInName: row.sign_in_name,
    ...securityAttributesOf(row),
  };
}

export async function findPrincipal(reader: Reader, id: string): Promise<PrincipalRecord | null> {
  const row = await reader
    .selectFrom('principals')
    .select(principalColumns)
    .where('id', '=', id.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? null : toPrincipal(row);
}

/** The principal, or `not_found` naming the id and, if given, the kind that was expected. */
export async function requirePrincipal(
  reader: Reader,
  id: string,
  kinds?: readonly PrincipalKind[],
): Promise<PrincipalRecord> {
  const principal = await findPrincipal(reader, id);
  if (principal === null || (kinds !== undefined && !kinds.includes(principal.kind)))
    throw failure('not_found', `There is no ${kinds?.join(' or ') ?? 'principal'} with object id ${id}.`);
  return principal;
}

/** Who answers for a workload: an enabled user. Throws `invalid_request`. */
export async function requireSponsor(reader: Reader, sponsorId: string): Promise<PrincipalRecord> {
  const sponsor = await findPrincipal(reader, sponsorId);
  if (sponsor?.kind !== 'user' || !sponsor.enabled)
    throw failure('invalid_request', `sponsorId ${sponsorId} is not an enabled user; a person must answer.`, {
      field: 'sponsorId',
    });
  return sponsor;
}

/** Writes the row and its change. Throws `conflict` if the id is taken. */
export async function insertPrincipal(
  tx: Tx,
  record: Recorder,
  createdAt: number,
  principal: PrincipalRecord,
): Promise<PrincipalRecord> {
  if ((await findPrincipal(tx, principal.id)) !== null)
    throw failure('conflict', `The object id ${principal.id} is in use.`);
  await tx
    .insertInto('principals')
    .values({
      id: principal.id,
      kind: principal.kind,
      display_name: principal.displayName,
      enabled: principal.enabled ? 1 : 0,
      sponsor_id: principal.sponsorId,
      sign_in_name: principal.signInName,
      created_at: createdAt,
      security_attributes_json: storedSecurityAttributes(principal.securityAttributes),
    })
    .execute();
  record({ kind: 'principal.created', principal });
  return principal;
}

/** The id asked for, or a new one. */
export function newPrincipalId(asked: string | undefined): PrincipalId {
  return principalIdOf(asked ?? newGuid());
}

/** Switches a person or workload on or off; what it already has stops working with the commit. */
export async function setEnabled(
  parts: DirectoryParts,
  by: Attribution,
  id: PrincipalId,
  enabled: boolean,
): Promise<PrincipalRecord> {
  return parts.commit(by, async (tx, record) => {
    const before = await requirePrincipal(tx, id);
    if (before.kind === 'group') throw failure('invalid_request', 'A group cannot be enabled or disabled.');
    const principal = { ...before, enabled };
    if (before.enabled === enabled) return principal;
    await tx
      .updateTable('principals')
      .set({ enabled: enabled ? 1 : 0 })
      .where('id', '=', principal.id)
      .execute();
    record({ kind: 'principal.updated', principal, switched: true });
    if (enabled) return principal;
    const now = parts.clock.now();
    await endSessions(tx, record, { principalId: principal.id }, 'disabled', now);
    await withdrawLinks(tx, record, principal.id, now);
    await endWhatItHoldsForPeople(tx, record, principal, now);
    return principal;
  });
}

/** Gives a workload another sponsor: an enabled user. */
export async function setSponsor(
  parts: DirectoryParts,
  by: Attribution,
  id: PrincipalId,
  sponsorId: PrincipalId,
): Promise<PrincipalRecord> {
  return parts.commit(by, async (tx, record) => {
    const before = await requirePrincipal(tx, id, ['application', 'managed-identity']);
    const sponsor = await requireSponsor(tx, sponsorId);
    const principal = { ...before, sponsorId: sponsor.id };
    await tx
      .updateTable('principals')
      .set({ sponsor_id: sponsor.id })
      .where('id', '=', principal.id)
      .execute();
    record({ kind: 'principal.updated', principal });
    return principal;
  });
}

/** How many custom security attributes a principal may have, as in Entra ID. */
const mostSecurityAttributes = 500;

/**
 * Sets custom security attributes by `{set}_{attribute}`, and removes those that are null; the others stay. In force
 * with the commit. Throws `not_found`, or `invalid_request` for a group or too many.
 */
export async function setSecurityAttributes(
  parts: DirectoryParts,
  by: Attribution,
  id: PrincipalId,
  changes: Readonly<Record<string, AttributeValue | null>>,
): Promise<PrincipalRecord> {
  return parts.commit(by, async (tx, record) => {
    const { securityAttributes: before = {}, ...rest } = await requirePrincipal(tx, id);
    if (rest.kind === 'group' || rest.kind === 'job')
      throw failure('invalid_request', 'Only people, applications and managed identities have attributes.');
    // Conditions ask without regard to case, so no two names may differ in it alone.
    const named = new Map(Object.entries(before).map((entry) => [entry[0].toLowerCase(), entry]));
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) named.delete(name.toLowerCase());
      else named.set(name.toLowerCase(), [name, value]);
    }
    const after = Object.fromEntries(named.values());
    if (Object.keys(after).length > mostSecurityAttributes)
      throw failure('invalid_request', `A principal has at most ${mostSecurityAttributes} attributes.`);
    const principal: PrincipalRecord = { ...rest, securityAttributes: after };
    await tx
      .updateTable('principals')
      .set({ security_attributes_json: storedSecurityAttributes(after) })
      .where('id', '=', rest.id)
      .execute();
    record({ kind: 'principal.updated', principal });
    return principal;
  });
}

/** Removes a principal with its credentials and memberships. Workloads that it sponsors stop until another does. */
export async function deletePrincipal(
  parts: DirectoryParts,
  by: Attribution,
  id: PrincipalId,
): Promise<void> {
  await parts.commit(by, async (tx, record) => {
    const principal = await requirePrincipal(tx, id);
    await endSessions(tx, record, { principalId: principal.id }, 'deleted', parts.clock.now());
    await endWhatItHoldsForPeople(tx, record, principal, parts.clock.now());
    await tx.deleteFrom('principals').where('id', '=', principal.id).execute();
    record({ kind: 'principal.deleted', id: principal.id, principalKind: principal.kind });
  });
}

async function endWhatItHoldsForPeople(
  tx: Tx,
  record: Recorder,
  { kind, signInName }: PrincipalRecord,
  now: number,
): Promise<void> {
  if (kind !== 'application' || signInName === null) return;
  await revokeIssued(tx, record, { clientId: signInName }, now);
}
