import type { Clock } from '../lib/clock.ts';
import type { Attribution, Commit } from '../store/changes.ts';
import { artifactDatastore, blobDatastore } from './data-locations.ts';
import {
  storageAccountId,
  storageAccountType,
  workspaceId,
  workspaceType,
  type WorkspaceRef,
} from './resource-ids.ts';
import { putResource } from './resources.ts';

export interface SeedOptions {
  readonly commit: Commit;
  readonly clock: Clock;
  readonly workspace: WorkspaceRef;
  readonly storageAccount: string;
  /** GUID that the workspace answers to as `workspaceId`. */
  readonly workspaceGuid: string;
  readonly friendlyName?: string;
}

export const location = 'local';
export const blobContainer = 'azureml-blobstore';
export const artifactContainer = 'azureml';

/**
 * Creates a workspace with its storage account and two datastores that hold no credential: clients reach the blobs
 * with their own token. The containers themselves belong to the blob room.
 */
export async function seedWorkspace(by: Attribution, options: SeedOptions): Promise<void> {
  const { workspace, storageAccount, clock } = options;
  const id = workspaceId(workspace);
  await options.commit(by, async (tx, record) => {
    const put = (displayId: string, type: string, properties: Record<string, string | boolean | null>) =>
      putResource(tx, record, by, clock.now(), {
        displayId,
        type,
        properties,
        ...(type.includes('/workspaces/') ? {} : { location }),
      });
    await put(storageAccountId(workspace, storageAccount), storageAccountType, {
      provisioningState: 'Succeeded',
      kind: 'BlockBlobStorage',
    });
    await put(id, workspaceType, {
      workspaceId: options.workspaceGuid,
      friendlyName: options.friendlyName ?? workspace.name,
      provisioningState: 'Succeeded',
      storageAccount: storageAccountId(workspace, storageAccount),
    });
    for (const [name, containerName, isDefault] of [
      [blobDatastore, blobContainer, true],
      [artifactDatastore, artifactContainer, false],
    ] as const) {
      const datastore = {
        datastoreType: 'AzureBlob',
        accountName: storageAccount,
        containerName,
        protocol: 'https',
        isDefault,
      };
      await put(`${id}/datastores/${name}`, `${workspaceType}/datastores`, datastore);
    }
  });
}
