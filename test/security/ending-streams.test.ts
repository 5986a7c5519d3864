// Rights and sign-ins that end by a detour: the streams that rest on them end with them, within a second.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { initialise } from '../../src/init.ts';
import { newGuid, type SessionId } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../src/main.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { systemAttribution, type PrincipalRecord } from '../../src/store/changes.ts';
import { putRoleAssignment } from '../../src/store/role-assignments.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-ending-'));
const sessionMilliseconds = 4000;
let lockstep: Lockstep;
let agent: Agent;

beforeAll(async () => {
  const defaults = loadConfig({ home, environment: {} });
  const config = {
    ...defaults,
    listen: { host: '127.0.0.1', port: 0 },
    sessions: { ...defaults.sessions, absoluteHours: sessionMilliseconds / 3_600_000 },
    limits: { ...defaults.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  lockstep = await startLockstep(config, log);
  agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
});
afterAll(async () => {
  await agent.destroy();
  await lockstep.drain();
  rmSync(home, { recursive: true, force: true });
});

const by = () => systemAttribution(lockstep.foundation.tenantId, 'tests');

async function auditor(name: string): Promise<PrincipalRecord> {
  const { directory, ledger } = lockstep.foundation;
  const userPrincipalName = `${name.toLowerCase()}@lab.example`;
  const person = await directory.createUser(by(), { displayName: name, userPrincipalName });
  await ledger.commit(by(), (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope: '/',
      roleDefinitionId: roleIds.lockstepAuditor,
      principalId: person.id,
      principalType: 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'tests',
    }),
  );
  return person;
}

/** Follows the events as this person; resolves, once the stream flows, to the moment of its end. */
async function follow(subject: PrincipalRecord, sessionId?: SessionId): Promise<{ ended: Promise<number> }> {
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject,
    audience: 'api://lockstep',
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
    authorities: [subject.id],
    clientId: newGuid(),
    idType: 'user',
    ...(sessionId === undefined ? {} : { sessionId }),
  });
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
