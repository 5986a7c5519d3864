import { z } from 'zod';
import { assetAction, assetVersionAction } from '../../../gateway/adapters/azureml/actions.ts';
import type { Route } from '../../../gateway/routes.ts';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import {
  assetContainerId,
  containerType,
  latestAndNext,
  putContainer,
  putVersion,
  versionType,
  withoutAbsent,
  type AssetWrite,
} from '../../../workspace/assets/assets.ts';
import { assetKinds, type AssetKind } from '../../../workspace/assets/kinds.ts';
import { deleteResource, findResource, listResources, type Resource } from '../../../workspace/resources.ts';
import { json, jsonBody, noBody, pageReply, resourceEnvelope } from '../json-reply.ts';
import {
  atWorkspace,
  missing,
  pageOf,
  param,
  requireWorkspace,
  viewFilter,
  workspaceOf,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';
import type { Params } from '../../../gateway/routes.ts';

/** Containers and versions of every kind of asset: codes, data, environments, models. */
export function assetRoutes(parts: MachineLearningParts): Route[] {
  return Object.values(assetKinds).flatMap((kind) => [
    ...containerRoutes(parts, kind),
    ...versionRoutes(parts, kind),
  ]);
}

function containerRoutes(parts: MachineLearningParts, kind: AssetKind): Route[] {
  const { collection } = kind;
  const list = `${workspacePath}/${collection}`;
  const one = `${list}/:name`;
  const body = z.object({ properties: kind.containerProperties });
  const id = (params: Params) => assetContainerId(workspaceOf(params), kind, param(params, 'name'));
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(assetAction(collection, 'read')),
      serve: async (exchange, params) => {
        const workspace = await requireWorkspace(parts, params);
        const page = await listResources(
          parts.store.db,
          { parentId: workspace.id, type: containerType(kind) },
          { ...pageOf(parts, exchange), keep: viewFilter(exchange) },
        );
        const versions = new Map(
          await Promise.all(
            page.resources.map(
              async (resource) =>
                [resource.id, await latestAndNext(parts.store.db, resource.id, kind)] as const,
            ),
          ),
        );
        return pageReply(exchange, page, (resource) =>
          containerView(resource, versions.get(resource.id) ?? {}),
        );
      },
    },
    {
      method: 'GET',
      path: one,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(assetAction(collection, 'read'), collection, ':name'),
      serve: async (_exchange, params) => {
        const container = await findResource(parts.store.db, id(params));
        if (container === null) return missing(`${kind.noun} '${param(params, 'name')}'`);
        return json(200, containerView(container, await latestAndNext(parts.store.db, container.id, kind)));
      },
    },
    {
      method: 'PUT',
      path: one,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: atWorkspace(assetAction(collection, 'write'), collection, ':name'),
      serve: async (exchange, params) => {
        await requireWorkspace(parts, params);
        const { properties } = exchange.json(body);
        const put = await parts.commit(exchange.attribution, (tx, record) =>
          putContainer(tx, record, writeOf(parts, exchange, params, kind), withoutAbsent(properties)),
        );
        const versions = await latestAndNext(parts.store.db, put.resource.id, kind);
        return json(put.created ? 201 : 200, containerView(put.resource, versions));
      },
    },
    {
      method: 'DELETE',
      path: one,
      effect: 'change',
      body: noBody,
      guard: atWorkspace(assetAction(collection, 'delete'), collection, ':name'),
      serve: (exchange, params) => remove(parts, exchange, id(params)),
    },
  ];
}

function versionRoutes(parts: MachineLearningParts, kind: AssetKind): Route[] {
  const { collection } = kind;
  const list = `${workspacePath}/${collection}/:name/versions`;
  const one = `${list}/:version`;
  const body = z.object({ properties: kind.versionProperties });
  const containerId = (params: Params) => assetContainerId(workspaceOf(params), kind, param(params, 'name'));
  const id = (params: Params) => `${containerId(params)}/versions/${param(params, 'version')}`;
  const scope = [collection, ':name', 'versions', ':version'];
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(assetVersionAction(collection, 'read'), collection, ':name'),
      serve: async (exchange, params) => {
        if ((await findResource(parts.store.db, containerId(params))) === null) {
          return missing(`${kind.noun} '${param(params, 'name')}'`);
        }
        return versionList(parts, exchange, kind, containerId(params));
      },
    },
    {
      method: 'GET',
      path: one,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(assetVersionAction(collection, 'read'), ...scope),
      serve: async (_exchange, params) => {
        const version = await findResource(parts.store.db, id(params));
        if (version === null) {
          return missing(`${kind.noun} '${param(params, 'name')}' of version '${param(params, 'version')}'`);
        }
        return json(200, versionView(version, kind));
      },
    },
    {
      method: 'PUT',
      path: one,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: atWorkspace(assetVersionAction(collection, 'write'), ...scope),
      serve: async (exchange, params) => {
        await requireWorkspace(parts, params);
        const properties = withoutAbsent(exchange.json(body).properties);
        const write = writeOf(parts, exchange, params, kind);
        const put = await parts.commit(exchange.attribution, (tx, record) =>
          putVersion(tx, record, write, param(params, 'version'), properties),
        );
        return json(put.created ? 201 : 200, versionView(put.resource, kind));
      },
    },
    {
      method: 'DELETE',
      path: one,
      effect: 'change',
      body: noBody,
      guard: atWorkspace(assetVersionAction(collection, 'delete'), ...scope),
      serve: (exchange, params) => remove(parts, exchange, id(params)),
    },
  ];
}

/** `$top` bounds the whole list, not a page of it: what asks for the newest version is given just that. */
async function versionList(
  parts: MachineLearningParts,
  exchange: Exchange,
  kind: AssetKind,
  parentId: string,
): Promise<Reply> {
  const top = Number(exchange.head.query.get('$top') ?? '0');
  const hash = exchange.head.query.get('hash');
  const filter = viewFilter(exchange);
  const page = await listResources(
    parts.store.db,
    { parentId, type: versionType(kind) },
    {
      size: top >= 1 ? Math.min(top, parts.pageSize) : parts.pageSize,
      from: exchange.head.query.get('$skip'),
      keep: (resource) => filter(resource) && (hash === null || hashOf(resource) === hash),
    },
  );
  return pageReply(exchange, top >= 1 ? { ...page, next: null } : page, (version) =>
    versionView(version, kind),
  );
}

function hashOf(resource: Resource): string | null {
  const properties = z.object({ hash_sha256: z.string() }).safeParse(resource.properties['properties']);
  return properties.success ? properties.data.hash_sha256 : null;
}

async function remove(parts: MachineLearningParts, exchange: Exchange, id: string): Promise<Reply> {
  const removed = await parts.commit(exchange.attribution, (tx, record) => deleteResource(tx, record, id));
  return { status: removed ? 200 : 204 };
}

function writeOf(
  parts: MachineLearningParts,
  exchange: Exchange,
  params: Params,
  kind: AssetKind,
): AssetWrite {
  return {
    by: exchange.attribution,
    now: parts.clock.now(),
    workspace: workspaceOf(params),
    kind,
    name: param(params, 'name'),
    endpoints: parts.endpoints,
  };
}

function containerView(
  container: Resource,
  versions: { readonly latestVersion?: string | null; readonly nextVersion?: string },
) {
  return {
    ...resourceEnvelope(container),
    properties: {
      description: null,
      tags: {},
      properties: {},
      isArchived: false,
      ...container.properties,
      latestVersion: versions.latestVersion ?? null,
      nextVersion: versions.nextVersion ?? '1',
    },
  };
}

function versionView(version: Resource, kind: AssetKind) {
  return {
    ...resourceEnvelope(version),
    properties: {
      description: null,
      tags: {},
      properties: {},
      isArchived: false,
      isAnonymous: false,
      ...(kind.collection === 'environments' && { environmentType: 'UserCreated', osType: 'Linux' }),
      ...(kind.collection === 'models' && { modelType: 'custom_model', flavors: {} }),
      ...version.properties,
      provisioningState: 'Succeeded',
    },
  };
}
