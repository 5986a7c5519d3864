import { createServer, type AddressInfo } from 'node:net';
import { lastOwnerGuard } from './api/last-owner.ts';
import { knowsResource, standardResources } from './api/entra/resources.ts';
import { callerFromCookie } from './composition/browser-caller.ts';
import { keepingTo } from './composition/retention.ts';
import { serverCertificate } from './composition/certificate.ts';
import { CurrentPolicy } from './composition/current-policy.ts';
import { recordConfiguration } from './composition/configuration-record.ts';
import { Enforcement } from './composition/enforcement.ts';
import {
  administratorIsKnown,
  administratorLink,
  administratorSignInName,
} from './composition/first-administrator.ts';
import { openFoundation, type Foundation } from './composition/foundation.ts';
import { composeIdentity, type IdentityParts } from './composition/identity.ts';
import { JobRights } from './composition/job-access.ts';
import { listenFailure } from './composition/listen-failure.ts';
import { composeSurfaces } from './composition/surfaces.ts';
import { composeWorkspace } from './composition/workspace.ts';
import type { Config } from './config/load.ts';
import { listenTls } from './gateway/listener.ts';
import { LiveSessions } from './gateway/live-sessions.ts';
import { createPipeline } from './gateway/pipeline.ts';
import { createRecogniser } from './gateway/recognise.ts';
import type { Caller } from './identity/caller.ts';
import { isReachable } from './identity/directory/reachable.ts';
import { changeFeed } from './ledger/change-feed.ts';
import type { Log } from './lib/log.ts';
import { productVersion } from './lib/version.ts';
import { builtInRoles } from './policy/built-in-roles.ts';
import { decideForAll } from './policy/decide.ts';
import type { PolicySnapshot } from './policy/snapshot.ts';
import { systemAttribution } from './store/changes.ts';
import { loadPolicyRows } from './store/policy-rows.ts';
import { ensureRoleDefinitions } from './store/role-definitions.ts';
import { ensureRootGroup } from './store/scope-placements.ts';

/** Keys and sessions are looked at so often. */
const housekeepingMilliseconds = 60_000;
/** How soon a sign-in, or a condition, whose time is over takes its streams with it. */
const lapseMilliseconds = 500;
/** Between two looks at the feed for what the ledger's own word did not bring. */
const pollMilliseconds = 1_000;

export interface Lockstep {
  /** `https://host:port`, as clients address it. */
  readonly url: string;
  /** PEM file to trust; null when the certificate is the operator's own. */
  readonly certificateAuthorityFile: string | null;
  readonly foundation: Foundation;
  readonly identity: IdentityParts;
  readonly snapshot: PolicySnapshot;
  /** A new link that signs the first administrator in once, within 15 minutes. */
  adminLink(): Promise<string>;
  /** Whether they have a password, have signed in before, or are there no more. */
  administratorIsKnown(): Promise<boolean>;
  /** Stops accepting, lets requests in flight end, signs the last checkpoint. Running jobs go on. */
  drain(): Promise<void>;
}

/**
 * Starts Lockstep on the state in the home directory and serves until drained. Throws NotInitialisedError when there
 * is no state, and whatever stands against listening.
 */
export async function startLockstep(config: Config, log: Log): Promise<Lockstep> {
  const foundation = await openFoundation(config, log);
  try {
    return await serve(config, foundation, log);
  } catch (error) {
    await foundation.close();
    throw error;
  }
}

async function serve(config: Config, foundation: Foundation, log: Log): Promise<Lockstep> {
  const { store, ledger, clock, tenantId } = foundation;
  const by = systemAttribution(tenantId, 'gateway');
  await ensureRoleDefinitions(store, ledger.commit, by, builtInRoles, clock.now());
  await ensureRootGroup(store, ledger.commit, by, {
    tenantId,
    subscriptionIds: [foundation.workspace.subscriptionId],
    now: clock.now(),
  });
  const policy = await CurrentPolicy.load({
    feed: changeFeed(store),
    loadRows: () => loadPolicyRows(store.db),
    clock,
    log,
    staleMilliseconds: config.policy.staleSeconds * 1000,
    waitMilliseconds: config.policy.revisionWaitMilliseconds,
  });
  const { snapshot } = policy;
  ledger.follow((committed) => policy.take(committed));
  const jobRights = new JobRights(policy, foundation);

  ledger.guard(
    lastOwnerGuard({
      snapshot,
      reachable: (tx, principal) =>
        isReachable(tx, principal, { now: clock.now(), operatorsAccount: administratorSignInName }),
    }),
  );

  const port = config.listen.port === 0 ? await freePort(config.listen.host) : config.listen.port;
  const publicUrl = config.publicUrl?.replace(/\/$/, '') ?? `https://localhost:${port}`;
  const { hostname } = new URL(publicUrl);
  const hosts = {
    names: [...new Set([hostname, 'localhost', '127.0.0.1', '::1'])],
    baseDomain: config.baseDomain,
  };
  const resources = [
    ...standardResources({
      publicUrl,
      storageOrigins: ['core.windows.net', config.baseDomain].map(
        (domain) => `https://${foundation.storageAccount}.blob.${domain}`,
      ),
    }),
    ...Object.keys(config.connections).map((name) => ({
      audience: `api://lockstep/connections/${name}`,
      aliases: [],
    })),
  ];
  const identity = await composeIdentity(config, foundation, {
    publicUrl,
    knowsResource: (resource) => knowsResource(resources, resource),
    stillAllowed: (lease) => jobRights.stillAllowed(lease),
  });
  let certificate = await serverCertificate(config, hostname, foundation.storageAccount);
  const { certificateAuthorityFile } = certificate;
  const workspace = await composeWorkspace(config, foundation, identity, {
    publicUrl,
    certificateAuthorityFile,
    log,
  });

  const live = new LiveSessions(clock);
  const checkLive = (caller: Caller) => identity.liveness.check(caller);
  const { leases } = identity;
  const checkBegun = (caller: Caller) => identity.liveness.checkBegun(caller);
  const enforcement = new Enforcement({ policy, live, leases, jobRights, checkBegun, clock, log });
  ledger.follow(enforcement.follower);
  policy.watch({ caughtUp: () => enforcement.reviewAll(), stale: () => enforcement.stopStreams() });

  const composed = composeSurfaces(foundation, identity, workspace, {
    config,
    publicUrl,
    hosts,
    resources,
    snapshot,
    live,
    log,
  });
  const pipeline = createPipeline({
    edge: { hosts },
    surfaces: composed.surfaces,
    recognise: createRecogniser({
      verifyToken: (token, audiences) => identity.tokenVerifier.verify(token, audiences),
      callerFromCookie: (cookie, connection) =>
        callerFromCookie({ ...identity, tenantId, snapshot }, cookie, connection),
    }),
    decide: (authorities, access) =>
      policy.isCurrent
        ? decideForAll(snapshot, authorities, access)
        : { allowed: false, cause: { kind: 'policy-unavailable' }, decidedFor: authorities[0] ?? null },
    snapshotVersion: () => snapshot.version,
    feed: policy,
    checkLive,
    record: ledger.record,
    sessions: live,
    memory: { all: config.limits.unfinishedBytes, perCaller: config.limits.unfinishedBytesPerCaller },
    tenantId,
    clock,
    log,
  });
  const lifecycle = async (activity: 'start' | 'stop') => {
    await ledger.record({
      kind: 'lifecycle',
      attribution: by,
      activity,
      version: productVersion,
      detail: { url: publicUrl },
    });
  };

  await lifecycle('start');
  await recordConfiguration(foundation, by, config);
  const exchangeLogKey = () => foundation.keyExchange.advance(systemAttribution(tenantId, 'key rotation'));
  await exchangeLogKey().catch((error: unknown) =>
    log.error({ err: error }, 'the exchange of the log’s key did not go on; it is tried again'),
  );
  const keepTo = keepingTo({
    ledger: foundation.ledger,
    retention: config.ledger.retention,
    by: systemAttribution(tenantId, 'retention'),
    clock,
  });
  const listener = await listenTls({
    ...certificate,
    host: config.listen.host,
    port,
    pipeline,
    sessions: live,
  }).catch((error: unknown) => {
    throw listenFailure(error, config);
  });
  foundation.serves(publicUrl);
  await workspace.scheduler.start();
  // The process before this one may have died between a change and what the change takes away.
  enforcement.recheckLeases();
  const renewCertificate = async () => {
    if (clock.now() < certificate.renewAt) return;
    certificate = await serverCertificate(config, hostname, foundation.storageAccount);
    listener.replaceCertificate(certificate);
  };
  const housekeeping = setInterval(() => {
    Promise.all([
      keepHouse(identity),
      exchangeLogKey(),
      composed.sweepSignIns(),
      composed.sweepAccessRequests(),
      renewCertificate(),
      keepTo(),
    ]).catch((error: unknown) => log.error({ err: error }, 'housekeeping failed'));
  }, housekeepingMilliseconds).unref();
  const polling = setInterval(() => void policy.poll(), pollMilliseconds).unref();
  const lapsing = setInterval(() => {
    enforcement.reviewTimed();
    identity.sessions
      .endLapsed()
      .catch((error: unknown) => log.error({ err: error }, 'a sign-in whose time is over was not ended'));
  }, lapseMilliseconds).unref();

  return {
    url: publicUrl,
    certificateAuthorityFile,
    foundation,
    identity,
    snapshot,
    adminLink: () => administratorLink(foundation, identity.oneTimeLinks, publicUrl),
    administratorIsKnown: () => administratorIsKnown(foundation),
    async drain() {
      clearInterval(housekeeping);
      clearInterval(lapsing);
      clearInterval(polling);
      await listener.drain(config.limits.drainSeconds * 1000);
      await workspace.scheduler.stop();
      await composed.close();
      await lifecycle('stop');
      await foundation.close();
    },
  };
}

async function keepHouse(identity: IdentityParts): Promise<void> {
  await identity.signingKeys.rotateIfDue();
  await identity.assertionKeys.rotateIfDue();
  await identity.cookieKeys.rotateIfDue();
  await identity.sessions.sweep();
  await identity.throttle.sweep();
  await identity.oneTimeLinks.sweep();
}

/** A port that was free a moment ago: the public address has to be known before anything is put together. */
async function freePort(host: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, host, resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
