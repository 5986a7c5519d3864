import { failure } from '../lib/errors.ts';
import { blobScope } from '../policy/blob-scope.ts';
import { z } from 'zod';
import { normalId, storageAccountId, workspaceId, type WorkspaceRef } from './resource-ids.ts';
import { findResource, type Reader } from './resources.ts';

/** Bytes, or a folder of bytes, in a storage account that Lockstep serves. */
export interface BlobLocation {
  readonly account: string;
  readonly container: string;
  /** Blob name or prefix without leading and trailing `/`; empty is the whole container. */
  readonly path: string;
  /** Scope of the blob or prefix, where reading and writing are decided. */
  readonly scope: string;
}

/** How blob URLs look from outside. */
export interface BlobEndpoints {
  /** `https://host:port`, no trailing slash. */
  readonly publicUrl: string;
  readonly baseDomain: string;
}

/** The default datastore of a workspace: data that people and CI bring. */
export const blobDatastore = 'workspaceblobstore';
/** Where jobs write: one prefix per job. */
export const artifactDatastore = 'workspaceartifactstore';

const azureBlobDatastore = z.looseObject({
  datastoreType: z.literal('AzureBlob'),
  accountName: z.string(),
  containerName: z.string(),
});

/**
 * What a URI in an asset or a job input points at: `azureml://datastores/{d}/paths/{p}` (short or with the workspace
 * spelt out), `azureml://jobs/{j}/outputs/artifacts/paths/{p}`, `azureml://jobs/{j}/outputs/{name}/paths/{p}`, or the
 * `https` URL of a blob here. Throws `invalid_request` naming `member` for anything else: other storage is not
 * protected by this Lockstep, so it cannot be vouched for.
 */
export async function resolveLocation(
  db: Reader,
  workspace: WorkspaceRef,
  uri: string,
  endpoints: BlobEndpoints,
  member: string,
): Promise<BlobLocation> {
  const found = uri.startsWith('azureml://')
    ? await fromAzureml(db, workspace, uri, member)
    : fromHttps(uri, endpoints, member);
  const path = checkedPath(found.path, uri, member);
  const account = await findResource(db, storageAccountId(workspace, found.account));
  if (account === null) {
    throw invalid(
      member,
      `'${member}' names the storage account '${found.account}', which this workspace does not have.`,
    );
  }
  return {
    account: found.account,
    container: found.container,
    path,
    scope: blobScope(account.id, found.container, path),
  };
}

/** The prefix under which a job writes, in the artifact datastore. */
export async function jobOutputLocation(
  db: Reader,
  workspace: WorkspaceRef,
  jobName: string,
): Promise<BlobLocation> {
  const { account, container } = await datastoreOf(db, workspace, artifactDatastore, 'outputs');
  const path = jobOutputPath(jobName);
  const accountScope = normalId(storageAccountId(workspace, account));
  return { account, container, path, scope: blobScope(accountScope, container, path) };
}

/** Path-style URL of a location, as `@azure/storage-blob` takes it. */
export function blobUrl(location: BlobLocation, endpoints: BlobEndpoints): string {
  const path = location.path === '' ? '' : `/${location.path.split('/').map(encodeURIComponent).join('/')}`;
  return `${endpoints.publicUrl}/${location.account}/${location.container}${path}`;
}

function jobOutputPath(jobName: string): string {
  return `ExperimentRun/dcid.${jobName}`;
}

interface Found {
  readonly account: string;
  readonly container: string;
  readonly path: string;
}

async function fromAzureml(db: Reader, workspace: WorkspaceRef, uri: string, member: string): Promise<Found> {
  const rest = uri.slice('azureml://'.length);
  const job = /^jobs\/([^/]+)\/outputs\/([^/]+)(?:\/paths)?(?:\/(.*))?$/i.exec(rest);
  if (job !== null) {
    const [, name = '', output = '', path = ''] = job;
    const store = await datastoreOf(db, workspace, artifactDatastore, member);
    const folder = output === 'artifacts' ? jobOutputPath(name) : `${jobOutputPath(name)}/${output}`;
    return { ...store, path: path === '' ? folder : `${folder}/${path}` };
  }
  const long =
    /^subscriptions\/([^/]+)\/resourcegroups\/([^/]+)(?:\/providers\/[^/]+)?\/workspaces\/([^/]+)\/(.*)$/i.exec(
      rest,
    );
  if (long !== null) {
    const [, subscriptionId = '', resourceGroup = '', name = ''] = long;
    if (normalId(workspaceId({ subscriptionId, resourceGroup, name })) !== normalId(workspaceId(workspace))) {
      throw invalid(member, `'${member}' points into another workspace: ${uri}`);
    }
  }
  const datastore = /^datastores\/([^/]+)\/paths(?:\/(.*))?$/i.exec(long?.[4] ?? rest);
  if (datastore === null) throw unknownForm(uri, member);
  const [, name = '', path = ''] = datastore;
  return { ...(await datastoreOf(db, workspace, name, member)), path };
}

async function datastoreOf(
  db: Reader,
  workspace: WorkspaceRef,
  name: string,
  member: string,
): Promise<{ account: string; container: string }> {
  const resource = await findResource(db, `${workspaceId(workspace)}/datastores/${name}`);
  if (resource === null) {
    throw invalid(member, `'${member}' names the datastore '${name}', which this workspace does not have.`);
  }
  const parsed = azureBlobDatastore.safeParse(resource.properties);
  if (!parsed.success) throw invalid(member, `The datastore '${name}' is not a blob datastore.`);
  return { account: parsed.data.accountName, container: parsed.data.containerName };
}

function fromHttps(uri: string, endpoints: BlobEndpoints, member: string): Found {
  if (!URL.canParse(uri)) throw unknownForm(uri, member);
  const url = new URL(uri);
  const here = new URL(endpoints.publicUrl);
  if (url.protocol !== 'https:' || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw unknownForm(uri, member);
  }
  let segments: string[];
  try {
    segments = url.pathname.slice(1).split('/').map(decodeURIComponent);
  } catch {
    throw unknownForm(uri, member);
  }
  const suffix = `.blob.${endpoints.baseDomain}`;
  const hostStyle = url.hostname.endsWith(suffix) && url.port === here.port;
  if (!hostStyle && url.host !== here.host) throw unknownForm(uri, member);
  const account = hostStyle ? url.hostname.slice(0, -suffix.length) : (segments.shift() ?? '');
  const container = segments.shift() ?? '';
  if (account === '' || container === '') throw unknownForm(uri, member);
  return { account, container, path: segments.join('/') };
}

function checkedPath(path: string, uri: string, member: string): string {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  if (trimmed === '') return '';
  for (const segment of trimmed.split('/')) {
    // eslint-disable-next-line no-control-regex
    if (segment === '' || segment === '.' || segment === '..' || /[\u0000-\u001f\u007f\\]/.test(segment)) {
      throw invalid(member, `'${member}' has a path that is not in normal form: ${uri}`);
    }
  }
  return trimmed;
}

function unknownForm(uri: string, member: string) {
  return invalid(
    member,
    `'${member}' is '${uri.slice(0, 200)}', which is not a place in this workspace. ` +
      `Write azureml://datastores/{datastore}/paths/{path}, or the https URL of a blob of this Lockstep.`,
  );
}

function invalid(member: string, message: string) {
  return failure('invalid_request', message, { azureCode: 'ValidationError', target: member });
}
