import { azuremlActions } from '../../../gateway/adapters/azureml/actions.ts';
import type { Route } from '../../../gateway/routes.ts';
import { workspaceType } from '../../../workspace/resource-ids.ts';
import type { Resource } from '../../../workspace/resources.ts';
import type { Runner } from '../../../workspace/runners/runner.ts';
import { json, noBody } from '../json-reply.ts';
import {
  atWorkspace,
  missing,
  param,
  requireWorkspace,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';

/** The engines that the operator configured, as the workspace's computes. They are read only here. */
export function computeRoutes(parts: MachineLearningParts): Route[] {
  const list = `${workspacePath}/computes`;
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.computeRead),
      serve: async (_exchange, params) => {
        const workspace = await requireWorkspace(parts, params);
        return json(200, { value: parts.runners.map((runner) => computeView(workspace, runner)) });
      },
    },
    {
      method: 'GET',
      path: `${list}/:name`,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.computeRead, 'computes', ':name'),
      serve: async (_exchange, params) => {
        const workspace = await requireWorkspace(parts, params);
        const name = param(params, 'name').toLowerCase();
        const runner = parts.runners.find((candidate) => candidate.compute === name);
        return runner === undefined
          ? missing(`compute '${name}'`)
          : json(200, computeView(workspace, runner));
      },
    },
  ];
}

/** Azure has no kind for it; a machine that was attached is the nearest. */
function computeView(workspace: Resource, runner: Runner) {
  return {
    id: `${workspace.displayId}/computes/${runner.compute}`,
    name: runner.compute,
    type: `${workspaceType}/computes`,
    location: workspace.location,
    properties: {
      computeType: 'VirtualMachine',
      description: 'Jobs as processes of the machine that Lockstep runs on.',
      provisioningState: 'Succeeded',
      isAttachedCompute: true,
      disableLocalAuth: true,
      createdOn: new Date(workspace.createdAt).toISOString(),
      properties: {},
    },
  };
}
