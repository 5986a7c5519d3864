// What is taken away while nobody serves, or in the moment in which the server dies, is taken away at the next start.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCiIssuer, type CiIssuer } from '../../examples/four-day-training-job/processes.ts';
import { openFoundation } from '../../src/composition/foundation.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { PrincipalId } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { Acknowledged } from './kill/acknowledged.ts';
import { Client } from './kill/client.ts';
import { fixedPort, GatewayProcess } from './kill/gateway-process.ts';
import { jobRows, killAllJobs } from './kill/job-processes.ts';
import { submit } from './kill/jobs.ts';
import { SeededRandom } from './kill/random.ts';
import { setStage } from './kill/stage.ts';
import { armResource, WorkloadTokens } from './kill/tokens.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-lost-right-'));
const temporary = mkdtempSync(join(tmpdir(), 'lockstep-lost-right-'));
let gateway: GatewayProcess;
let issuer: CiIssuer;
let client: Client;

beforeAll(async () => {
  mkdirSync(join(temporary, 'runs'));
  issuer = await startCiIssuer();
  const random = new SeededRandom(Date.now());
  const port = await fixedPort(() => random.between(18_000, 30_000));
  gateway = new GatewayProcess(home, port, join(temporary, 'compiled'));
});
afterAll(async () => {
  await gateway.kill();
  issuer.stop();
  await client?.close();
  killAllJobs(home);
  for (const directory of [home, temporary]) rmSync(directory, { recursive: true, force: true });
});

async function untilStatus(name: string, ...wanted: readonly string[]): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const status = jobRows(home).find((job) => job.name === name)?.status ?? 'unknown';
    if (wanted.includes(status)) return;
    if (Date.now() > deadline) throw new Error(`the job ${name} is ${status}, not ${wanted.join(' or ')}`);
    await pause(100);
  }
}

test('a job whose owner lost the right while the gateway was down is stopped at the next start', async () => {
  gateway.spawn('link');
  const at = await gateway.ready();
  const acknowledged = new Acknowledged();
  client = new Client(at.url, readFileSync(at.certificateAuthorityFile, 'utf8'), acknowledged);
  const stage = await setStage(at, client, issuer, temporary);
  const token = await new WorkloadTokens(stage, stage.leaver, acknowledged).exchange(armResource);
  await submit(stage, acknowledged, {
    token,
    name: 'orphan',
    plan: 'loses-its-right',
    runsDirectory: join(temporary, 'runs'),
    dataset: { path: '', sha256: '' },
    seconds: 0,
  });
  await untilStatus('orphan', 'Running');
  await gateway.kill();

  const foundation = await openFoundation(loadConfig({ home, environment: {} }), createLog('silent'));
  const by = systemAttribution(foundation.tenantId, 'test');
  const { group, person } = stage.leaver;
  await foundation.directory.removeMember(by, group as PrincipalId, person as PrincipalId);
  await foundation.close();

  gateway.spawn();
  await gateway.ready();
  await untilStatus('orphan', 'Failed', 'Completed', 'Canceled');
  const [job] = jobRows(home);
  expect(job?.error_json).toContain('JobIdentityEnded');
}, 60_000);
