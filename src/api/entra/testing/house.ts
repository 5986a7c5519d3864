import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Directory } from '../../../identity/directory/directory.ts';
import { ExternalIssuers } from '../../../identity/federation/external-issuers.ts';
import { UsedAssertions } from '../../../identity/federation/used-assertions.ts';
import { Liveness } from '../../../identity/liveness.ts';
import { CookieKeys } from '../../../identity/signin/cookie-keys.ts';
import { OneTimeLinks } from '../../../identity/signin/one-time-links.ts';
import { Sessions } from '../../../identity/signin/sessions.ts';
import { SignInThrottle } from '../../../identity/signin/throttle.ts';
import { TokenIssuer } from '../../../identity/tokens/issue.ts';
import { defaultRotation } from '../../../identity/tokens/rotation.ts';
import { SigningKeys } from '../../../identity/tokens/signing-keys.ts';
import { tokenKeyKind } from '../../../identity/tokens/token-key-kind.ts';
import { TokenVerifier } from '../../../identity/tokens/verify.ts';
import { listenTls } from '../../../gateway/listener.ts';
import { LiveSessions } from '../../../gateway/live-sessions.ts';
import { ensureLocalAuthority } from '../../../gateway/certificates/local-authority.ts';
import { createPipeline, type Pipeline } from '../../../gateway/pipeline.ts';
import { createRecogniser } from '../../../gateway/recognise.ts';
import type { Caller } from '../../../identity/caller.ts';
import type { RequestFact } from '../../../ledger/events.ts';
import { ManualClock } from '../../../lib/clock.ts';
import { newEventId, newGuid, type Secret, type TenantId } from '../../../lib/ids.ts';
import { createLog } from '../../../lib/log.ts';
import { createSealer } from '../../../store/sealer.ts';
import { openSqliteStore } from '../../../store/sqlite.ts';
import { systemAttribution, type Change } from '../../../store/changes.ts';
import { accountSurface } from '../../account/surface.ts';
import { interactive } from '../interactive.ts';
import { knowsResource, standardResources } from '../resources.ts';
import { entraSurface } from '../surface.ts';
import { TokenEndpoint } from '../token/endpoint.ts';
import { plainCommit } from './plain-commit.ts';

export const adaPassword = 'correct horse battery staple';

export type House = Awaited<ReturnType<typeof openHouse>>;

/**
 * The sign-in of a whole installation on a port of its own: real store, directory, keys, tokens, sessions and TLS.
 * Time stands still until `clock.advance`.
 */
export async function openHouse(options: { accessTokenSeconds?: number; idleMinutes?: number } = {}) {
  const directoryPath = await mkdtemp(join(tmpdir(), 'lockstep-house-'));
  const authority = await ensureLocalAuthority(directoryPath, []);
  let pipeline: Pipeline | undefined;
  const listener = await listenTls({
    host: '127.0.0.1',
    port: 0,
    key: authority.key,
    cert: authority.cert,
    pipeline: Object.assign(
      (request: IncomingMessage, response: ServerResponse) => pipeline?.(request, response),
      {
        upgrade: (...args: Parameters<Pipeline['upgrade']>) => pipeline?.upgrade(...args),
        unparsed: (error: Error, socket: Duplex) => pipeline?.unparsed(error, socket),
        stream: (...args: Parameters<Pipeline['stream']>) => pipeline?.stream(...args),
        unframed: (...args: Parameters<Pipeline['unframed']>) => pipeline?.unframed(...args),
      },
    ),
  });
  const publicUrl = `https://localhost:${listener.address.port}`;

  const clock = new ManualClock(Date.now());
  const tenantId = newGuid() as TenantId;
  const store = await openSqliteStore({ path: join(directoryPath, 'store.db'), dangerouslyNotDurable: true });
  const facts: RequestFact[] = [];
  const changes: Change[] = [];
  const ledger = plainCommit(store);
  ledger.follow((committed) => changes.push(...committed.map(({ change }) => change)));
  const record = async (fact: RequestFact) => {
    facts.push(fact);
    return newEventId(clock.now());
  };
  const sealer = createSealer(randomBytes(32));
  const parts = { store, commit: ledger.commit, clock, sealer, tenantId };
  const log = createLog('silent');
  const directory = new Directory(parts);
  const liveness = await Liveness.load(store, clock);
  ledger.follow(liveness.follower);
  const signingKeys = await SigningKeys.open({ ...parts, kind: tokenKeyKind, rotation: defaultRotation });
  const issuerUrl = `${publicUrl}/${tenantId}/v2.0`;
  const tokens = new TokenIssuer({ keys: signingKeys, issuer: issuerUrl, tenantId, clock });
  const verifier = new TokenVerifier({ keys: signingKeys, issuer: issuerUrl, tenantId, clock });
  const keys = await CookieKeys.open({
    ...parts,
    rotationMilliseconds: 30 * 24 * 3_600_000,
    overlapMilliseconds: 12 * 3_600_000,
  });
  const sessions = await Sessions.load({
    ...parts,
    keys,
    absoluteMilliseconds: 12 * 3_600_000,
    idleMilliseconds: (options.idleMinutes ?? 120) * 60_000,
  });
  ledger.follow(sessions.follower);
  const throttle = new SignInThrottle({ db: store.db, clock });
  const oneTimeLinks = new OneTimeLinks({ db: store.db, commit: ledger.commit, clock });
  const resources = standardResources({ publicUrl, storageOrigins: [] });
  const signIn = interactive({
    ...parts,
    record,
    log,
    publicUrl,
    sessions,
    keys,
    signingKeys,
    tokens,
    directory,
    audienceOf: (resource) => (knowsResource(resources, resource) ? resource : null),
    defaultAudience: 'https://graph.microsoft.com',
    accessTokenSeconds: options.accessTokenSeconds ?? 3600,
  });
  const tokenEndpoint = new TokenEndpoint({
    publicUrl,
    tenantId,
    directory,
    liveness,
    issuer: tokens,
    externalIssuers: new ExternalIssuers({ clock }),
    usedAssertions: new UsedAssertions({ commit: ledger.commit, clock }),
    throttle,
    record,
    resources,
    clock,
    applicationSeconds: 3600,
    interactiveToken: async (exchange) => signIn.token(exchange),
  });
  const surfaces = [
    entraSurface({ publicUrl, tenantId, keys: signingKeys, tokenEndpoint, clock, interactive: signIn }),
    accountSurface({
      publicUrl,
      clock,
      record,
      keys,
      sessions,
      throttle,
      oneTimeLinks,
      interactive: signIn,
      directory,
      groupsOf: () => ['ml-research', 'Everyone in the lab'],
      rolesOf: () => [
        {
          roleName: 'AzureML Data Scientist',
          scope:
            '/subscriptions/0f3c/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/lab',
          throughGroup: 'ml-research',
        },
        { roleName: 'Reader', scope: '/', throughGroup: null },
      ],
    }),
  ];
  const liveSessions = new LiveSessions(clock);
  pipeline = createPipeline({
    edge: { hosts: { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' } },
    surfaces,
    recognise: createRecogniser({
      verifyToken: async (token, audiences) => verifier.verify(token, audiences),
      callerFromCookie: (value) => callerFromCookie(value),
    }),
    decide: () => ({ allowed: false, cause: { kind: 'missing-grant' }, decidedFor: null }),
    snapshotVersion: () => 0,
    checkLive: (caller) => liveness.check(caller),
    record,
    sessions: liveSessions,
    tenantId,
    clock,
    log,
  });

  function callerFromCookie(value: string): Caller | null {
    const session = sessions.fromCookie(value);
    const person = session === null ? undefined : liveness.principal(session.principalId);
    if (session === null || person === undefined) return null;
    return {
      tenantId,
      subject: { id: person.id, kind: 'user', name: person.displayName },
      chain: [{ kind: 'user', id: person.id, name: person.displayName }],
      authorities: [person.id],
      credential: {
        kind: 'session-cookie',
        tokenId: session.id,
        sessionId: session.id,
        leaseId: null,
        expiresAt: Math.floor(session.expiresAt / 1000),
      },
    };
  }

  const by = systemAttribution(tenantId, 'test');
  const ada = await directory.createUser(by, {
    displayName: 'Ada Lovelace',
    userPrincipalName: 'ada@lab.example',
    password: adaPassword as Secret,
  });
  const web = await directory.createApplication(by, {
    displayName: 'Notebook Portal',
    sponsorId: ada.id,
    redirectUris: ['http://localhost/callback', 'https://portal.lab.example/signed-in'],
    publicClient: true,
  });

  return {
    publicUrl,
    tenantId,
    issuerUrl,
    clock,
    store,
    facts,
    changes,
    by,
    ledger,
    directory,
    liveness,
    signingKeys,
    verifier,
    keys,
    sessions,
    throttle,
    oneTimeLinks,
    signIn,
    ada,
    adaId: ada.id,
    webAppId: web.signInName ?? '',
    ca: await readFile(authority.caCertificatePath, 'utf8'),
    certificate: authority.cert,
    async close() {
      await listener.close();
      liveSessions.stop();
      await store.close();
      await rm(directoryPath, { recursive: true, force: true });
    },
  };
}
