import { z } from 'zod';
import { azuremlActions } from '../../../gateway/adapters/azureml/actions.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import { failure } from '../../../lib/errors.ts';
import type { Json } from '../../../lib/canonical-json.ts';
import { withoutAbsent } from '../../../workspace/assets/assets.ts';
import { artifactDatastore, blobDatastore } from '../../../workspace/data-locations.ts';
import {
  checkedName,
  storageAccountId,
  workspaceId,
  workspaceType,
} from '../../../workspace/resource-ids.ts';
import {
  deleteResource,
  findResource,
  listResources,
  putResource,
  type Resource,
} from '../../../workspace/resources.ts';
import { json, jsonBody, noBody, pageReply, resourceEnvelope } from '../json-reply.ts';
import {
  atWorkspace,
  missing,
  pageOf,
  param,
  requireWorkspace,
  workspaceOf,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';

const type = `${workspaceType}/datastores`;
const list = `${workspacePath}/datastores`;
const one = `${list}/:name`;

/** Only blob datastores without a credential: who reads and writes is the caller, not a key that all of them share. */
const body = z.object({
  properties: z
    .object({
      datastoreType: z.literal('AzureBlob'),
      accountName: z.string().min(1),
      containerName: z.string().regex(/^[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]$/),
      credentials: z
        .object({
          credentialsType: z.literal(
            'None',
            'Datastores here hold no credential: credentialsType must be None',
          ),
        })
        .nullish(),
    })
    .catchall(z.custom<Json>()),
});

export function datastoreRoutes(parts: MachineLearningParts): Route[] {
  const id = (params: Params) => `${workspaceId(workspaceOf(params))}/datastores/${param(params, 'name')}`;
  const required = async (params: Params): Promise<Resource> =>
    (await findResource(parts.store.db, id(params))) ?? missing(`datastore '${param(params, 'name')}'`);
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.datastoreRead),
      serve: async (exchange, params) => {
        const workspace = await requireWorkspace(parts, params);
        const names = exchange.head.query.getAll('names').flatMap((value) => value.split(','));
        const onlyDefault = exchange.head.query.get('isDefault') === 'true';
        const page = await listResources(
          parts.store.db,
          { parentId: workspace.id, type },
          {
            ...pageOf(parts, exchange),
            keep: (datastore) =>
              (names.length === 0 || names.includes(datastore.name)) &&
              (!onlyDefault || datastore.properties['isDefault'] === true),
          },
        );
        return pageReply(exchange, page, (datastore) => datastoreView(parts, datastore));
      },
    },
    {
      method: 'GET',
      path: one,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.datastoreRead, 'datastores', ':name'),
      serve: async (_exchange, params) => json(200, datastoreView(parts, await required(params))),
    },
    {
      method: 'POST',
      path: `${one}/listSecrets`,
      effect: 'read',
      body: jsonBody(parts.jsonBytes),
      guard: atWorkspace(azuremlActions.datastoreSecrets, 'datastores', ':name'),
      serve: async (_exchange, params) => {
        await required(params);
        return json(200, { secretsType: 'None' });
      },
    },
    {
      method: 'PUT',
      path: one,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: atWorkspace(azuremlActions.datastoreWrite, 'datastores', ':name'),
      serve: async (exchange, params) => {
        await requireWorkspace(parts, params);
        const { credentials: _, ...properties } = exchange.json(body).properties;
        const account = properties.accountName;
        if ((await findResource(parts.store.db, storageAccountId(workspaceOf(params), account))) === null) {
          throw failure(
            'invalid_request',
            `There is no storage account '${account}' beside this workspace.`,
            {
              azureCode: 'ValidationError',
              target: 'properties.accountName',
            },
          );
        }
        checkedName('datastore name', param(params, 'name'));
        const put = await parts.commit(exchange.attribution, async (tx, record) => {
          refuseRedirection(await findResource(tx, id(params)), account, properties.containerName);
          return putResource(tx, record, exchange.attribution, parts.clock.now(), {
            displayId: id(params),
            type,
            properties: { ...withoutAbsent(properties), isDefault: param(params, 'name') === blobDatastore },
          });
        });
        return json(put.created ? 201 : 200, datastoreView(parts, put.resource));
      },
    },
    {
      method: 'DELETE',
      path: one,
      effect: 'change',
      body: noBody,
      guard: atWorkspace(azuremlActions.datastoreDelete, 'datastores', ':name'),
      serve: async (exchange, params) => {
        const name = param(params, 'name').toLowerCase();
        if (name === blobDatastore || name === artifactDatastore) {
          throw failure(
            'conflict',
            `The datastore '${name}' belongs to the workspace and cannot be deleted.`,
          );
        }
        const removed = await parts.commit(exchange.attribution, (tx, record) =>
          deleteResource(tx, record, id(params)),
        );
        return { status: removed ? 200 : 204 };
      },
    },
  ];
}

/** Assets name their bytes through a datastore; moving it would silently change what they are. */
function refuseRedirection(existing: Resource | null, account: string, container: string): void {
  if (existing === null) return;
  if (existing.properties['accountName'] === account && existing.properties['containerName'] === container)
    return;
  throw failure(
    'conflict',
    `The datastore '${existing.name}' exists and points elsewhere; that cannot be changed.`,
    {
      azureCode: 'ImmutablePropertyModified',
    },
  );
}

function datastoreView(parts: MachineLearningParts, datastore: Resource) {
  const { port } = new URL(parts.endpoints.publicUrl);
  return {
    ...resourceEnvelope(datastore),
    properties: {
      description: null,
      tags: {},
      properties: {},
      ...datastore.properties,
      protocol: 'https',
      endpoint: port === '' ? parts.endpoints.baseDomain : `${parts.endpoints.baseDomain}:${port}`,
      serviceDataAccessAuthIdentity: 'None',
      credentials: { credentialsType: 'None' },
    },
  };
}
