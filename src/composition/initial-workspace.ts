import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import type { Log } from '../lib/log.ts';
import { containerScope } from '../policy/blob-scope.ts';
import { systemAttribution } from '../store/changes.ts';
import { openBlobStore } from '../workspace/blobs/blob-store.ts';
import { normalId, storageAccountId } from '../workspace/resource-ids.ts';
import { artifactContainer, blobContainer, seedWorkspace } from '../workspace/seed.ts';
import type { Foundation } from './foundation.ts';

/** The first workspace, its datastores and the containers behind them; what is there already stays. */
export async function createInitialWorkspace(
  config: Config,
  foundation: Foundation,
  log: Log,
): Promise<void> {
  const { store, ledger, clock, tenantId, workspace, workspaceGuid, storageAccount } = foundation;
  const { commit } = ledger;
  const by = systemAttribution(tenantId, 'init');
  await seedWorkspace(by, { commit, clock, workspace, storageAccount, workspaceGuid });
  const blobs = await openBlobStore({ store, commit, directory: join(config.home, 'blobs'), clock, log });
  const accountScope = normalId(storageAccountId(workspace, storageAccount));
  for (const container of [blobContainer, artifactContainer]) {
    const at = { account: storageAccount, container, scope: containerScope(accountScope, container) };
    const page = await blobs.listContainers(storageAccount, { prefix: container, from: '', limit: 100 });
    if (!page.containers.some(({ name }) => name === container)) await blobs.createContainer(by, at, []);
  }
}
