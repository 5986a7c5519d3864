import { AccessRequests } from '../api/access-requests/access-requests.ts';
import { askPath, askSurface } from '../api/access-requests/ask-surface.ts';
import { connectionSurface } from '../api/account/connection-surface.ts';
import { accountSurface } from '../api/account/surface.ts';
import type { HeldRole } from '../api/entra/pages/account-page.ts';
import { adminSurface } from '../api/admin/surface.ts';
import { authorizationDescriber } from '../api/arm/authorization/describer.ts';
import { decisionPointSurface } from '../api/arm/authorization/decision-point.ts';
import { armSurface } from '../api/arm/surface.ts';
import { interactive } from '../api/entra/interactive.ts';
import { audiencesOf, knowsResource, type Resource } from '../api/entra/resources.ts';
import { entraSurface } from '../api/entra/surface.ts';
import { TokenEndpoint } from '../api/entra/token/endpoint.ts';
import { graphSurface } from '../api/graph/surface.ts';
import { nowhereSurface, refusalPages } from '../api/refusal/pages.ts';
import { ledgerSurface } from '../api/ledger/surface.ts';
import { workloadSurface } from '../api/workload/surface.ts';
import { programsOnly, type Connection } from '../config/connections.ts';
import type { Config } from '../config/load.ts';
import { blobSurface } from '../gateway/adapters/blob/surface.ts';
import { jupyterSurface, type JupyterOptions } from '../gateway/adapters/jupyter/surface.ts';
import { jupyterHubSurface } from '../gateway/adapters/jupyterhub/surface.ts';
import { mlflowSurface, type MlflowOptions } from '../gateway/adapters/mlflow/surface.ts';
import type { IdentityFacts } from '../gateway/adapters/web/identity-headers.ts';
import { absentConnectionSurface } from '../gateway/adapters/web/absent-connection.ts';
import type { ProxiedSurface } from '../gateway/adapters/web/proxied.ts';
import { webSurface } from '../gateway/adapters/web/surface.ts';
import { isUsed, lastErrorOf, type EndpointView } from '../gateway/upstream/endpoint.ts';
import { connectionLabel, type HostRule } from '../gateway/edge/host-rule.ts';
import type { LiveSessions } from '../gateway/live-sessions.ts';
import { actingAuthorities } from '../identity/acting-authorities.ts';
import { assertionSigner } from '../identity/tokens/sign-assertion.ts';
import type { Surface } from '../gateway/types.ts';
import type { PrincipalId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { holdsRoleTouching, holdsRoleWithin } from '../policy/holds-role-within.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { Caller } from '../identity/caller.ts';
import { systemAttribution } from '../store/changes.ts';
import { loadPolicyRows } from '../store/policy-rows.ts';
import { configurationChangedSince } from './configuration-changed.ts';
import { connectionScope } from './connection-scope.ts';
import type { Foundation } from './foundation.ts';
import type { IdentityParts } from './identity.ts';
import type { WorkspaceParts } from './workspace.ts';

export interface SurfaceNeeds {
  readonly config: Config;
  readonly publicUrl: string;
  readonly hosts: HostRule;
  readonly resources: readonly Resource[];
  readonly snapshot: PolicySnapshot;
  readonly live: LiveSessions;
  readonly log: Log;
}

export interface ComposedSurfaces {
  readonly surfaces: readonly Surface[];
  /** Forgets what has lapsed of sign-ins that were begun; to be called now and then. */
  sweepSignIns(): Promise<void>;
  /** Ends what people have asked for and nobody has answered in time; to be called now and then. */
  sweepAccessRequests(): Promise<void>;
  /** Closes the connections to protected upstreams. */
  close(): Promise<void>;
}

/** Every public face, in the order in which they are asked whether a request is theirs. */
export function composeSurfaces(
  foundation: Foundation,
  identity: IdentityParts,
  workspace: WorkspaceParts,
  needs: SurfaceNeeds,
): ComposedSurfaces {
  const { store, ledger, clock, tenantId, directory, ledgerDirectory } = foundation;
  const { commit, record } = ledger;
  const { config, publicUrl, resources, snapshot, log } = needs;
  const authority = { publicUrl, tenantId };
  const audiences = (name: string) =>
    resources.filter(({ audience }) => audience === name).flatMap(audiencesOf);
  const armAudiences = [...audiences('https://management.azure.com'), ...audiences('https://ml.azure.com')];

  const accessRequests = new AccessRequests({ store, commit, clock, snapshot });
  const signIn = interactive({
    ...authority,
    store,
    commit,
    record,
    clock,
    log,
    sessions: identity.sessions,
    keys: identity.cookieKeys,
    signingKeys: identity.signingKeys,
    tokens: identity.tokenIssuer,
    directory,
    audienceOf: (resource) => (knowsResource(resources, resource) ? resource : null),
    defaultAudience: 'https://graph.microsoft.com',
    accessTokenSeconds: config.tokens.userSeconds,
    authenticateClient: (exchange, client) => tokenEndpoint.authenticateClient(exchange, client),
  });
  const tokenEndpoint: TokenEndpoint = new TokenEndpoint({
    ...authority,
    directory,
    liveness: identity.liveness,
    issuer: identity.tokenIssuer,
    externalIssuers: identity.externalIssuers,
    usedAssertions: identity.usedAssertions,
    throttle: identity.throttle,
    record,
    resources,
    clock,
    applicationSeconds: config.tokens.applicationSeconds,
    interactiveToken: (exchange) => signIn.token(exchange),
  });

  const connectionNames = new Set(Object.keys(config.connections));
  const { port } = new URL(publicUrl);
  const ownOrigin = (name: string) => `https://${name}.${config.baseDomain}${port === '' ? '' : `:${port}`}`;
  const browsers = {
    signIns: identity.connectionSignIns,
    originOf: (name: string) => (connectionNames.has(name) ? ownOrigin(name) : null),
  };
  const signInAddress = (name: string, state: string, path: string) =>
    `${publicUrl}/signin/connection?${new URLSearchParams({ name, state, path }).toString()}`;
  const published = {
    publicJwks: () => ({
      keys: [...identity.signingKeys.publicJwks().keys, ...identity.assertionKeys.publicJwks().keys],
    }),
  };
  const proxying = {
    hosts: needs.hosts,
    issuer: identity.issuer,
    sign: assertionSigner(identity.assertionKeys),
    derivedKeys: (purpose: string) => identity.cookieKeys.derived(purpose),
    clock,
    identityOf: ({ subject }: Caller) => identityFacts(snapshot, subject.id, subject.name),
    upstreamChanged: (connection: string, view: EndpointView) => {
      const { address, state } = view;
      const why = lastErrorOf(state);
      const told = { connection, address, state: state.kind, why };
      if (state.kind === 'failing') log.warn(told, 'an upstream fails; it is asked further');
      else if (isUsed(state)) log.info({ connection, address }, 'an upstream is asked again');
      else log.warn(told, 'an upstream is not asked for the time being');
    },
    holdRolesWithin: (authorities: readonly PrincipalId[], scope: string) =>
      authorities.every((id) => holdsRoleWithin(snapshot, id, scope)),
    holdRolesTouching: (authorities: readonly PrincipalId[], scope: string) =>
      authorities.every((id) => holdsRoleTouching(snapshot, id, scope)),
    signInAddress,
    refusalPage: refusalPages({
      publicUrl,
      snapshot,
      originOf: (name) => {
        const connection = config.connections[name];
        return connection === undefined || programsOnly(connection) ? null : browsers.originOf(name);
      },
      signInAddress,
      askAddress: (decision) => `${publicUrl}${askPath(decision)}`,
    }),
  };
  const adapted = Object.values(config.connections)
    .map((each) => ({ ...each, scope: connectionScope(each.scope, foundation.workspace) }))
    .map((connection) => ({ connection, surface: adapterSurface(connection, proxying) }));
  const connections = adapted.map(({ surface }) => surface);
  for (const { name, identityHeaders } of Object.values(config.connections)) {
    const headers = Object.keys(identityHeaders ?? {});
    if (headers.length === 0) continue;
    log.warn(
      { connection: name, headers },
      'an upstream takes who calls from headers: whoever reaches it past Lockstep can be anybody there',
    );
  }
  for (const { path, message } of config.warnings ?? []) log.warn({ setting: path }, message);
  const decisionPoint = {
    snapshot,
    clock,
    tenantId,
    actsAs: (id: PrincipalId) => actingAuthorities(identity.liveness, id),
  };
  const principalName = (id: string) => snapshot.principal(id as PrincipalId)?.displayName;
  const surfaces = [
    connectionSurface({
      connections: connectionNames,
      baseDomain: config.baseDomain,
      signIns: identity.connectionSignIns,
      record,
      nameOf: (id) => snapshot.principal(id)?.displayName ?? null,
    }),
    ...connections,
    nowhereSurface(snapshot, ({ host }) => connectionLabel(host, needs.hosts) !== null),
    absentConnectionSurface({
      connections: adapted.map(({ connection: { name, scope } }) => ({ name, scope })),
      ...proxying,
      audiences: [
        ...audiences('api://lockstep'),
        ...[...connectionNames].map((name) => `api://lockstep/connections/${name}`),
      ],
    }),
    workloadSurface({ leases: identity.leases, jobs: workspace.scheduler, record, clock, tenantId }),
    ledgerSurface({ ledger, directory: ledgerDirectory }),
    decisionPointSurface({
      ...decisionPoint,
      publicUrl,
      principalName,
      audiences: [
        ...audiences('https://authorization.azure.net'),
        ...audiences('https://management.azure.com'),
      ],
    }),
    armSurface({
      store,
      commit,
      clock,
      tenantId,
      endpoints: workspace.endpoints,
      runners: workspace.runners,
      submit: workspace.submit,
      scheduler: workspace.scheduler,
      logLinks: workspace.logLinks,
      audiences: armAudiences,
      snapshot,
      describeAuthorization: authorizationDescriber({
        ...decisionPoint,
        commit,
        principal: (id) => snapshot.principal(id),
      }),
      holdsRoleWithin: (id, scope) => holdsRoleWithin(snapshot, id, scope),
      principalName,
      jsonBytes: config.limits.jsonBytes,
    }),
    graphSurface({ directory, snapshot, ...authority, jsonBytes: config.limits.jsonBytes }),
    adminSurface({
      ...authority,
      snapshot,
      policyRows: () => loadPolicyRows(store.db),
      ledger,
      logKeys: foundation.logKeys,
      keyExchange: foundation.keyExchange,
      ocsf: config.ledger.ocsf,
      signIns: identity.sessions,
      applicationsOf: (sessions) => signIn.applicationsOf(sessions),
      live: needs.live,
      links: identity.oneTimeLinks,
      connections: () =>
        adapted.map(({ connection: { name, kind, scope }, surface }) => ({
          name,
          kind,
          scope,
          browserUrl: `${ownOrigin(name)}/`,
          programUrl: `${publicUrl}/connections/${name}`,
          upstream: surface.upstreamView(),
        })),
      configurationChangedAt: configurationChangedSince(config, clock.now()),
      ruleActions: Object.values(config.connections).flatMap((connection) =>
        connection.kind === 'web' ? connection.rules.map(({ action }) => action) : [],
      ),
      workspace: foundation.workspace,
      storageAccount: foundation.storageAccount,
      accessRequests,
      clock,
    }),
    entraSurface({ ...authority, keys: published, tokenEndpoint, clock, interactive: signIn }),
    blobSurface({
      accounts: workspace.accounts,
      store: workspace.blobs,
      tenantId,
      publicUrl,
      baseDomain: config.baseDomain,
      clock,
    }),
    askSurface({ publicUrl, keys: identity.cookieKeys, accessRequests, ledger, snapshot, clock }),
    accountSurface({
      publicUrl,
      clock,
      record,
      keys: identity.cookieKeys,
      sessions: identity.sessions,
      throttle: identity.throttle,
      oneTimeLinks: identity.oneTimeLinks,
      interactive: signIn,
      connections: browsers,
      directory,
      groupsOf: (id) =>
        snapshot
          .identitiesOf(id)
          .filter((group) => group !== id)
          .map((group) => snapshot.principal(group)?.displayName ?? group),
      rolesOf: (id) => heldRoles(snapshot, id),
    }),
    // The last: what nobody else takes.
    nowhereSurface(snapshot, () => true),
  ];
  return {
    surfaces,
    sweepSignIns: () => signIn.sweep(),
    sweepAccessRequests: () => accessRequests.sweep(systemAttribution(tenantId, 'access requests')),
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

/** The adapter that knows the protocol of this connection. */
function adapterSurface(
  { credential, ...connection }: Connection,
  options: JupyterOptions & MlflowOptions,
): ProxiedSurface {
  const secret = credential === null ? {} : { credential };
  switch (connection.kind) {
    case 'web':
      return webSurface({ ...connection, ...secret }, options);
    case 'mlflow':
      return mlflowSurface({ ...connection, ...secret }, options);
    case 'jupyterhub':
      return jupyterHubSurface({ ...connection, ...secret }, options);
    case 'jupyter':
      return jupyterSurface({ ...connection, ...secret }, options);
    default:
      return noAdapterFor(connection);
  }
}

/** A kind that is named here by the compiler has no case above. */
function noAdapterFor(connection: never): never {
  throw new Error(`no adapter knows ${JSON.stringify(connection)}`);
}

/** What an upstream may be told of who calls. */
function identityFacts(snapshot: PolicySnapshot, id: PrincipalId, name: string): IdentityFacts {
  const principal = snapshot.principal(id);
  return {
    id,
    userPrincipalName: principal?.kind === 'user' ? principal.signInName : null,
    displayName: principal?.displayName ?? name,
    groups:
      snapshot.fault !== null
        ? null
        : snapshot
            .identitiesOf(id)
            .filter((group) => group !== id)
            .map((group) => ({ id: group, displayName: snapshot.principal(group)?.displayName ?? group })),
  };
}

/** What a person holds, themselves or through groups, for their own account page. */
function heldRoles(snapshot: PolicySnapshot, id: PrincipalId): HeldRole[] {
  const identities = new Set(snapshot.identitiesOf(id));
  return [...snapshot.roleAssignments()]
    .filter(({ principalId }) => identities.has(principalId))
    .map(({ scope, roleDefinitionId, principalId }) => ({
      roleName: snapshot.roleDefinition(roleDefinitionId)?.roleName ?? roleDefinitionId,
      scope,
      throughGroup: principalId === id ? null : (snapshot.principal(principalId)?.displayName ?? principalId),
    }));
}
