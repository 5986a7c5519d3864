// The story's actors at work while the gateway is killed again and again. LOCKSTEP_KILLS sets how often (15;
// 50 in `npm run test:interop -- kills`), and LOCKSTEP_KILL_SEED plays the moments of an earlier run again.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { startCiIssuer, type CiIssuer } from '../../examples/four-day-training-job/processes.ts';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import { verifyConsistency } from '../../src/ledger/verify/verify-consistency.ts';
import { verifyLog } from '../../src/ledger/verify/verify-log.ts';
import { parseCheckpoint } from '../../src/ledger/tlog/checkpoint.ts';
import { readStatus } from '../../src/workspace/runners/local/job-directory.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { loadPolicyRows } from '../../src/store/policy-rows.ts';
import { Acknowledged } from './kill/acknowledged.ts';
import { Actor, untilAnswered } from './kill/actor.ts';
import { CiActor } from './kill/ci-actor.ts';
import { Client } from './kill/client.ts';
import { absent, Feed, requestOf } from './kill/feed.ts';
import { fixedPort, GatewayProcess } from './kill/gateway-process.ts';
import { judge } from './kill/job-ends.ts';
import { hasShim, jobRows, killAllJobs, killShim, processesByJob, terminal } from './kill/job-processes.ts';
import { LeaverActor } from './kill/leaver-actor.ts';
import { MembershipActor } from './kill/membership-actor.ts';
import { changeOf, contentOf, entriesOf, replayed, stored } from './kill/published-log.ts';
import { SeededRandom } from './kill/random.ts';
import { ReaderActor } from './kill/reader-actor.ts';
import { setStage, type Stage } from './kill/stage.ts';
import { storageResource, WorkloadTokens } from './kill/tokens.ts';

const kills = Number(process.env['LOCKSTEP_KILLS'] ?? 15);
const random = new SeededRandom(Number(process.env['LOCKSTEP_KILL_SEED'] ?? Date.now() % 1_000_000));
/** How many of the kills fall into the making of the state. */
const killsBeforeReady = Math.min(4, Math.floor(kills / 10));
const settleMilliseconds = 20_000;
/** From the start of the process, without what others have had its processor for: all other tests may be running. */
const readyMilliseconds = { usually: 5_000, always: 15_000 };

const home = mkdtempSync(join(tmpdir(), 'lockstep-killed-'));
const temporary = mkdtempSync(join(tmpdir(), 'lockstep-killers-'));
const runsDirectory = join(temporary, 'runs');
const acknowledged = new Acknowledged();
const feed = new Feed(home);
const readyTimes: number[] = [];
const killTimes: number[] = [];
const abandoned = new Set<string>();
let gateway: GatewayProcess;
let issuer: CiIssuer;
let client: Client;

beforeAll(async () => {
  mkdirSync(runsDirectory);
  issuer = await startCiIssuer();
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

describe('a gateway that is killed', () => {
  it(
    'forgets nothing that it has acknowledged, and no job',
    { timeout: 90_000 + kills * 8_000 },
    async () => {
      process.stdout.write(`killing the gateway ${kills} times, seed ${random.seed}\n`);
      onTestFailed(() => void process.stdout.write(`${gateway.complaints.slice(-8).join('\n')}\n`));
      for (let i = 0; i < killsBeforeReady; i++) {
        gateway.spawn();
        await pause(random.between(0, 1_200));
        await gateway.kill();
      }
      gateway.spawn('link');
      const at = await gateway.ready();
      client = new Client(at.url, readFileSync(at.certificateAuthorityFile, 'utf8'), acknowledged);
      const stage = await setStage(at, client, issuer, temporary);

      let left = (): void => undefined;
      const ci = new CiActor(stage, acknowledged, random, runsDirectory);
      const leaver = new LeaverActor(stage, acknowledged, runsDirectory, () => left());
      const submitters = [new Actor(ci.jobTurn, 300), new Actor(leaver.turn, 50)];
      const others = [
        new Actor(ci.turn, 10),
        new Actor(new MembershipActor(stage, acknowledged, random).turn, 10),
        new Actor(new ReaderActor(stage, acknowledged).turn, 120),
      ];
      const actors = [...submitters, ...others];
      for (const actor of actors) actor.start();
      const failed = Promise.race(actors.map((actor) => actor.running));
      failed.catch(() => undefined);

      for (let kill = killsBeforeReady; kill < kills; kill++) {
        const gone = new Promise<void>((resolve) => {
          left = resolve;
        });
        await Promise.race([pause(random.between(20, 1_500)), gone, failed]);
        await killAndRestart(kill);
      }

      for (const submitter of submitters) await submitter.stop();
      await settled();
      for (const other of others) await other.stop();
      expect(unlikePlanned()).toEqual([]);
      // Only a kill between a job's start and the handing over of its orders may lose it: a matter of milliseconds.
      expect(lostJobs().filter((name) => !abandoned.has(name)).length).toBeLessThanOrEqual(1 + kills / 10);
      expect(await unlikeUploaded(stage)).toEqual([]);
      if (kills >= 10) expect(survivors()).toBeGreaterThan(0);
      expect(await gateway.drain()).toBe(0);
      expect(acknowledged.surprises).toEqual([]);
      expect(feed.missing(acknowledged)).toEqual([]);
      const entries = await theLogIsOne(at.verifierKey);
      await theLogTellsThePolicy(entries);
      expect(readyTimes.filter((time) => time > readyMilliseconds.always)).toEqual([]);
      expect(percentile(readyTimes, 0.5)).toBeLessThan(readyMilliseconds.usually);
      process.stdout.write(`${summary(entries.length)}\n`);
    },
  );
});

async function killAndRestart(kill: number): Promise<void> {
  await gateway.kill();
  killTimes.push(Date.now());
  acknowledged.checkpoint(readFileSync(join(home, 'ledger', 'checkpoint'), 'utf8'));
  if (kill % 12 === 7) await abandonOneJob();
  if (random.chance(0.15)) {
    // Another process that does not live to serve.
    gateway.spawn();
    await pause(random.between(0, 900));
    await gateway.kill();
  }
  const began = performance.now();
  gateway.spawn();
  const { heldUpMilliseconds } = await gateway.ready();
  readyTimes.push(Math.round(performance.now() - began - heldUpMilliseconds));
  expect(feed.missing(acknowledged), `after kill ${kill + 1}, seed ${random.seed}`).toEqual([]);
}

/**
 * While the gateway is gone, the process beside a job is killed too: that job has to be reported lost. One whose end was
 * already written down, by a process that only waited for the gateway to tell it, has ended as it did.
 */
async function abandonOneJob(): Promise<void> {
  const candidate = jobRows(home).find(
    (job) => job.status === 'Running' && job.name.startsWith('renews') && hasShim(job),
  );
  if (candidate === undefined || !killShim(candidate)) return;
  while (hasShim(candidate)) await pause(5);
  if (readStatus(candidate.directory) === null) abandoned.add(candidate.name);
}

/** Until every job has ended and none of its processes is left, or the time is over. */
async function settled(): Promise<void> {
  const deadline = Date.now() + settleMilliseconds;
  const restless = () =>
    jobRows(home).some((job) => !terminal.includes(job.status) || hasShim(job)) ||
    processesByJob(home).size > 0;
  while (restless() && Date.now() < deadline) await pause(200);
}

/** Jobs that did not end as they had to, and what is left of those that ended. */
function unlikePlanned(): string[] {
  const rows = new Map(jobRows(home).map((row) => [row.name, row]));
  const problems: string[] = [];
  for (const job of acknowledged.jobs.values()) {
    const end = judge(job, rows.get(job.name), runsDirectory);
    if (end.kind === 'wrong') problems.push(`${job.name}: ${end.why}`);
    if (abandoned.has(job.name) && end.kind !== 'lost') problems.push(`${job.name} should have been lost`);
  }
  for (const [job, processes] of processesByJob(home)) {
    problems.push(
      `left behind by ${job}: ${processes.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`,
    );
  }
  return problems;
}

/** Jobs that ran to their end across a kill, and those across more than one. */
function survivors(moreThan = 0): number {
  return jobRows(home).filter(
    ({ status, started_at: from, ended_at: to }) =>
      status === 'Completed' &&
      killTimes.filter((time) => time > (from ?? 0) && time < (to ?? 0)).length > moreThan,
  ).length;
}

function lostJobs(): string[] {
  const lost = jobRows(home).filter(({ error_json: error }) => error?.includes('"JobLost"'));
  return lost.map(({ name }) => name);
}

/** Blobs that are not, byte for byte, what was acknowledged. */
async function unlikeUploaded(stage: Stage): Promise<string[]> {
  const token = await new WorkloadTokens(stage, stage.ci, acknowledged).exchange(storageResource);
  const read = async (container: string, name: string) => {
    const path = `/${stage.storageAccount}/${container}/${name}`;
    return untilAnswered(() =>
      client.send('GET', path, { token, headers: { 'x-ms-version': '2025-11-05' } }),
    );
  };
  const problems: string[] = [];
  for (const [name, sha256] of acknowledged.blobs) {
    const answer = await read('azureml-blobstore', name);
    if (createHash('sha256').update(answer.bytes).digest('hex') !== sha256)
      problems.push(`${name}: ${answer.status}`);
  }
  const rolling = Number(
    (await read('azureml-blobstore', 'kill/rolling.txt')).text().replace('version ', ''),
  );
  const { acknowledged: newest, attempted } = acknowledged.rolling;
  if (!(rolling >= newest && rolling <= attempted))
    problems.push(`version ${rolling}, not ${newest} to ${attempted}`);
  const completed = new Set(
    jobRows(home)
      .filter(({ status }) => status === 'Completed')
      .map(({ name }) => name),
  );
  for (const { name, plan } of acknowledged.jobs.values()) {
    if (plan !== 'renews' || !completed.has(name)) continue;
    const result = await read('azureml', `ExperimentRun/dcid.${name}/result/result.txt`);
    if (result.text() !== `result of ${name}`) problems.push(`${name}: ${result.status} ${result.text()}`);
  }
  return problems;
}

/** The published log alone, with its key: whole, grown only, and holding everything that was acknowledged. */
async function theLogIsOne(verifierKey: string): Promise<string[]> {
  const source = directorySource(join(home, 'ledger'));
  const verdict = await verifyLog(source, verifierKey);
  if (!verdict.ok) throw new Error(verdict.reason);
  for (const note of acknowledged.checkpoints) {
    expect(await verifyConsistency(source, note, verifierKey)).toMatchObject({ ok: true });
  }
  const sizes = acknowledged.checkpoints.map(
    (note) => parseCheckpoint(`${note.split('\n\n')[0]}\n`)?.size ?? -1,
  );
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  const entries = await entriesOf(source, verdict.size);
  const requests = new Set(entries.map(requestOf).filter((id) => id !== null));
  expect(absent(acknowledged.requests, requests)).toEqual([]);
  const text = entries.join('\n');
  const named = new Set(text.match(/(?:dec|evt)_[0-9a-z]{26}/g));
  expect(
    [...acknowledged.decisions.keys(), ...acknowledged.events.keys()].filter((id) => !named.has(id)),
  ).toEqual([]);
  return entries;
}

async function theLogTellsThePolicy(entries: readonly string[]): Promise<void> {
  const store = await openSqliteStore({ path: join(home, 'lockstep.sqlite') });
  const rows = await loadPolicyRows(store.db);
  await store.close();
  const changes = entries.map(changeOf).filter((change) => change !== null);
  expect(contentOf(replayed(changes), rows)).toEqual(contentOf(stored(rows), rows));
}

function summary(entries: number): string {
  const rows = jobRows(home);
  const by = (status: string) => rows.filter((row) => row.status === status).length;
  const lost = lostJobs().length;
  const times = `ready after ${percentile(readyTimes, 0.5)} ms (median), ${Math.max(...readyTimes)} ms (slowest)`;
  return (
    `${kills} kills, ${times}; ${acknowledged.requests.size} acknowledged requests, ${acknowledged.events.size} event ids ` +
    `and ${acknowledged.decisions.size} decisions found among ${entries} entries, ${acknowledged.checkpoints.length} ` +
    `checkpoints consistent; ${acknowledged.jobs.size} jobs: ${by('Completed')} completed, ${by('Failed') - lost} failed ` +
    `and ${by('Canceled')} canceled as planned, ${survivors()} survived a kill and ${survivors(1)} several, ${lost} lost (${abandoned.size} by our hand), none forgotten`
  );
}

function percentile(of: readonly number[], fraction: number): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * fraction)] ?? 0;
}
