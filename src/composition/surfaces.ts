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
import { ledgerSurface } from '../api/ledger/surface.ts';
import { workloadSurface } from '../api/workload/surface.ts';
import type { Config } from '../config/load.ts';
import { blobSurface } from '../gateway/adapters/blob/surface.ts';
import { webSurface } from '../gateway/adapters/web/surface.ts';
import type { HostRule } from '../gateway/host-rule.ts';
import type { LiveSessions } from '../gateway/live-sessions.ts';
import { actingAuthorities } from '../identity/acting-authorities.ts';
import { CompactSign } from 'jose';
import type { SigningKeys } from '../identity/tokens/signing-keys.ts';
import type { Surface } from '../gateway/types.ts';
import type { PrincipalId } from '../lib/ids.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import type { Log } from '../lib/log.ts';
import { holdsRoleWithin } from '../policy/holds-role-within.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { Foundation } from './foundation.ts';
import type { IdentityParts } from './identity.ts';
import type { WorkspaceParts } from './workspace.ts';
import { loadPolicyRows } from '../store/policy-rows.ts';

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

  const connections = Object.values(config.connections).map(({ credential, ...connection }) =>
    webSurface(
      { ...connection, ...(credential === null ? {} : { credential }) },
      {
        hosts: needs.hosts,
        issuer: identity.issuer,
        sign: (claims) => signAssertion(identity.signingKeys, claims),
        clock,
      },
    ),
  );
  const decisionPoint = {
    snapshot,
    clock,
    tenantId,
    actsAs: (id: PrincipalId) => actingAuthorities(identity.liveness, id),
  };
  const principalName = (id: string) => snapshot.principal(id as PrincipalId)?.displayName;
  const surfaces = [
    ...connections,
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
      live: needs.live,
      links: identity.oneTimeLinks,
      workspace: foundation.workspace,
      storageAccount: foundation.storageAccount,
      clock,
    }),
    entraSurface({ ...authority, keys: identity.signingKeys, tokenEndpoint, clock, interactive: signIn }),
    blobSurface({
      accounts: workspace.accounts,
      store: workspace.blobs,
      tenantId,
      publicUrl,
      baseDomain: config.baseDomain,
      clock,
    }),
    accountSurface({
      publicUrl,
      clock,
      record,
      keys: identity.cookieKeys,
      sessions: identity.sessions,
      throttle: identity.throttle,
      oneTimeLinks: identity.oneTimeLinks,
      interactive: signIn,
      directory,
      groupsOf: (id) =>
        snapshot
          .identitiesOf(id)
          .filter((group) => group !== id)
          .map((group) => snapshot.principal(group)?.displayName ?? group),
      rolesOf: (id) => heldRoles(snapshot, id),
    }),
  ];
  return {
    surfaces,
    sweepSignIns: () => signIn.sweep(),
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
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

/** An identity assertion for an upstream: its `typ` keeps it from ever being taken for an access token. */
async function signAssertion(keys: SigningKeys, claims: JsonObject): Promise<string> {
  const { kid, privateKey } = await keys.signer();
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'RS256', typ: 'lockstep-assertion+jwt', kid })
    .sign(privateKey);
}
