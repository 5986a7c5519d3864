const workspaces = 'Microsoft.MachineLearningServices/workspaces';

/**
 * Operation names of Azure Machine Learning, as its resource provider lists them. The resource manager here and a
 * proxied real workspace are described by the same table.
 */
export const azuremlActions = {
  workspaceRead: `${workspaces}/read`,
  computeRead: `${workspaces}/computes/read`,
  datastoreRead: `${workspaces}/datastores/read`,
  datastoreWrite: `${workspaces}/datastores/write`,
  datastoreDelete: `${workspaces}/datastores/delete`,
  datastoreSecrets: `${workspaces}/datastores/listsecrets/action`,
  jobRead: `${workspaces}/jobs/read`,
  jobWrite: `${workspaces}/jobs/write`,
  jobDelete: `${workspaces}/jobs/delete`,
  jobCancel: `${workspaces}/jobs/cancel/action`,
} as const;

export type AssetVerb = 'read' | 'write' | 'delete';

/** Operation name on an asset container, e.g. `…/workspaces/data/read`. */
export function assetAction(collection: string, verb: AssetVerb): string {
  return `${workspaces}/${collection}/${verb}`;
}

/** Operation name on an asset version, e.g. `…/workspaces/data/versions/read`. */
export function assetVersionAction(collection: string, verb: AssetVerb): string {
  return `${workspaces}/${collection}/versions/${verb}`;
}
