import type { HTTPMethod } from 'find-my-way';
import { mlflowActions as actions } from '../actions.ts';
import { row, twins, type MlflowRoute } from '../route.ts';
import { graphqlAnswer, graphqlPlaces, graphqlTouches } from '../graphql.ts';

const { connections, workspaceWrite, score, experiments } = actions;
const gateway = '/3.0/mlflow/gateway';

/** What MLflow's own access control leaves to its administrators, and whatever holds a secret. */
const administration = twins([
  ...(['create', 'update'] as const).flatMap((verb) => [
    row('POST', `${gateway}/budgets/${verb}`, workspaceWrite),
    row('POST', `${gateway}/secrets/${verb}`, workspaceWrite),
  ]),
  row('DELETE', `${gateway}/budgets/delete`, workspaceWrite),
  row('DELETE', `${gateway}/secrets/delete`, workspaceWrite),
  row('POST', `${gateway}/guardrails/create`, workspaceWrite),
  row('DELETE', `${gateway}/guardrails/delete`, workspaceWrite),
  row('GET', '/2.0/mlflow/webhooks', workspaceWrite),
  row('GET', '/2.0/mlflow/webhooks/:webhook_id', workspaceWrite),
  row('POST', '/2.0/mlflow/webhooks', workspaceWrite),
  row('PATCH', '/2.0/mlflow/webhooks/:webhook_id', workspaceWrite),
  row('DELETE', '/2.0/mlflow/webhooks/:webhook_id', workspaceWrite),
  row('POST', '/2.0/mlflow/webhooks/:webhook_id/test', workspaceWrite),
]);

const management = twins([
  ...[
    'budgets/get',
    'budgets/list',
    'budgets/windows',
    'secrets/get',
    'secrets/list',
    'endpoints/get',
    'endpoints/list',
    'endpoints/bindings/list',
    'model-definitions/get',
    'model-definitions/list',
    'guardrails/get',
    'guardrails/list',
    'guardrails/list-for-endpoint',
  ].map((path) => row('GET', `${gateway}/${path}`, connections.read)),
  ...[
    'endpoints/create',
    'endpoints/update',
    'endpoints/set-tag',
    'endpoints/bindings/create',
    'endpoints/models/attach',
    'endpoints/models/detach',
    'model-definitions/create',
    'model-definitions/update',
    'guardrails/add-to-endpoint',
  ].map((path) => row('POST', `${gateway}/${path}`, connections.write)),
  row('PATCH', `${gateway}/guardrails/update-config`, connections.write),
  row('DELETE', `${gateway}/guardrails/remove-from-endpoint`, connections.write),
  row('DELETE', `${gateway}/endpoints/delete-tag`, connections.write),
  row('DELETE', `${gateway}/endpoints/delete`, connections.delete),
  row('DELETE', `${gateway}/endpoints/bindings/delete`, connections.delete),
  row('DELETE', `${gateway}/model-definitions/delete`, connections.delete),
]);

const forThePage = ['provider-config', 'secrets/config', 'supported-models', 'supported-providers'].map(
  (path) => row('GET', `/ajax-api${gateway}/${path}`, connections.read),
);

/** Names of MCP servers may hold slashes, so what is beneath them is one row for each method. */
const mcpServers = twins(
  (
    [
      ['GET', connections.read],
      ['POST', connections.write],
      ['PATCH', connections.write],
      ['DELETE', connections.delete],
    ] satisfies [HTTPMethod, string][]
  ).flatMap(([method, action]) => [
    ...(method === 'GET' || method === 'POST' ? [row(method, '/3.0/mlflow/mcp-servers', action)] : []),
    row(method, '/3.0/mlflow/mcp-servers/*', action),
  ]),
);

const calls = [
  row('GET', '/gateway/mlflow/v1/models', connections.read),
  ...[
    '/gateway/:endpoint_name/mlflow/invocations',
    '/gateway/mlflow/v1/chat/completions',
    '/gateway/openai/v1/chat/completions',
    '/gateway/openai/v1/embeddings',
    '/gateway/openai/v1/responses',
    '/gateway/openai/v1/responses/compact',
    '/gateway/typesafe/v1/systemone',
    '/gateway/anthropic/v1/messages',
    '/gateway/gemini/v1beta/models/*',
  ].map((path) => row('POST', path, score)),
];

const graphql = row('POST', '/graphql', experiments.read, {
  everything: true,
  places: graphqlPlaces,
  also: graphqlTouches,
  listing: graphqlAnswer,
  body: 'graphql',
  effect: 'read',
});

export const gatewayRoutes: readonly MlflowRoute[] = [
  ...administration,
  ...management,
  ...forThePage,
  ...mcpServers,
  ...calls,
  graphql,
];
