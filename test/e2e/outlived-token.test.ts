// A stream that a job's lease keeps alive goes on when the token that opened it has lapsed, whatever changes elsewhere.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { until } from '../../src/gateway/testing/gateway.ts';
import { EchoUpstream } from '../../src/gateway/testing/upstream.ts';
import { initialise } from '../../src/init.ts';
import { newGuid, type PrincipalId } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../src/main.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { putRoleAssignment } from '../../src/store/role-assignments.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-outlived-'));
const scope = '/subscriptions/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/resourceGroups/lab';
let upstream: EchoUpstream;
let lockstep: Lockstep;
let agent: Agent;

beforeAll(async () => {
  upstream = await EchoUpstream.start();
  upstream.answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  };
  const file = join(home, 'lockstep.json');
  const rules = [{ methods: ['GET'], path: '/*', action: 'Contoso.Feed/events/read' }];
  const connections = { feed: { kind: 'web', upstream: upstream.origin, scope, rules } };
  writeFileSync(file, JSON.stringify({ connections }));
  const loaded = loadConfig({ home, file, environment: {} });
  const config = {
    ...loaded,
    listen: { ...loaded.listen, port: 0 },
    limits: { ...loaded.limits, drainSeconds: 0 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  lockstep = await startLockstep(config, log);
  agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
});
afterAll(async () => {
  await agent.destroy();
  await lockstep.drain();
  await upstream.close();
  rmSync(home, { recursive: true, force: true });
});

test('it ends with the lease, and not with the next change after the token', async () => {
  const { directory, ledger, tenantId } = lockstep.foundation;
  const { leases, tokenIssuer } = lockstep.identity;
  const by = systemAttribution(tenantId, 'test');
  const grant = (principalId: PrincipalId, at: string) =>
    ledger.commit(by, (tx, record) =>
      putRoleAssignment(tx, record, {
        id: newGuid(),
        scope: at,
        roleDefinitionId: roleIds.owner,
        principalId,
        principalType: 'User',
        description: '',
        createdOn: '2027-01-01T00:00:00Z',
        createdBy: 'test',
      }),
    );
  const ada = await directory.createUser(by, { displayName: 'Ada', userPrincipalName: 'ada@lab.example' });
  const jobId = newGuid() as PrincipalId;
  await grant(ada.id, scope);
  await grant(jobId, scope);
  const chain = [
    { kind: 'user' as const, id: ada.id, name: 'Ada' },
    { kind: 'job' as const, id: jobId, name: 'train' },
  ];
  const { lease } = await ledger.commit(by, async (tx, record) => {
    await directory.createJobPrincipal(tx, record, { id: jobId, displayName: 'train', sponsorId: ada.id });
    return leases.open(tx, record, {
      jobId,
      jobScope: `${scope}/jobs/train`,
      ownerId: ada.id,
      submitterId: ada.id,
      chain,
    });
  });
  await leases.start(by, lease.id);
  const { token, expiresAt } = await tokenIssuer.issue({
    subject: ada,
    audience: 'api://lockstep/connections/feed',
    lifetimeSeconds: 2,
    chain,
    authorities: [ada.id, jobId],
    leaseId: lease.id,
    clientId: jobId,
    idType: 'user',
  });
  const ask = () =>
    fetch(`${lockstep.url}/connections/feed/events`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    });
  const response = await ask();
  expect(response.status).toBe(200);
  const ended = response.text().then(
    () => 'ended',
    () => 'ended',
  );
  const within = (milliseconds: number) => Promise.race([ended, pause(milliseconds, 'runs')]);
  await until(() => Date.now() >= expiresAt * 1000);
  expect((await ask()).status).toBe(401);
  await grant(ada.id, `${scope}-next-door`);
  expect(await within(300)).toBe('runs');
  await leases.end(by, lease.id, 'completed');
  expect(await within(1000)).toBe('ended');
}, 30_000);
