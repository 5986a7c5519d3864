// The gateway of gateway.bench.ts in a process of its own: every part as in the product, durable store included.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { webSurface } from '../src/gateway/adapters/web/surface.ts';
import { listenTls } from '../src/gateway/listener.ts';
import { LiveSessions } from '../src/gateway/live-sessions.ts';
import { ensureLocalAuthority } from '../src/gateway/certificates/local-authority.ts';
import { createPipeline } from '../src/gateway/pipeline.ts';
import { createRecogniser } from '../src/gateway/recognise.ts';
import { Directory } from '../src/identity/directory/directory.ts';
import { Liveness } from '../src/identity/liveness.ts';
import { TokenIssuer } from '../src/identity/tokens/issue.ts';
import { defaultRotation } from '../src/identity/tokens/rotation.ts';
import { assertionKeyKind } from '../src/identity/tokens/assertion-key-kind.ts';
import { assertionSigner } from '../src/identity/tokens/sign-assertion.ts';
import { SigningKeys } from '../src/identity/tokens/signing-keys.ts';
import { tokenKeyKind } from '../src/identity/tokens/token-key-kind.ts';
import { TokenVerifier } from '../src/identity/tokens/verify.ts';
import { openLedger } from '../src/ledger/open-ledger.ts';
import { createSigner, generateNoteKey } from '../src/ledger/note.ts';
import { systemClock } from '../src/lib/clock.ts';
import { newEventId, newGuid, type TenantId } from '../src/lib/ids.ts';
import { createLog } from '../src/lib/log.ts';
import { decideForAll } from '../src/policy/decide.ts';
import { PolicySnapshot } from '../src/policy/snapshot.ts';
import { systemAttribution } from '../src/store/changes.ts';
import { createSealer } from '../src/store/sealer.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';

export interface GatewayReady {
  readonly port: number;
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
  readonly token: string;
  /** Whose token it is, and how a peer may verify it. */
  readonly issuer: string;
  readonly audience: string;
  readonly jwks: object;
  /** PEM. */
  readonly tokenKey: string;
  readonly tokenKeyId: string;
  /** PEM, around the same key. */
  readonly tokenCertificate: string;
  readonly pid: number;
}

const [upstream = '', audit = 'durable', assertion = 'asserted'] = process.argv.slice(2);
const home = await mkdtemp(join(tmpdir(), 'lockstep-bench-'));
const tenantId = newGuid() as TenantId;
const origin = 'bench.local/log';
const clock = systemClock;
const log = createLog('error');
const store = await openSqliteStore({ path: join(home, 'store.db') });
const ledger = await openLedger({
  store,
  directory: join(home, 'ledger'),
  origin,
  signer: createSigner(generateNoteKey(origin).signingKey),
  clock,
  log,
  productVersion: 'bench',
  inThread: true,
  tenantId,
});
const { commit } = ledger;
const by = systemAttribution(tenantId, 'bench');
const directory = new Directory({ store, commit, clock, tenantId });
const person = await directory.createUser(by, { displayName: 'Ada', userPrincipalName: 'ada@bench' });
const liveness = await Liveness.load(store, clock);
ledger.follow(liveness.follower);
const sealer = createSealer(Buffer.alloc(32, 7));
const signing = { store, commit, clock, sealer, tenantId, rotation: defaultRotation };
const keys = await SigningKeys.open({ ...signing, kind: tokenKeyKind });
const sign = assertionSigner(await SigningKeys.open({ ...signing, kind: assertionKeyKind }));
const audience = 'api://lockstep/connections/bench';
const issuer = `https://localhost/${tenantId}/v2.0`;
const { token } = await new TokenIssuer({ keys, issuer, tenantId, clock }).issue({
  subject: person,
  audience,
  lifetimeSeconds: 3600,
  chain: [{ kind: 'user', id: person.id, name: person.displayName }],
  authorities: [person.id],
  clientId: newGuid(),
  idType: 'user',
});
const verifier = new TokenVerifier({ keys, issuer, tenantId, clock });
const role = {
  id: newGuid(),
  roleName: 'Bench Reader',
  description: '',
  type: 'CustomRole',
  permissions: [{ actions: ['Bench.Upstream/read'], notActions: [], dataActions: [], notDataActions: [] }],
  assignableScopes: ['/'],
} as const;
const snapshot = PolicySnapshot.from({
  principals: [person],
  memberships: [],
  roleDefinitions: [role],
  roleAssignments: [
    {
      id: newGuid(),
      scope: '/connections',
      roleDefinitionId: role.id,
      principalId: person.id,
      principalType: 'User',
      description: '',
      createdOn: new Date().toISOString(),
      createdBy: person.id,
    },
  ],
  denyAssignments: [],
  version: 1,
});
const sessions = new LiveSessions(clock);
const hosts = { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' };
const certificate = await ensureLocalAuthority(join(home, 'tls'), []);
const surface = webSurface(
  {
    name: 'bench',
    upstream,
    scope: '/connections/bench',
    assertion: assertion === 'asserted',
    rules: [
      { methods: ['GET', 'POST'], path: '/*', action: 'Bench.Upstream/read' },
      { methods: ['GET'], path: '/socket', action: 'Bench.Upstream/read', upgrade: 'websocket' },
    ],
  },
  { hosts, issuer, clock, sign, audiences: [audience] },
);
const pipeline = createPipeline({
  edge: { hosts },
  surfaces: [surface],
  recognise: createRecogniser({
    verifyToken: (text, audiences) => verifier.verify(text, audiences),
    callerFromCookie: () => null,
  }),
  decide: (authorities, access) => decideForAll(snapshot, authorities, access),
  snapshotVersion: () => snapshot.version,
  checkLive: (caller) => liveness.check(caller),
  // Without audit: what recognising, deciding, signing and forwarding cost by themselves.
  record: audit === 'none' ? () => Promise.resolve(newEventId(clock.now())) : ledger.record,
  sessions,
  tenantId,
  clock,
  log,
});
const listener = await listenTls({ host: '127.0.0.1', port: 0, ...certificate, pipeline, sessions });
const ready: GatewayReady = {
  port: listener.address.port,
  ca: await readFile(certificate.caCertificatePath, 'utf8'),
  key: certificate.key,
  cert: certificate.cert,
  token,
  issuer,
  audience,
  jwks: keys.publicJwks(),
  tokenKey: keys.current().publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  tokenKeyId: keys.current().kid,
  tokenCertificate: pemOf(keys.current().publicJwk.x5c[0] ?? ''),
  pid: process.pid,
};
process.send?.(ready);
process.once('disconnect', () => {
  void close().then(() => process.exit(0));
});

function pemOf(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`;
}

async function close(): Promise<void> {
  await listener.close();
  await ledger.close();
  await store.close();
  await rm(home, { recursive: true, force: true });
}
