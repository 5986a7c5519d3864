const workspaces = 'Microsoft.MachineLearningServices/workspaces';

/**
 * Azure's names for what a compute instance's notebook server is asked. Whoever may use its applications runs code on
 * it as its one operating system user: a kernel, a terminal and an extension are the same right.
 */
export const jupyterActions = {
  look: `${workspaces}/computes/read`,
  start: `${workspaces}/computes/start/action`,
  use: `${workspaces}/computes/applicationaccess/action`,
  stop: `${workspaces}/computes/stop/action`,
  readFiles: `${workspaces}/notebooks/storage/read`,
  writeFiles: `${workspaces}/notebooks/storage/write`,
  deleteFiles: `${workspaces}/notebooks/storage/delete`,
} as const;
