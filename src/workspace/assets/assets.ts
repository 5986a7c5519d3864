import { failure } from '../../lib/errors.ts';
import { canonicalJson, type Json, type JsonObject } from '../../lib/canonical-json.ts';
import type { Attribution, Tx } from '../../store/changes.ts';
import { resolveLocation, type BlobEndpoints } from '../data-locations.ts';
import { checkedName, workspaceId, workspaceType, type WorkspaceRef } from '../resource-ids.ts';
import {
  findResource,
  listResources,
  putResource,
  type Reader,
  type RecordChange,
  type Resource,
} from '../resources.ts';
import type { AssetKind } from './kinds.ts';

export interface AssetWrite {
  readonly by: Attribution;
  readonly now: number;
  readonly workspace: WorkspaceRef;
  readonly kind: AssetKind;
  readonly name: string;
  readonly endpoints: BlobEndpoints;
}

export function assetContainerId(workspace: WorkspaceRef, kind: AssetKind, name: string): string {
  return `${workspaceId(workspace)}/${kind.collection}/${name}`;
}

export function containerType(kind: AssetKind): string {
  return `${workspaceType}/${kind.collection}`;
}

export function versionType(kind: AssetKind): string {
  return `${containerType(kind)}/versions`;
}

/**
 * Creates or updates a container. Throws `conflict` when that would change what its versions rely on, `access_denied`
 * when a job would change what it has not made.
 */
export async function putContainer(tx: Tx, record: RecordChange, write: AssetWrite, properties: JsonObject) {
  const { kind, workspace } = write;
  const displayId = assetContainerId(workspace, kind, checkedName(`${kind.noun} name`, write.name));
  const existing = await findResource(tx, displayId);
  if (existing !== null) {
    refuseOthers(existing, write.by);
    refuseChange(existing, properties, kind.inherited);
  }
  return putResource(tx, record, write.by, write.now, {
    displayId,
    type: containerType(kind),
    properties: withoutAbsent(properties),
  });
}

/**
 * Creates a version, and its container with it when that is missing; or updates what of a version may change
 * (description, tags, properties, isArchived). Throws `conflict` when it would change the rest: a version that a job
 * has used stays what it was. Throws `access_denied` when a job would change a version that it has not made,
 * `invalid_request` when it names another job as the maker.
 */
export async function putVersion(
  tx: Tx,
  record: RecordChange,
  write: AssetWrite,
  version: string,
  properties: JsonObject,
) {
  const { kind, workspace } = write;
  checkedName(`${kind.noun} name`, write.name);
  checkedName(`${kind.noun} version`, version);
  const uri = kind.uriMember === null ? undefined : properties[kind.uriMember];
  if (kind.uriMember !== null && typeof uri === 'string') {
    await resolveLocation(tx, workspace, uri, write.endpoints, `properties.${kind.uriMember}`);
  }
  refuseForeignOrigin(properties['jobName'], write.by);
  const containerId = assetContainerId(workspace, kind, write.name);
  const container = await findResource(tx, containerId);
  if (container === null) {
    const inherited = Object.fromEntries(kind.inherited.map((key) => [key, properties[key] ?? null]));
    await putContainer(tx, record, write, inherited);
  } else {
    refuseChange(container, properties, kind.inherited);
  }
  const displayId = `${container?.displayId ?? containerId}/versions/${version}`;
  const existing = await findResource(tx, displayId);
  if (existing !== null) {
    refuseOthers(existing, write.by);
    refuseChange(existing, properties, kind.immutable);
  }
  return putResource(tx, record, write.by, write.now, {
    displayId,
    type: versionType(kind),
    properties: withoutAbsent(properties),
  });
}

/** The newest version by creation that is not archived, and the number that comes after the highest numeric one. */
export async function latestAndNext(
  db: Reader,
  containerId: string,
  kind: AssetKind,
): Promise<{ readonly latestVersion: string | null; readonly nextVersion: string }> {
  let latestVersion: string | null = null;
  let highest = 0;
  let from: string | null = null;
  do {
    const page = await listResources(
      db,
      { parentId: containerId, type: versionType(kind) },
      { size: 500, from },
    );
    for (const version of page.resources) {
      if (version.properties['isArchived'] !== true) latestVersion ??= version.name;
      if (/^\d{1,15}$/.test(version.name)) highest = Math.max(highest, Number(version.name));
    }
    from = page.next;
  } while (from !== null);
  return { latestVersion, nextVersion: String(highest + 1) };
}

/** A job adds to a workspace; what is there already is its own only where it made it. People go by their roles alone. */
function refuseOthers(existing: Resource, by: Attribution): void {
  if (by.leaseId === null || existing.createdBy.at(-1)?.id === by.chain.at(-1)?.id) return;
  throw failure(
    'access_denied',
    `${existing.displayId} exists and was not made by this job; a job changes only what it has made itself. ` +
      `Create another version instead.`,
    { azureCode: 'AssetOfAnotherCreator' },
  );
}

/** What a model says of the job that made it is believed, so a job names none but itself. */
function refuseForeignOrigin(jobName: Json | undefined, by: Attribution): void {
  const own = by.chain.at(-1)?.name ?? '';
  if (by.leaseId === null || typeof jobName !== 'string' || jobName.toLowerCase() === own.toLowerCase())
    return;
  throw failure('invalid_request', `This is the job '${own}'; it cannot register what '${jobName}' made.`, {
    azureCode: 'ValidationError',
    target: 'properties.jobName',
  });
}

function refuseChange(existing: Resource, properties: JsonObject, members: readonly string[]): void {
  for (const member of members) {
    const before = existing.properties[member] ?? null;
    const after = properties[member] ?? null;
    if (canonicalJson(before) !== canonicalJson(after)) {
      throw failure(
        'conflict',
        `${existing.displayId} exists with ${member} ${canonicalJson(before)}; that cannot be changed to ` +
          `${canonicalJson(after)}. Create another version instead.`,
        { azureCode: 'ImmutablePropertyModified', target: `properties.${member}` },
      );
    }
  }
}

/** Absent and null mean the same to Azure's clients. */
export function withoutAbsent(properties: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(properties).filter(
      (entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null,
    ),
  );
}
