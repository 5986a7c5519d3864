import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { blobSurface } from '../../../gateway/adapters/blob/surface.ts';
import { listenTls } from '../../../gateway/listener.ts';
import { LiveSessions } from '../../../gateway/live-sessions.ts';
import { ensureLocalAuthority } from '../../../gateway/certificates/local-authority.ts';
import { createPipeline, type Pipeline } from '../../../gateway/pipeline.ts';
import { createRecogniser } from '../../../gateway/recognise.ts';
import { actingAuthorities } from '../../../identity/acting-authorities.ts';
import { Leases } from '../../../identity/leases/leases.ts';
import { by, openIdentityRoom, tenantId } from '../../../identity/testing/identity-room.ts';
import type { RequestFact } from '../../../ledger/events.ts';
import { failure } from '../../../lib/errors.ts';
import { newEventId, newGuid, type PrincipalId } from '../../../lib/ids.ts';
import { createLog } from '../../../lib/log.ts';
import { builtInRoles, roleIds } from '../../../policy/built-in-roles.ts';
import { decideForAll } from '../../../policy/decide.ts';
import { holdsRoleWithin } from '../../../policy/holds-role-within.ts';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { PrincipalRecord } from '../../../store/changes.ts';
import { loadPolicyRows } from '../../../store/policy-rows.ts';
import { putRoleAssignment } from '../../../store/role-assignments.ts';
import { ensureRoleDefinitions } from '../../../store/role-definitions.ts';
import { ensureRootGroup } from '../../../store/scope-placements.ts';
import { openBlobStore } from '../../../workspace/blobs/blob-store.ts';
import { blobLister } from '../../../workspace/jobs/list-blobs.ts';
import { LogLinks } from '../../../workspace/jobs/log-links.ts';
import { JobScheduler } from '../../../workspace/jobs/scheduler.ts';
import { normalId, storageAccountId, workspaceId } from '../../../workspace/resource-ids.ts';
import { LocalRunner } from '../../../workspace/runners/local/local-runner.ts';
import { artifactContainer, blobContainer, seedWorkspace } from '../../../workspace/seed.ts';
import { lastOwnerGuard } from '../../last-owner.ts';
import { workloadSurface } from '../../workload/surface.ts';
import { authorizationDescriber } from '../authorization/describer.ts';
import { decisionPointSurface } from '../authorization/decision-point.ts';
import { armSurface } from '../surface.ts';

export const workspace = {
  subscriptionId: '0b1f6471-1bf0-4dda-aec3-cb9272f09590',
  resourceGroup: 'ml-Group',
  name: 'Lab',
};
export const account = 'labstore';
const nodeModules = join(import.meta.dirname, '../../../../node_modules');

export type MlHouse = Awaited<ReturnType<typeof openMlHouse>>;

/** Identity, policy, blobs, jobs and the resource manager behind one real TLS listener, on a store of its own. */
export async function openMlHouse(
  options: { readonly pageSize?: number; readonly maxRunning?: number } = {},
) {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-ml-'));
  const { key, cert, caCertificatePath } = await ensureLocalAuthority(join(home, 'tls'), []);
  let pipeline: Pipeline | null = null;
  const late = Object.assign(
    ((request, response) => pipeline?.(request, response)) satisfies (...args: Parameters<Pipeline>) => void,
    {
      upgrade: (...args: Parameters<Pipeline['upgrade']>) => pipeline?.upgrade(...args),
      unparsed: (...args: Parameters<Pipeline['unparsed']>) => pipeline?.unparsed(...args),
      stream: (...args: Parameters<Pipeline['stream']>) => pipeline?.stream(...args),
      unframed: (...args: Parameters<Pipeline['unframed']>) => pipeline?.unframed(...args),
    },
  );
  const listener = await listenTls({ host: '127.0.0.1', port: 0, key, cert, pipeline: late });
  const publicUrl = `https://localhost:${listener.address.port}`;
  const room = await openIdentityRoom({ time: 'real', publicUrl });
  const { store, feed, clock, directory, liveness } = room;
  const { commit } = feed;
  const log = createLog('silent');
  const endpoints = { publicUrl, baseDomain: 'localhost' };
  const snapshot = PolicySnapshot.from({ ...(await loadPolicyRows(store.db)), version: feed.changes.length });
  feed.follow((committed) => {
    for (const change of committed) snapshot.apply(change);
  });
  // The people of tests sign in without a password.
  feed.guard(lastOwnerGuard({ snapshot, reachable: () => Promise.resolve(true) }));
  await ensureRoleDefinitions(store, commit, by, builtInRoles, clock.now());
  await ensureRootGroup(store, commit, by, {
    tenantId,
    subscriptionIds: [workspace.subscriptionId],
    now: clock.now(),
  });
  await seedWorkspace(by, { commit, clock, workspace, storageAccount: account, workspaceGuid: newGuid() });
  const accountScope = normalId(storageAccountId(workspace, account));
  const blobs = await openBlobStore({ store, commit, directory: join(home, 'blobs'), clock, log });
  for (const container of [blobContainer, artifactContainer]) {
    const scope = `${accountScope}/blobservices/default/containers/${container}`;
    await blobs.createContainer(by, { account, container, scope }, []);
  }
  const facts: RequestFact[] = [];
  const record = async (fact: RequestFact) => {
    facts.push(fact);
    return newEventId(clock.now());
  };
  const stillAllowed = (authorities: readonly PrincipalId[]) =>
    decideForAll(snapshot, authorities, {
      action: 'Microsoft.MachineLearningServices/workspaces/jobs/read',
      dataAction: false,
      scope: normalId(workspaceId(workspace)),
    }).allowed;
  const leases = new Leases({
    store,
    commit,
    clock,
    tenantId,
    liveness,
    issuer: room.tokens,
    tokenSeconds: 300,
    knowsResource: (resource) =>
      /^https:\/\/(storage\.azure\.com|ml\.azure\.com|localhost:\d+)$/.test(resource),
    stillAllowed: ({ ownerId, submitterId }) => stillAllowed([ownerId, submitterId]),
  });
  const runner = new LocalRunner({
    directory: join(home, 'jobs'),
    environments: { host: { path: [dirname(process.execPath), '/usr/bin', '/bin'], nodeModules } },
    cancelGraceMilliseconds: 500,
    gateway: { url: publicUrl, certificateAuthorityFile: caCertificatePath },
  });
  const newScheduler = () =>
    new JobScheduler({
      store,
      commit,
      clock,
      log,
      tenantId,
      runners: [runner],
      leases,
      endpoints,
      listBlobs: blobLister(blobs),
      graceMilliseconds: 500,
      pollMilliseconds: 50,
      ...(options.maxRunning === undefined ? {} : { maxRunning: options.maxRunning }),
    });
  let scheduler = newScheduler();
  feed.follow((committed) => {
    scheduler.follower(committed);
  });
  await scheduler.start();
  const sessions = new LiveSessions(clock);
  const decisionPoint = {
    snapshot,
    clock,
    tenantId,
    actsAs: (id: PrincipalId) => actingAuthorities(liveness, id),
  };
  const principalName = (id: string) => liveness.principal(id)?.displayName;
  const arm = armSurface({
    store,
    commit,
    clock,
    tenantId,
    endpoints,
    runners: [runner],
    submit: {
      store,
      commit,
      clock,
      runners: [runner],
      endpoints,
      jobsDirectory: join(home, 'jobs'),
      roleIds: {
        jobRuntime: roleIds.lockstepJobRuntime,
        jobSelf: roleIds.lockstepJobSelf,
        blobReader: roleIds.storageBlobDataReader,
        blobContributor: roleIds.storageBlobDataContributor,
      },
      identities: {
        createJobPrincipal: (tx, recordChange, job) => directory.createJobPrincipal(tx, recordChange, job),
        openLease: async (tx, recordChange, lease) => (await leases.open(tx, recordChange, lease)).lease,
      },
    },
    scheduler: { cancel: (...args) => scheduler.cancel(...args) },
    logLinks: new LogLinks({ key: randomBytes(32), clock }),
    audiences: [publicUrl, 'https://management.azure.com/'],
    snapshot,
    describeAuthorization: authorizationDescriber({
      ...decisionPoint,
      commit,
      principal: (id) => liveness.principal(id),
    }),
    holdsRoleWithin: (id, scope) => holdsRoleWithin(snapshot, id, scope),
    principalName,
    ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
  });
  const workload = workloadSurface({
    leases,
    jobs: { reportExit: (id) => scheduler.reportExit(id) },
    record,
    clock,
    tenantId,
  });
  pipeline = createPipeline({
    edge: { hosts: { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' } },
    surfaces: [
      workload,
      decisionPointSurface({
        ...decisionPoint,
        publicUrl,
        principalName,
        audiences: ['https://authorization.azure.net'],
      }),
      arm,
      blobSurface({
        accounts: [{ name: account, scope: accountScope }],
        store: blobs,
        tenantId,
        publicUrl,
        baseDomain: 'localhost',
        clock,
      }),
    ],
    recognise: createRecogniser({
      verifyToken: (token, audiences) => room.verifier.verify(token, audiences),
      callerFromCookie: () => null,
    }),
    decide: (authorities, access) => decideForAll(snapshot, authorities, access),
    snapshotVersion: () => snapshot.version,
    checkLive: (caller) => liveness.check(caller),
    record,
    sessions,
    tenantId,
    clock,
    log,
  });
  // What the composition root does after every change: streams and leases that lost their ground end.
  feed.follow(() => {
    sessions.review(({ exchange, accesses }) => {
      const { caller } = exchange;
      if (caller !== null && liveness.checkBegun(caller) !== null) return { reason: 'identity-ended' };
      return accesses.every((access) => decideForAll(snapshot, exchange.authorities, access).allowed)
        ? null
        : { reason: 'policy-changed' };
    });
  });
  return {
    home,
    publicUrl,
    caCertificatePath,
    room,
    snapshot,
    sessions,
    blobs,
    leases,
    facts,
    get scheduler() {
      return scheduler;
    },
    /** A new scheduler takes over, as after a restart. */
    async restartScheduler() {
      await scheduler.stop();
      scheduler = newScheduler();
      await scheduler.start();
    },
    async grant(
      principal: PrincipalRecord,
      role: keyof typeof roleIds,
      scope = normalId(workspaceId(workspace)),
    ) {
      await commit(by, async (tx, recordChange) => {
        await putRoleAssignment(tx, recordChange, {
          id: newGuid(),
          scope: normalId(scope),
          roleDefinitionId: roleIds[role],
          principalId: principal.id,
          principalType:
            principal.kind === 'user' ? 'User' : principal.kind === 'group' ? 'Group' : 'ServicePrincipal',
          description: '',
          createdOn: new Date().toISOString(),
          createdBy: principal.id,
        });
      });
    },
    /** A token of a person, as a credential for Azure's clients. */
    credentialOf(person: PrincipalRecord) {
      return {
        getToken: async (scopes: string | string[]) => {
          const scope = Array.isArray(scopes) ? (scopes[0] ?? '') : scopes;
          const { token, expiresAt } = await room.tokens.issue({
            subject: person,
            audience: scope.replace(/\/\.default$/, ''),
            lifetimeSeconds: 600,
            chain: [{ kind: person.kind, id: person.id, name: person.displayName }],
            authorities: [person.id],
            clientId: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
            idType: 'user',
          });
          return { token, expiresOnTimestamp: expiresAt * 1000 };
        },
      };
    },
    async close() {
      await scheduler.stop();
      for (const lease of leases.list()) {
        const job = await store.db
          .selectFrom('jobs')
          .selectAll()
          .where('id', '=', lease.jobId)
          .executeTakeFirst();
        if (job !== undefined) {
          await runner.kill({ directory: job.directory, pid: job.pid, processStarted: job.process_started });
        }
      }
      await listener.close();
      sessions.stop();
      await room.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Fails loudly where a test takes something for granted. */
export function given<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw failure('internal', `the test expected ${what}`);
  return value;
}
