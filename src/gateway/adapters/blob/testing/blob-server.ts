import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { BlobServiceClient } from '@azure/storage-blob';
import type { Caller } from '../../../../identity/caller.ts';
import type { RequestFact } from '../../../../ledger/events.ts';
import { ManualClock } from '../../../../lib/clock.ts';
import { failure, type LockstepError } from '../../../../lib/errors.ts';
import { newEventId, newGuid, type PrincipalId, type TenantId } from '../../../../lib/ids.ts';
import { createLog } from '../../../../lib/log.ts';
import { builtInRoles } from '../../../../policy/built-in-roles.ts';
import { decideForAll } from '../../../../policy/decide.ts';
import { PolicySnapshot } from '../../../../policy/snapshot.ts';
import type { DenyAssignment, RoleAssignment } from '../../../../store/changes.ts';
import { scratchStore, type Scratch } from '../../../../workspace/blobs/testing/scratch-store.ts';
import { listenTls } from '../../../listener.ts';
import { LiveSessions } from '../../../live-sessions.ts';
import { ensureLocalAuthority } from '../../../certificates/local-authority.ts';
import { createPipeline } from '../../../pipeline.ts';
import { createRecogniser } from '../../../recognise.ts';
import type { Surface } from '../../../types.ts';
import { blobSurface } from '../surface.ts';

export const tenantId = 'b6f4a8a2-0d5f-4c6e-9a53-8e0c6a1f2d3b' as TenantId;
export const baseDomain = 'lockstep.test';

const resourceGroup = '/subscriptions/00000000-0000-0000-0000-00000000000a/resourcegroups/lab';
export const accountScopes = {
  alpha: `${resourceGroup}/providers/microsoft.storage/storageaccounts/alpha`,
  beta: `${resourceGroup}/providers/microsoft.storage/storageaccounts/beta`,
} as const;

export interface BlobServer {
  readonly port: number;
  /** `https://localhost:port` */
  readonly origin: string;
  readonly certificate: string;
  readonly scratch: Scratch;
  readonly clock: ManualClock;
  readonly sessions: LiveSessions;
  /** What the pipeline recorded, in order. */
  readonly facts: RequestFact[];
  /** A new person, and a token for them. */
  person(name: string, options?: { audience?: string }): { readonly id: PrincipalId; readonly token: string };
  grant(principal: PrincipalId, roleId: string, scope: string): void;
  revoke(principal: PrincipalId): void;
  forbid(principal: PrincipalId, action: string, scope: string, plane?: 'data' | 'management'): void;
  /** Why the bearer of a token is no longer live. */
  end(token: string, error: LockstepError): void;
  /** The unmodified client, as the bearer of a token; each request is sent once. */
  client(token: string, account?: keyof typeof accountScopes): BlobServiceClient;
  close(): Promise<void>;
}

/** The blob surface in the real pipeline, over TLS, on a real store, under the real policy engine. */
export async function startBlobServer(): Promise<BlobServer> {
  const clock = new ManualClock(Date.now());
  const scratch = await scratchStore(clock);
  const sessions = new LiveSessions(clock);
  const facts: RequestFact[] = [];
  const callers = new Map<string, { readonly caller: Caller; readonly audience: string }>();
  const ended = new Map<string, LockstepError>();
  const people: PrincipalId[] = [];
  let grants: RoleAssignment[] = [];
  const denials: DenyAssignment[] = [];
  let version = 0;
  let snapshot = load();

  function load(): PolicySnapshot {
    version += 1;
    return PolicySnapshot.from({
      principals: people.map((id) => ({
        id,
        kind: 'user',
        displayName: id,
        enabled: true,
        sponsorId: null,
        signInName: null,
      })),
      memberships: [],
      roleDefinitions: builtInRoles,
      roleAssignments: grants,
      denyAssignments: denials,
      version,
    });
  }

  const recognise = createRecogniser({
    verifyToken: async (token, audiences) => {
      const known = callers.get(token);
      if (known === undefined) throw failure('invalid_token', 'The access token is not valid.');
      if (!audiences.includes(known.audience))
        throw failure('invalid_token', 'The token is for another audience.');
      if (known.caller.credential.expiresAt * 1000 <= clock.now()) {
        throw failure('expired_token', 'The access token has expired.');
      }
      return known.caller;
    },
    callerFromCookie: () => null,
  });

  const authority = await ensureLocalAuthority(join(scratch.directory, '..', 'authority'), [
    `*.blob.${baseDomain}`,
  ]);
  const certificate = await readFile(authority.caCertificatePath, 'utf8');
  const previous = getCACertificates('default');
  setDefaultCACertificates([...previous, certificate]);
  // What it says of itself holds the port, which is known once it listens.
  const surface = {} as Surface;
  const listener = await listenTls({
    host: '127.0.0.1',
    port: 0,
    key: authority.key,
    cert: authority.cert,
    sessions,
    pipeline: createPipeline({
      edge: { hosts: { names: ['localhost'], baseDomain } },
      surfaces: [surface],
      recognise,
      decide: (authorities, access) => decideForAll(snapshot, authorities, access),
      snapshotVersion: () => snapshot.version,
      checkLive: (caller) => ended.get(caller.credential.tokenId) ?? null,
      record: async (fact) => {
        facts.push(fact);
        return newEventId(clock.now());
      },
      sessions,
      tenantId,
      clock,
      log: createLog('silent'),
    }),
  });
  const { port } = listener.address;
  const origin = `https://localhost:${port}`;
  Object.assign(
    surface,
    blobSurface({
      accounts: Object.entries(accountScopes).map(([name, scope]) => ({ name, scope })),
      store: scratch.blobs,
      tenantId,
      publicUrl: origin,
      baseDomain,
      clock,
    }),
  );

  return {
    port,
    origin,
    certificate,
    scratch,
    clock,
    sessions,
    facts,
    person(name, options = {}) {
      const id = newGuid() as PrincipalId;
      const token = `token-of-${name}-${id}`;
      people.push(id);
      callers.set(token, {
        audience: options.audience ?? 'https://storage.azure.com',
        caller: {
          tenantId,
          subject: { id, kind: 'user', name },
          chain: [{ kind: 'user', id, name }],
          authorities: [id],
          credential: {
            kind: 'bearer',
            tokenId: token,
            sessionId: null,
            leaseId: null,
            expiresAt: Math.floor(clock.now() / 1000) + 3600,
          },
        },
      });
      snapshot = load();
      return { id, token };
    },
    grant(principalId, roleDefinitionId, scope) {
      grants.push({
        id: newGuid(),
        scope,
        roleDefinitionId,
        principalId,
        principalType: 'User',
        description: '',
        createdOn: new Date(clock.now()).toISOString(),
        createdBy: principalId,
      });
      snapshot = load();
    },
    revoke(principalId) {
      grants = grants.filter((grant) => grant.principalId !== principalId);
      snapshot = load();
    },
    forbid(principalId, action, scope, plane = 'data') {
      const [actions, dataActions] = plane === 'data' ? [[], [action]] : [[action], []];
      denials.push({
        id: newGuid(),
        name: 'no such data',
        description: '',
        scope,
        permissions: [{ actions, notActions: [], dataActions, notDataActions: [] }],
        doNotApplyToChildScopes: false,
        principals: [principalId],
        excludePrincipals: [],
      });
      snapshot = load();
    },
    end: (token, error) => {
      ended.set(token, error);
    },
    client: (token, account = 'alpha') =>
      new BlobServiceClient(
        `${origin}/${account}`,
        { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) },
        { retryOptions: { maxTries: 1 } },
      ),
    close: async () => {
      await listener.close();
      setDefaultCACertificates(previous);
      await scratch.close();
    },
  };
}
