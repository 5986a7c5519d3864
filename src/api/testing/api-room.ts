import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { LiveSessions } from '../../gateway/live-sessions.ts';
import { createPipeline } from '../../gateway/pipeline.ts';
import { createRecogniser } from '../../gateway/recognise.ts';
import type { Surface } from '../../gateway/types.ts';
import { by, openIdentityRoom, tenantId, type IdentityRoom } from '../../identity/testing/identity-room.ts';
import type { RequestFact } from '../../ledger/events.ts';
import { newEventId, newGuid, type PrincipalId, type SessionId } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import { builtInRoles, roleIds } from '../../policy/built-in-roles.ts';
import { decideForAll } from '../../policy/decide.ts';
import { PolicySnapshot } from '../../policy/snapshot.ts';
import { loadPolicyRows } from '../../store/policy-rows.ts';
import type { ActorRef, PrincipalRecord } from '../../store/changes.ts';
import { deleteRoleAssignment, putRoleAssignment } from '../../store/role-assignments.ts';
import { ensureRoleDefinitions, putRoleDefinition } from '../../store/role-definitions.ts';

export { by, roleIds, tenantId };

export interface ApiRoom {
  readonly identity: IdentityRoom;
  readonly snapshot: PolicySnapshot;
  readonly live: LiveSessions;
  /** Whatever the pipeline recorded. */
  readonly facts: RequestFact[];
  assign(principal: PrincipalId, role: string, scope: string): Promise<string>;
  unassign(id: string): Promise<void>;
  /** A role of these actions alone; answers its id. */
  role(actions: readonly string[]): Promise<string>;
  tokenFor(principal: PrincipalRecord, options?: TokenOptions): Promise<string>;
  call(method: string, path: string, options?: CallOptions): Promise<CallResult>;
  close(): Promise<void>;
}

export interface TokenOptions {
  readonly audience?: string;
  readonly chain?: readonly ActorRef[];
  readonly authorities?: readonly PrincipalId[];
  readonly sessionId?: SessionId;
}

export interface CallOptions {
  readonly token?: string;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallResult {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

const anything = z.record(z.string(), z.unknown());

/** A JSON body of an answer, to be looked into; empty when there is none. */
export type Json = z.infer<typeof anything>;

/** The parts that surfaces of ours stand on, behind the real pipeline on a port of its own. */
export async function openApiRoom(
  surfacesOf: (
    room: Pick<ApiRoom, 'identity' | 'snapshot' | 'live' | 'facts'>,
  ) => Promise<readonly Surface[]>,
): Promise<ApiRoom> {
  const identity = await openIdentityRoom();
  const { store, feed, clock } = identity;
  await ensureRoleDefinitions(store, feed.commit, by, builtInRoles, clock.now());
  const snapshot = PolicySnapshot.from({ ...(await loadPolicyRows(store.db)), version: feed.changes.length });
  feed.follow((committed) => {
    for (const change of committed) snapshot.apply(change);
  });
  const live = new LiveSessions(clock);
  const facts: RequestFact[] = [];
  const room = { identity, snapshot, live, facts };
  const pipeline = createPipeline({
    edge: { hosts: { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' } },
    surfaces: await surfacesOf(room),
    recognise: createRecogniser({
      verifyToken: (token, audiences) => identity.verifier.verify(token, audiences),
      callerFromCookie: () => null,
    }),
    decide: (authorities, access) => decideForAll(snapshot, authorities, access),
    snapshotVersion: () => snapshot.version,
    checkLive: (caller) => identity.liveness.check(caller),
    record: async (fact) => {
      facts.push(fact);
      // A disk takes its time; what fails meanwhile must not be lost.
      await nextTurn();
      return newEventId(clock.now());
    },
    sessions: live,
    tenantId,
    clock,
    log: createLog('silent'),
  });
  const server = createServer(pipeline);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    ...room,
    async assign(principal, role, scope) {
      const id = newGuid();
      const principalType = snapshot.principal(principal)?.kind === 'group' ? 'Group' : 'User';
      await feed.commit(by, (tx, record) =>
        putRoleAssignment(tx, record, {
          id,
          scope,
          roleDefinitionId: role,
          principalId: principal,
          principalType,
          description: '',
          createdOn: new Date(clock.now()).toISOString(),
          createdBy: 'tests',
        }),
      );
      return id;
    },
    async unassign(id) {
      const assignment = snapshot.roleAssignment(id);
      if (assignment === undefined) throw new Error(`there is no assignment ${id}`);
      await feed.commit(by, (tx, record) => deleteRoleAssignment(tx, record, assignment));
    },
    async role(actions) {
      const id = newGuid();
      await feed.commit(by, (tx, record) =>
        putRoleDefinition(
          tx,
          record,
          {
            id,
            roleName: actions.join(', '),
            description: '',
            type: 'CustomRole',
            permissions: [{ actions, notActions: [], dataActions: [], notDataActions: [] }],
            assignableScopes: ['/'],
          },
          clock.now(),
        ),
      );
      return id;
    },
    async tokenFor(principal, options = {}) {
      const issued = await identity.tokens.issue({
        subject: principal,
        audience: options.audience ?? 'api://lockstep',
        lifetimeSeconds: 600,
        chain: options.chain ?? [{ kind: principal.kind, id: principal.id, name: principal.displayName }],
        authorities: options.authorities ?? [principal.id],
        clientId: newGuid(),
        idType: principal.kind === 'user' ? 'user' : 'app',
        ...(options.sessionId === undefined ? {} : { sessionId: options.sessionId }),
      });
      return issued.token;
    },
    async call(method, path, { token, json, headers } = {}) {
      const answer = await fetch(`${origin}${path}`, {
        method,
        redirect: 'manual',
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
      const text = await answer.text();
      const isJson = (answer.headers.get('content-type') ?? '').startsWith('application/json');
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        json: isJson && text !== '' ? anything.parse(JSON.parse(text)) : {},
      };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      live.stop();
      await identity.close();
    },
  };
}
