import { failure } from '../lib/errors.ts';

export const workspaceType = 'Microsoft.MachineLearningServices/workspaces';
export const storageAccountType = 'Microsoft.Storage/storageAccounts';

export interface WorkspaceRef {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
}

/** The ARM id of a workspace, as Azure writes it. Its normal form (lower case) is its scope. */
export function workspaceId(workspace: WorkspaceRef): string {
  return `${groupId(workspace)}/providers/${workspaceType}/${workspace.name}`;
}

export function storageAccountId(workspace: WorkspaceRef, account: string): string {
  return `${groupId(workspace)}/providers/${storageAccountType}/${account}`;
}

function groupId(workspace: WorkspaceRef): string {
  return `/subscriptions/${workspace.subscriptionId}/resourceGroups/${workspace.resourceGroup}`;
}

/** Azure's comparison of resource ids is without case; this is the form that is compared and stored as key. */
export function normalId(id: string): string {
  return id.toLowerCase();
}

const assetName = /^[a-z0-9][a-z0-9_.-]{0,254}$/i;

/** Throws `invalid_request` unless `name` may be a segment of a resource id. */
export function checkedName(what: string, name: string): string {
  if (assetName.test(name)) return name;
  throw failure(
    'invalid_request',
    `The ${what} '${name.slice(0, 80)}' is not valid: 1 to 255 letters, digits, '-', '_' or '.', starting with a letter or digit.`,
    { azureCode: 'ValidationError' },
  );
}

/**
 * The child of a workspace that a job names: a full ARM id, with or without `azureml:` before it, or the short forms
 * `azureml:{name}:{version}` and `azureml:{name}`. Null when the text is none of these or points into another workspace.
 * `collection` is the id segment, e.g. `environments`.
 */
export function parseReference(
  text: string,
  collection: string,
  workspace: string,
): { readonly name: string; readonly version: string | null } | null {
  const bare = text.startsWith('azureml:') && !text.startsWith('azureml://') ? text.slice(8) : text;
  if (bare.startsWith('/')) return parseArmReference(bare, collection, workspace);
  if (bare === text) return null;
  const [name = '', version, ...rest] = bare.split(':');
  if (rest.length > 0 || !assetName.test(name)) return null;
  if (version !== undefined && !assetName.test(version)) return null;
  return { name, version: version ?? null };
}

function parseArmReference(id: string, collection: string, workspace: string) {
  const prefix = `${normalId(workspace)}/${collection.toLowerCase()}/`;
  if (!normalId(id).startsWith(prefix)) return null;
  const [name = '', versions, version, ...rest] = id.slice(prefix.length).split('/');
  if (rest.length > 0 || !assetName.test(name)) return null;
  if (versions === undefined) return { name, version: null };
  if (versions.toLowerCase() !== 'versions' || version === undefined || !assetName.test(version)) return null;
  return { name, version };
}
