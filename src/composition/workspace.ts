import { dirname, join } from 'node:path';
import type { Config } from '../config/load.ts';
import { roleIds } from '../policy/built-in-roles.ts';
import type { Log } from '../lib/log.ts';
import { openBlobStore, type BlobStore } from '../workspace/blobs/blob-store.ts';
import type { BlobEndpoints } from '../workspace/data-locations.ts';
import { blobLister } from '../workspace/jobs/list-blobs.ts';
import { LogLinks } from '../workspace/jobs/log-links.ts';
import { JobScheduler } from '../workspace/jobs/scheduler.ts';
import type { SubmitOptions } from '../workspace/jobs/submit.ts';
import { normalId, storageAccountId } from '../workspace/resource-ids.ts';
import { LocalRunner } from '../workspace/runners/local/local-runner.ts';
import type { Runner } from '../workspace/runners/runner.ts';
import type { Foundation } from './foundation.ts';
import type { IdentityParts } from './identity.ts';

export interface WorkspaceParts {
  readonly accounts: readonly { readonly name: string; readonly scope: string }[];
  readonly blobs: BlobStore;
  readonly endpoints: BlobEndpoints;
  readonly runners: readonly Runner[];
  readonly scheduler: JobScheduler;
  readonly submit: SubmitOptions;
  readonly logLinks: LogLinks;
}

export interface WorkspaceNeeds {
  readonly publicUrl: string;
  /** PEM file that jobs trust besides the system's roots; null when the certificate is the operator's own. */
  readonly certificateAuthorityFile: string | null;
  readonly log: Log;
}

/** The image that every installation offers: the tools of the host itself. */
export const hostImage = 'host';

/** Jobs, assets, blobs, and the engines that run jobs. */
export async function composeWorkspace(
  config: Config,
  foundation: Foundation,
  identity: IdentityParts,
  needs: WorkspaceNeeds,
): Promise<WorkspaceParts> {
  const { store, ledger, clock, tenantId, directory, workspace, storageAccount } = foundation;
  const { commit } = ledger;
  const { log } = needs;
  const endpoints = { publicUrl: needs.publicUrl, baseDomain: config.baseDomain };
  const jobsDirectory = join(config.home, 'jobs');
  const blobs = await openBlobStore({ store, commit, directory: join(config.home, 'blobs'), clock, log });
  const accounts = [{ name: storageAccount, scope: normalId(storageAccountId(workspace, storageAccount)) }];
  const runners = [
    new LocalRunner({
      directory: jobsDirectory,
      environments: {
        [hostImage]: { path: [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'] },
        ...config.local.environments,
      },
      cancelGraceMilliseconds: config.local.cancelGraceSeconds * 1000,
      gateway: { url: needs.publicUrl, certificateAuthorityFile: needs.certificateAuthorityFile },
    }),
  ];
  const scheduler = new JobScheduler({
    store,
    commit,
    clock,
    log,
    tenantId,
    runners,
    endpoints,
    listBlobs: blobLister(blobs),
    leases: identity.leases,
    maxRunning: config.local.maxRunning,
    graceMilliseconds: config.local.cancelGraceSeconds * 1000,
  });
  ledger.follow(scheduler.follower);
  return {
    accounts,
    blobs,
    endpoints,
    runners,
    scheduler,
    submit: {
      store,
      commit,
      clock,
      identities: {
        createJobPrincipal: (tx, record, job) => directory.createJobPrincipal(tx, record, job),
        openLease: async (tx, record, wanted) => (await identity.leases.open(tx, record, wanted)).lease,
      },
      runners,
      endpoints,
      jobsDirectory,
      roleIds: {
        jobRuntime: roleIds.lockstepJobRuntime,
        jobSelf: roleIds.lockstepJobSelf,
        blobReader: roleIds.storageBlobDataReader,
        blobContributor: roleIds.storageBlobDataContributor,
      },
    },
    logLinks: new LogLinks({ key: foundation.deriveKey('log links'), clock }),
  };
}
