const workspaces = 'Microsoft.MachineLearningServices/workspaces';

function written(path: string) {
  return {
    read: `${workspaces}/${path}/read`,
    write: `${workspaces}/${path}/write`,
    delete: `${workspaces}/${path}/delete`,
  } as const;
}

/**
 * Operation names of Azure Machine Learning for what MLflow does, so that Azure's roles mean here what they mean there.
 * What Azure has no word for is named after what it belongs to: traces, logged models and assessments are part of an
 * experiment's runs. learn.microsoft.com/azure/role-based-access-control/permissions/ai-machine-learning
 */
export const mlflowActions = {
  experiments: written('experiments'),
  runs: written('experiments/runs'),
  artifacts: written('metadata/artifacts'),
  models: written('models'),
  versions: written('models/versions'),
  /** Evaluation datasets. */
  datasets: written('datasets/registered'),
  jobs: { ...written('jobs'), cancel: `${workspaces}/jobs/cancel/action` },
  /** Endpoints, model definitions and guardrails of MLflow's AI gateway, and its registry of MCP servers. */
  connections: written('connections'),
  /** A call through MLflow's AI gateway. */
  score: `${workspaces}/onlineEndpoints/score/action`,
  /** Needed besides to have MLflow read from or write to an address of the caller's choice with its own credential. */
  datastoreWrite: `${workspaces}/datastores/write`,
  workspaceRead: `${workspaces}/read`,
  /** What only MLflow's administrators may do: no built-in role of data scientists holds it. */
  workspaceWrite: `${workspaces}/write`,
} as const;
