import { mlflowActions as actions } from './actions.ts';
import { evaluationRoutes } from './routes/evaluation.ts';
import { gatewayRoutes } from './routes/gateway.ts';
import { registryRoutes } from './routes/registry.ts';
import { traceRoutes } from './routes/traces.ts';
import { trackingRoutes } from './routes/tracking.ts';
import { row, twins, type MlflowRoute } from './route.ts';

/** What says nothing of anybody's work: the page, its scripts, and what the server is. */
const aboutTheServer: readonly MlflowRoute[] = [
  row('GET', '/', null),
  row('GET', '/static-files/*', null),
  row('GET', '/health', null),
  row('GET', '/version', null),
  ...twins([row('GET', '/3.0/mlflow/server-info', null)]),
  row('GET', '/ajax-api/3.0/mlflow/ui-telemetry', null),
];

const workspaceRoutes: readonly MlflowRoute[] = twins([
  row('GET', '/3.0/mlflow/workspaces', actions.workspaceRead),
  row('GET', '/3.0/mlflow/workspaces/:workspace_name', actions.workspaceRead),
  row('POST', '/3.0/mlflow/workspaces', actions.workspaceWrite),
  row('PATCH', '/3.0/mlflow/workspaces/:workspace_name', actions.workspaceWrite),
  row('DELETE', '/3.0/mlflow/workspaces/:workspace_name', actions.workspaceWrite),
]);

/** Every method and path that is served. A request that no row names is denied. */
export const mlflowRoutes: readonly MlflowRoute[] = [
  ...aboutTheServer,
  ...trackingRoutes,
  ...registryRoutes,
  ...traceRoutes,
  ...evaluationRoutes,
  ...gatewayRoutes,
  ...workspaceRoutes,
];
