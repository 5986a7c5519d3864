import { azuremlActions } from '../../../gateway/adapters/azureml/actions.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import { workspaceType } from '../../../workspace/resource-ids.ts';
import { listResources, type Resource } from '../../../workspace/resources.ts';
import { json, noBody, pageReply, resourceEnvelope } from '../json-reply.ts';
import {
  atWorkspace,
  guardAt,
  pageOf,
  param,
  providerPath,
  requireWorkspace,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';

export function workspaceRoutes(parts: MachineLearningParts): Route[] {
  return [
    {
      method: 'GET',
      path: `${providerPath}/workspaces`,
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(azuremlActions.workspaceRead, groupOf(params)),
      serve: async (exchange, params) => {
        const parentId = `${groupOf(params)}/providers/microsoft.machinelearningservices`;
        const page = await listResources(
          parts.store.db,
          { parentId, type: workspaceType },
          pageOf(parts, exchange),
        );
        return pageReply(exchange, page, (workspace) => workspaceView(parts, workspace));
      },
    },
    {
      method: 'GET',
      path: workspacePath,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.workspaceRead),
      serve: async (_exchange, params) =>
        json(200, workspaceView(parts, await requireWorkspace(parts, params))),
    },
  ];
}

function groupOf(params: Params): string {
  return `/subscriptions/${param(params, 'subscription')}/resourceGroups/${param(params, 'group')}`;
}

function workspaceView(parts: MachineLearningParts, workspace: Resource) {
  const { publicUrl } = parts.endpoints;
  return {
    ...resourceEnvelope(workspace),
    location: workspace.location,
    tags: workspace.tags,
    kind: 'Default',
    sku: { name: 'Basic', tier: 'Basic' },
    properties: {
      ...workspace.properties,
      tenantId: parts.tenantId,
      discoveryUrl: `${publicUrl}/discovery`,
      mlFlowTrackingUri: `azureml://${new URL(publicUrl).host}/mlflow/v1.0${workspace.displayId}`,
      publicNetworkAccess: 'Enabled',
      v1LegacyMode: false,
    },
  };
}
