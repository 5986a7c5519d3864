import { failure } from '../../lib/errors.ts';
import type { TenantId } from '../../lib/ids.ts';
import { blobUrl, jobOutputLocation, type BlobEndpoints, type BlobLocation } from '../data-locations.ts';
import { findResource, type Reader } from '../resources.ts';
import type { Download, RunnableJob } from '../runners/runner.ts';
import type { WorkspaceRef } from '../resource-ids.ts';
import { resolvedJob, type ResolvedJob } from './job-definition.ts';
import type { JobRecord } from './job-records.ts';
import { bindCommand } from './placeholders.ts';

export interface RunnableContext {
  readonly db: Reader;
  readonly tenantId: TenantId;
  readonly endpoints: BlobEndpoints;
  /** Names of the blobs beneath a prefix, or of the one blob that the location is. */
  readonly listBlobs: (location: BlobLocation) => Promise<readonly string[]>;
}

/** Turns what was submitted into what an engine starts: URLs, downloads, a command that is safe to give to a shell. */
export async function runnableJob(context: RunnableContext, job: JobRecord): Promise<RunnableJob> {
  const resource = await findResource(context.db, job.resourceId);
  if (resource === null) throw failure('not_found', `The resource of the job '${job.name}' is gone.`);
  const resolved = resolvedJob.parse(resource.properties['resolved']);
  const command = resource.properties['command'];
  if (typeof command !== 'string') throw failure('internal', `The job '${job.name}' has no command.`);
  const workspace = workspaceOf(resource.displayId);
  const workspaceResource = await findResource(context.db, resource.parentId);
  const guid = workspaceResource?.properties['workspaceId'];
  const output = await jobOutputLocation(context.db, workspace, job.name);
  const outputUrl = blobUrl(output, context.endpoints);
  const downloads: Download[] = [];
  if (resolved.code !== null) downloads.push(...(await downloadsOf(context, resolved.code, 'code')));
  const inputs = await inputValues(context, job, resolved, downloads);
  const outputs = Object.fromEntries(resolved.outputs.map((name) => [name, `${outputUrl}/${name}`]));
  const bound = bindCommand(command, { inputs, outputs });
  return {
    name: job.name,
    principalId: job.id,
    tenantId: context.tenantId,
    workspace,
    workspaceGuid: typeof guid === 'string' ? guid : '',
    experimentName: resolved.experimentName,
    leaseId: job.leaseId,
    image: resolved.image,
    environmentVariables: resolved.environmentVariables,
    instanceCount: 1,
    command: bound.command,
    variables: bound.variables,
    downloads,
    outputUrl,
    timeoutMilliseconds: resolved.timeoutMilliseconds,
    tokenSeconds: resolved.tokenSeconds,
  };
}

async function inputValues(
  context: RunnableContext,
  job: JobRecord,
  resolved: ResolvedJob,
  downloads: Download[],
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [name, input] of Object.entries(resolved.inputs)) {
    if ('literal' in input) {
      values[name] = input.literal;
    } else if (input.mode === 'Direct') {
      values[name] = blobUrl(input.location, context.endpoints);
    } else {
      const folder = `inputs/${name}`;
      const found = await downloadsOf(context, input.location, folder);
      downloads.push(...found);
      const file = input.folder ? undefined : found[0];
      values[name] = `${job.directory}/${file?.path ?? folder}`;
    }
  }
  return values;
}

/** Each blob beneath the location, at the same place beneath `folder`; a location that is one blob, as one file in it. */
async function downloadsOf(
  context: RunnableContext,
  location: BlobLocation,
  folder: string,
): Promise<Download[]> {
  const names = await context.listBlobs(location);
  if (names.length === 0) {
    throw failure('not_found', `There is nothing at ${blobUrl(location, context.endpoints)}.`);
  }
  return names.map((name) => {
    const below =
      name === location.path ? name.slice(name.lastIndexOf('/') + 1) : belowPrefix(name, location.path);
    return { url: blobUrl({ ...location, path: name }, context.endpoints), path: `${folder}/${below}` };
  });
}

function belowPrefix(name: string, prefix: string): string {
  return prefix === '' ? name : name.slice(prefix.length + 1);
}

function workspaceOf(id: string): WorkspaceRef {
  const [, , subscriptionId = '', , resourceGroup = '', , , , name = ''] = id.split('/');
  return { subscriptionId, resourceGroup, name };
}
