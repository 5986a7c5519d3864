import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { initialise } from '../../init.ts';
import { ocsfProblems } from '../../ledger/testing/ocsf/ocsf-problems.ts';
import { verifyReceipt } from '../../ledger/verify/verify-receipt.ts';
import { newGuid } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import { startLockstep, type Lockstep } from '../../main.ts';
import { roleIds } from '../../policy/built-in-roles.ts';
import { systemAttribution } from '../../store/changes.ts';
import { putRoleAssignment } from '../../store/role-assignments.ts';
import { ownScope } from '../own-actions.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-told-'));
const log = createLog('silent');
const defaults = loadConfig({ home, environment: {} });
const configured = (ocsf: '1.8' | '1.9') => ({
  ...defaults,
  listen: { host: '127.0.0.1', port: 0 },
  limits: { ...defaults.limits, drainSeconds: 1 },
  ledger: { ...defaults.ledger, ocsf },
});
const lineSchema = z.object({ sequence: z.number(), event: z.record(z.string(), z.unknown()) });

let lockstep: Lockstep;

beforeAll(async () => {
  await initialise(configured('1.9'), log);
  lockstep = await startLockstep(configured('1.9'), log);
});
afterAll(async () => {
  await lockstep.drain();
  rmSync(home, { recursive: true, force: true });
});

async function auditorsToken(): Promise<string> {
  const by = systemAttribution(lockstep.foundation.tenantId, 'tests');
  const auditor = await lockstep.foundation.directory.createUser(by, {
    displayName: 'Auditor',
    userPrincipalName: `auditor-${newGuid()}@lab.example`,
  });
  await lockstep.foundation.ledger.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope: ownScope,
      roleDefinitionId: roleIds.lockstepAuditor,
      principalId: auditor.id,
      principalType: 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'tests',
    }),
  );
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject: auditor,
    audience: 'api://lockstep',
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: auditor.id, name: auditor.displayName }],
    authorities: [auditor.id],
    clientId: newGuid(),
    idType: 'user',
  });
  return token;
}

async function read(token: string, path: string): Promise<string> {
  const agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
  try {
    const { statusCode, body } = await request(`${lockstep.url}${path}`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}` },
    });
    expect(statusCode).toBe(200);
    return await body.text();
  } finally {
    await agent.close();
  }
}

async function events(token: string, query = 'after=0&limit=1000') {
  const text = await read(token, `/admin/v1/events?${query}`);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

test('events are answered in OCSF 1.9, and the log stays as it was written', async () => {
  const token = await auditorsToken();
  const { ledger } = lockstep.foundation;
  const lines = await events(token);
  expect(lines.length).toBeGreaterThan(10);
  const stored = await ledger.eventsAfter(0, 1_000);
  for (const [index, { sequence, event }] of lines.entries()) {
    expect(ocsfProblems(event, '1.9.0')).toEqual([]);
    expect(stored[index]?.sequence).toBe(sequence);
    expect(ocsfProblems(stored[index]?.event ?? {}, '1.8.0')).toEqual([]);
  }
  expect(lines.map(({ event }) => event['class_uid'])).toEqual(expect.arrayContaining([3007, 3008]));
  const found = await events(token, 'action=role-definition.put');
  expect(found.length).toBeGreaterThan(3);
  for (const { event } of found) expect(event['class_uid']).toBe(3008);
  const [first] = stored;
  const receipt = await read(token, `/admin/v1/events/${first?.id ?? ''}/receipt`);
  expect(verifyReceipt(receipt, first?.entry ?? new Uint8Array(), ledger.verifierKey)).toMatchObject({
    ok: true,
  });
});

test('switched back, the same events are answered as they were written, and the switch is recorded', async () => {
  await lockstep.drain();
  lockstep = await startLockstep(configured('1.8'), log);
  const lines = await events(await auditorsToken());
  const stored = await lockstep.foundation.ledger.eventsAfter(0, 1_000);
  expect(lines.map(({ event }) => event)).toEqual(stored.slice(0, lines.length).map(({ event }) => event));
  expect(lines.map(({ event }) => event)).toContainEqual(
    expect.objectContaining({
      class_uid: 6002,
      activity_name: 'Update',
      unmapped: {
        lockstep: expect.objectContaining({
          change: expect.objectContaining({ settings: ['ledger.ocsf'] }) as unknown,
        }) as unknown,
      },
    }),
  );
});
