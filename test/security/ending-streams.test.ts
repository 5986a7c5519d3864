// Rights and sign-ins that end by a detour: the streams that rest on them end with them, within a second.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  status,
  type ClientDuplexStream,
} from '@grpc/grpc-js';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { until } from '../../src/gateway/testing/gateway.ts';
import { echoService, GrpcUpstream } from '../../src/gateway/testing/grpc-upstream.ts';
import { WebSocketUpstream } from '../../src/gateway/testing/web-socket-upstream.ts';
import { initialise } from '../../src/init.ts';
import { newGuid, type SessionId } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../src/main.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { systemAttribution, type PrincipalRecord } from '../../src/store/changes.ts';
import { deleteRoleAssignment, putRoleAssignment } from '../../src/store/role-assignments.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-ending-'));
const sessionMilliseconds = 4000;
let lockstep: Lockstep;
let agent: Agent;
let upstream: WebSocketUpstream;
let calls: GrpcUpstream;
let ca: string;

beforeAll(async () => {
  upstream = await WebSocketUpstream.start();
  calls = await GrpcUpstream.start();
  const defaults = loadConfig({ home, environment: {} });
  const config = {
    ...defaults,
    listen: { host: '127.0.0.1', port: 0 },
    sessions: { ...defaults.sessions, absoluteHours: sessionMilliseconds / 3_600_000 },
    connections: {
      lab: {
        kind: 'web' as const,
        name: 'lab',
        upstream: upstream.origin,
        scope: '/lab',
        credential: null,
        rules: [
          {
            methods: ['GET' as const],
            path: '/socket',
            action: 'Contoso.Lab/sockets/read',
            dataAction: false,
            upgrade: 'websocket' as const,
          },
        ],
      },
      calls: {
        kind: 'web' as const,
        name: 'calls',
        protocol: 'h2c' as const,
        upstream: `http://127.0.0.1:${calls.port}`,
        scope: '/lab',
        credential: null,
        rules: [
          {
            methods: ['POST' as const],
            path: '/contoso.Echo/Talk',
            action: 'Contoso.Lab/sockets/read',
            dataAction: false,
          },
        ],
      },
    },
    limits: { ...defaults.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  lockstep = await startLockstep(config, log);
  ca = readFileSync(join(home, 'tls', 'authority.pem'), 'utf8');
  agent = new Agent({ connect: { ca } });
});
afterAll(async () => {
  await agent.destroy();
  await lockstep.drain();
  await upstream.close();
  calls.close();
  rmSync(home, { recursive: true, force: true });
});

const by = () => systemAttribution(lockstep.foundation.tenantId, 'tests');

async function auditor(name: string, role: string = roleIds.lockstepAuditor): Promise<PrincipalRecord> {
  const { directory, ledger } = lockstep.foundation;
  const userPrincipalName = `${name.toLowerCase()}@lab.example`;
  const person = await directory.createUser(by(), { displayName: name, userPrincipalName });
  await ledger.commit(by(), (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope: '/',
      roleDefinitionId: role,
      principalId: person.id,
      principalType: 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'tests',
    }),
  );
  return person;
}

async function tokenOf(subject: PrincipalRecord, audience: string, sessionId?: SessionId): Promise<string> {
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject,
    audience,
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
    authorities: [subject.id],
    clientId: newGuid(),
    idType: 'user',
    ...(sessionId === undefined ? {} : { sessionId }),
  });
  return token;
}

/** Follows the events as this person; resolves, once the stream flows, to the moment of its end. */
async function follow(subject: PrincipalRecord, sessionId?: SessionId): Promise<{ ended: Promise<number> }> {
  const token = await tokenOf(subject, 'api://lockstep', sessionId);
  const { statusCode, body } = await request(`${lockstep.url}/admin/v1/events?follow=true`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}` },
  });
  expect(statusCode).toBe(200);
  body.on('error', () => undefined).on('data', () => undefined);
  const ended = new Promise<number>((resolve) => body.once('close', () => resolve(Date.now())));
  await new Promise((resolve) => body.once('data', resolve));
  return { ended };
}

test('whoever joins a group that is denied something loses it at once', async () => {
  const { directory, ledger } = lockstep.foundation;
  const person = await auditor('Joan');
  const suspended = await directory.createGroup(by(), { displayName: 'suspended' });
  await ledger.commit(by(), (_tx, record) => {
    record({
      kind: 'deny-assignment.put',
      assignment: {
        id: newGuid(),
        name: 'suspended people see nothing',
        description: '',
        scope: '/',
        permissions: [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
        doNotApplyToChildScopes: false,
        principals: [suspended.id],
        excludePrincipals: [],
      },
    });
    return Promise.resolve();
  });
  const { ended } = await follow(person);
  const joinedAt = Date.now();
  await directory.addMember(by(), suspended.id, person.id);
  expect((await ended) - joinedAt).toBeLessThan(1000);
});

test('a sign-in whose time is over takes its streams with it', async () => {
  const person = await auditor('Lena');
  const openedAt = Date.now();
  const { session } = await lockstep.identity.sessions.open(by(), {
    principalId: person.id,
    authenticationMethods: ['pwd'],
    sourceAddress: '127.0.0.1',
    userAgent: null,
  });
  const { ended } = await follow(person, session.id);
  const lasted = (await ended) - openedAt;
  expect(lasted).toBeGreaterThanOrEqual(sessionMilliseconds);
  expect(lasted).toBeLessThan(sessionMilliseconds + 1000);
});

/** Opens a WebSocket as this person; resolves, once it is open, to how and when it will have been closed. */
async function socket(subject: PrincipalRecord, sessionId?: SessionId) {
  const webSocket = new WebSocket(`${lockstep.url.replace('https', 'wss')}/connections/lab/socket`, {
    ca,
    headers: {
      authorization: `Bearer ${await tokenOf(subject, 'api://lockstep/connections/lab', sessionId)}`,
    },
  });
  const before = upstream.opened.length;
  const closed = new Promise<{ code: number; reason: string; at: number }>((resolve) => {
    webSocket.once('close', (code, reason) => resolve({ code, reason: reason.toString(), at: Date.now() }));
  });
  await new Promise((resolve, reject) => {
    webSocket.once('open', () => resolve(undefined)).once('error', reject);
  });
  await until(() => upstream.opened.length > before);
  const end = upstream.opened.at(-1);
  if (end === undefined) throw new Error('the upstream saw no WebSocket');
  return { closed, upstreamEnd: end };
}

/** Begins a call of gRPC as this person; resolves, once it flows, to how and when it will have ended. */
async function talk(subject: PrincipalRecord, sessionId?: SessionId) {
  const Echo = makeGenericClientConstructor(echoService, 'Echo');
  const client = new Echo(
    new URL(lockstep.url).host.replace('localhost', '127.0.0.1'),
    credentials.createSsl(Buffer.from(ca)),
    {
      'grpc.ssl_target_name_override': 'calls.localhost',
      'grpc.default_authority': 'calls.localhost',
    },
  ) as unknown as {
    Talk(metadata: Metadata): ClientDuplexStream<Buffer, Buffer>;
    close(): void;
  };
  const metadata = new Metadata();
  metadata.set(
    'authorization',
    `Bearer ${await tokenOf(subject, 'api://lockstep/connections/calls', sessionId)}`,
  );
  const stream = client.Talk(metadata);
  const ended = new Promise<{ code: status; details: string; at: number }>((resolve) => {
    stream
      .on('error', () => undefined)
      .once('status', ({ code, details }) => {
        client.close();
        resolve({ code, details, at: Date.now() });
      });
  });
  stream.write(Buffer.from('hello'));
  await new Promise((resolve) => {
    stream.once('data', resolve).once('end', resolve);
  });
  return { ended };
}

let cutCalls = 0;
const missing = 'policy-changed: missing grant, Contoso.Lab/sockets/read';

describe('a WebSocket is closed at both ends, and a call of gRPC ended, with the reason, when', () => {
  it.each<[string, string, (person: PrincipalRecord, sessionId: SessionId) => Promise<unknown>]>([
    [
      'the role assignment ends',
      missing,
      async (person) => {
        const { ledger } = lockstep.foundation;
        const [role] = [...lockstep.snapshot.roleAssignments()].filter(
          (one) => one.principalId === person.id,
        );
        await ledger.commit(by(), async (tx, record) => {
          if (role !== undefined) await deleteRoleAssignment(tx, record, role);
        });
      },
    ],
    [
      'a deny assignment forbids it',
      'policy-changed: deny assignment no sockets at night',
      (person) =>
        lockstep.foundation.ledger.commit(by(), (_tx, record) => {
          record({
            kind: 'deny-assignment.put',
            assignment: {
              id: newGuid(),
              name: 'no sockets at night',
              description: '',
              scope: '/lab',
              permissions: [{ actions: ['*'], notActions: [], dataActions: [], notDataActions: [] }],
              doNotApplyToChildScopes: false,
              principals: [person.id],
              excludePrincipals: [],
            },
          });
          return Promise.resolve();
        }),
    ],
    [
      'the person is disabled',
      'identity-ended',
      (person) => lockstep.foundation.directory.setEnabled(by(), person.id, false),
    ],
    [
      'the person signs out',
      'identity-ended',
      (_person, sessionId) => lockstep.identity.sessions.close(by(), sessionId, 'signed-out'),
    ],
  ])('%s', async (what, reason, end) => {
    const person = await auditor(`Sam-${what.replaceAll(' ', '-')}`, roleIds.reader);
    const { session } = await lockstep.identity.sessions.open(by(), {
      principalId: person.id,
      authenticationMethods: ['pwd'],
      sourceAddress: '127.0.0.1',
      userAgent: null,
    });
    const { closed, upstreamEnd } = await socket(person, session.id);
    const { ended } = await talk(person, session.id);
    const before = Date.now();
    await end(person, session.id);
    const { at, ...said } = await closed;
    expect(at - before).toBeLessThan(1000);
    expect(said).toEqual({ code: 1008, reason });
    await until(() => upstreamEnd.closed !== null);
    expect(upstreamEnd.closed).toEqual(said);
    const told = await ended;
    expect(told.at - before).toBeLessThan(1000);
    expect(told.code).toBe(reason === 'identity-ended' ? status.UNAUTHENTICATED : status.PERMISSION_DENIED);
    cutCalls++;
    await until(() => calls.canceled === cutCalls);
    const refused = await talk(person, session.id);
    expect((await refused.ended).code).toBe(told.code);
    await expect(socket(person, session.id)).rejects.toThrow(/40[13]/);
  });
});
