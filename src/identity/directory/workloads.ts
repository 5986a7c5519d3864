import { failure } from '../../lib/errors.ts';
import { isGuid, newGuid, type PrincipalId } from '../../lib/ids.ts';
import type { Attribution, Change, PrincipalRecord, Tx } from '../../store/changes.ts';
import { applicationByAppId } from './applications.ts';
import { displayNameOf, invalid, principalIdOf } from './names.ts';
import {
  insertPrincipal,
  newPrincipalId,
  principalColumns,
  requireSponsor,
  toPrincipal,
  type DirectoryParts,
} from './principals.ts';

export interface NewManagedIdentity {
  readonly id?: string;
  readonly displayName: string;
  /** The Azure-style id of the resource that it belongs to. */
  readonly resourceId: string;
  readonly sponsorId: PrincipalId;
}

export interface NewJobPrincipal {
  readonly id: PrincipalId;
  readonly displayName: string;
  /** The job's owner. */
  readonly sponsorId: PrincipalId;
}

/** Whatever can authenticate by itself at the token endpoint. */
export interface Workload extends PrincipalRecord {
  readonly clientId: string;
  readonly publicClient: boolean;
  readonly accessTokenSeconds: number | null;
}

export async function createManagedIdentity(
  parts: DirectoryParts,
  by: Attribution,
  identity: NewManagedIdentity,
): Promise<PrincipalRecord> {
  const displayName = displayNameOf(identity.displayName);
  const { resourceId } = identity;
  if (!/^\/[\x21-\x7e]{1,1023}$/.test(resourceId)) throw invalid('resourceId', 'must be a resource path');
  const id = newPrincipalId(identity.id);
  const clientId = newGuid();
  return parts.commit(by, async (tx, record) => {
    const sponsor = await requireSponsor(tx, identity.sponsorId);
    const taken = await tx
      .selectFrom('managed_identities')
      .select('principal_id')
      .where('resource_id', '=', resourceId)
      .executeTakeFirst();
    if (taken !== undefined) throw failure('conflict', `${resourceId} has a managed identity already.`);
    const principal = await insertPrincipal(tx, record, parts.clock.now(), {
      id,
      kind: 'managed-identity',
      displayName,
      enabled: true,
      sponsorId: sponsor.id,
      signInName: clientId,
    });
    await tx
      .insertInto('managed_identities')
      .values({ principal_id: id, client_id: clientId, resource_id: resourceId })
      .execute();
    return principal;
  });
}

/** A job's own principal, within the transaction that submits the job; its owner must be an enabled user. */
export async function createJobPrincipal(
  tx: Tx,
  record: (change: Change) => void,
  createdAt: number,
  job: NewJobPrincipal,
): Promise<PrincipalRecord> {
  const id = principalIdOf(job.id);
  const sponsor = await requireSponsor(tx, job.sponsorId);
  return insertPrincipal(tx, record, createdAt, {
    id,
    kind: 'job',
    displayName: displayNameOf(job.displayName),
    enabled: true,
    sponsorId: sponsor.id,
    signInName: id,
  });
}

/** The application or managed identity with that client id. */
export async function workloadByClientId(parts: DirectoryParts, clientId: string): Promise<Workload | null> {
  if (!isGuid(clientId)) return null;
  const application = await applicationByAppId(parts, clientId);
  if (application !== null) {
    const { id, kind, displayName, enabled, sponsorId, signInName, publicClient, accessTokenSeconds } =
      application;
    const principal = { id, kind, displayName, enabled, sponsorId, signInName };
    return { ...principal, clientId: application.appId, publicClient, accessTokenSeconds };
  }
  const row = await parts.db
    .selectFrom('managed_identities')
    .innerJoin('principals', 'principals.id', 'managed_identities.principal_id')
    .select([...principalColumns, 'managed_identities.client_id'])
    .where('managed_identities.client_id', '=', clientId.toLowerCase())
    .executeTakeFirst();
  if (row === undefined) return null;
  return { ...toPrincipal(row), clientId: row.client_id, publicClient: false, accessTokenSeconds: null };
}
