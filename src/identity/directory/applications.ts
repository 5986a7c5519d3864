import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import { newGuid, type PrincipalId } from '../../lib/ids.ts';
import type { Attribution, PrincipalRecord } from '../../store/changes.ts';
import { displayNameOf, guidOf, invalid, redirectUriOf } from './names.ts';
import {
  insertPrincipal,
  newPrincipalId,
  principalColumns,
  requireSponsor,
  toPrincipal,
  type DirectoryParts,
} from './principals.ts';

export interface NewApplication {
  readonly id?: string;
  /** Client id, a GUID; made when left out. */
  readonly appId?: string;
  readonly displayName: string;
  /** The enabled user who answers for it. */
  readonly sponsorId: PrincipalId;
  readonly redirectUris?: readonly string[];
  /** An application on people's machines, which can keep no secret. */
  readonly publicClient?: boolean;
  /** Life of its own access tokens, 5 to 86400; the configured default when left out. */
  readonly accessTokenSeconds?: number;
}

export interface Application extends PrincipalRecord {
  readonly appId: string;
  readonly redirectUris: readonly string[];
  readonly publicClient: boolean;
  readonly accessTokenSeconds: number | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

const redirectUriList = z.array(z.string());

export async function createApplication(
  parts: DirectoryParts,
  by: Attribution,
  application: NewApplication,
): Promise<PrincipalRecord> {
  const displayName = displayNameOf(application.displayName);
  const id = newPrincipalId(application.id);
  const appId = guidOf(application.appId ?? newGuid(), 'appId');
  const redirectUris = (application.redirectUris ?? []).map(redirectUriOf);
  const seconds = application.accessTokenSeconds ?? null;
  if (seconds !== null && !(Number.isInteger(seconds) && seconds >= 5 && seconds <= 86_400))
    throw invalid('accessTokenSeconds', 'is a whole number from 5 to 86400');
  return parts.commit(by, async (tx, record) => {
    const sponsor = await requireSponsor(tx, application.sponsorId);
    const taken = await tx
      .selectFrom('principals')
      .select('id')
      .where('sign_in_name', '=', appId)
      .executeTakeFirst();
    if (taken !== undefined) throw failure('conflict', `The application id ${appId} is in use.`);
    const principal = await insertPrincipal(tx, record, parts.clock.now(), {
      id,
      kind: 'application',
      displayName,
      enabled: true,
      sponsorId: sponsor.id,
      signInName: appId,
    });
    await tx
      .insertInto('applications')
      .values({
        principal_id: id,
        app_id: appId,
        redirect_uris_json: canonicalJson(redirectUris),
        public_client: application.publicClient === true ? 1 : 0,
        access_token_seconds: seconds,
      })
      .execute();
    return principal;
  });
}

export async function applicationByAppId(parts: DirectoryParts, appId: string): Promise<Application | null> {
  const row = await applications(parts)
    .where('applications.app_id', '=', appId.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? null : toApplication(row);
}

export async function listApplications(parts: DirectoryParts): Promise<Application[]> {
  const rows = await applications(parts).orderBy('principals.display_name').execute();
  return rows.map(toApplication);
}

function applications(parts: DirectoryParts) {
  return parts.db
    .selectFrom('applications')
    .innerJoin('principals', 'principals.id', 'applications.principal_id')
    .select([
      ...principalColumns,
      'applications.app_id',
      'applications.redirect_uris_json',
      'applications.public_client',
      'applications.access_token_seconds',
    ]);
}

type ApplicationRow = Awaited<ReturnType<ReturnType<typeof applications>['execute']>>[number];

function toApplication(row: ApplicationRow): Application {
  return {
    ...toPrincipal(row),
    appId: row.app_id,
    redirectUris: redirectUriList.parse(JSON.parse(row.redirect_uris_json)),
    publicClient: row.public_client === 1,
    accessTokenSeconds: row.access_token_seconds,
    createdAt: row.created_at,
  };
}
