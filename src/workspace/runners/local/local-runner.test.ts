import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeaseId, PrincipalId, Secret, TenantId } from '../../../lib/ids.ts';
import { newSecret } from '../../../lib/ids.ts';
import { openLeaseEndpoint, type LeaseEndpoint } from '../../testing/lease-endpoint.ts';
import { until } from '../../testing/until.ts';
import type { Observation, RunHandle, RunnableJob } from '../runner.ts';
import { readProcess, readStatus } from './job-directory.ts';
import { LocalRunner, logFileOf } from './local-runner.ts';
import { processStart } from './process-identity.ts';

const leaseId = 'lea_00000000000000000000000000' as LeaseId;
const clientId = '5a5a5a5a-0000-4000-8000-000000000001' as PrincipalId;
const nodeModules = join(import.meta.dirname, '../../../../node_modules');

let home: string;
let gateway: LeaseEndpoint;
let runner: LocalRunner;
let handles: RunHandle[];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-runner-'));
  gateway = await openLeaseEndpoint(join(home, 'tls'), leaseId, newSecret());
  handles = [];
  runner = runnerAt(home);
});

afterEach(async () => {
  for (const handle of handles) await runner.kill(handle);
  await gateway.close();
  rmSync(home, { recursive: true, force: true });
});

function runnerAt(directory: string): LocalRunner {
  return new LocalRunner({
    directory: join(directory, 'jobs'),
    environments: {
      host: {
        path: [dirname(process.execPath), '/usr/bin', '/bin'],
        nodeModules,
        variables: { SITE: 'lab' },
      },
    },
    cancelGraceMilliseconds: 400,
    gateway: { url: gateway.url, certificateAuthorityFile: gateway.authorityFile },
    holdMilliseconds: 3_000,
  });
}

function jobOf(command: string, more: Partial<RunnableJob> = {}): RunnableJob {
  return {
    name: 'Train-1',
    principalId: clientId,
    tenantId: '11111111-2222-4333-8444-555555555555' as TenantId,
    workspace: { subscriptionId: 's', resourceGroup: 'ml', name: 'lab' },
    workspaceGuid: 'guid',
    experimentName: 'tests',
    leaseId,
    image: 'host',
    environmentVariables: {},
    instanceCount: 1,
    command,
    variables: {},
    downloads: [],
    outputUrl: `${gateway.url}/store/azureml/ExperimentRun/dcid.Train-1`,
    timeoutMilliseconds: null,
    tokenSeconds: null,
    ...more,
  };
}

async function start(command: string, more: Partial<RunnableJob> = {}): Promise<RunHandle> {
  let accepted: RunHandle | null = null;
  await runner.start(jobOf(command, more), async (handle) => {
    accepted = handle;
    handles.push(handle);
    return gateway.secret as Secret;
  });
  if (accepted === null) throw new Error('the job was not accepted');
  return accepted;
}

async function ended(handle: RunHandle): Promise<Extract<Observation, { kind: 'ended' }>['result']> {
  return until(async () => {
    const observation = await runner.observe(handle);
    if (observation.kind === 'lost') throw new Error(observation.detail);
    return observation.kind === 'ended' && observation.result;
  }, 'the job to end');
}

const running = (handle: RunHandle) =>
  until(async () => (await runner.observe(handle)).kind === 'running', 'the job to run');
const log = (handle: RunHandle) => readFileSync(logFileOf(handle.directory), 'utf8');
const alive = (pid: number) => processStart(pid) !== null;

/** The pids that a job has printed, one a line. */
async function printedPids(handle: RunHandle, count: number): Promise<number[]> {
  return until(() => {
    const pids = [...log(handle).matchAll(/^pid (\d+)$/gm)].map((match) => Number(match[1]));
    return pids.length >= count && pids;
  }, `${count} pids in the log`);
}

describe('a local job', () => {
  it('runs its command in its code directory and reports exit code, times and log', async () => {
    const before = Date.now();
    const handle = await start('pwd; echo to-stderr >&2; exit 7');
    const result = await ended(handle);
    expect(result).toMatchObject({ ending: 'exited', exitCode: 7, signal: null, message: null });
    expect(result.startedAt).toBeGreaterThanOrEqual(before);
    expect(result.endedAt).toBeGreaterThanOrEqual(result.startedAt ?? Infinity);
    expect(log(handle)).toBe(`${join(handle.directory, 'code')}\nto-stderr\n`);
    expect(statSync(handle.directory).mode & 0o777).toBe(0o700);
    await until(() => gateway.exits.length > 0, 'the gateway to be told');
    expect(gateway.exits).toEqual([result]);
  });

  it('reports the signal that ended its command', async () => {
    const handle = await start('kill -9 $$');
    expect(await ended(handle)).toMatchObject({ ending: 'exited', exitCode: null, signal: 'SIGKILL' });
  });

  it('sees no variable but those declared, its toolchain and its identity', async () => {
    process.env['CANARY_OF_THE_GATEWAY'] = 'leaked';
    const handle = await start('env', {
      environmentVariables: { EPOCHS: '3' },
      variables: { AZURE_ML_INPUT_x: 'a b' },
    });
    await ended(handle);
    delete process.env['CANARY_OF_THE_GATEWAY'];
    const names = log(handle)
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(log(handle)).toContain('EPOCHS=3\n');
    expect(log(handle)).toContain('AZURE_ML_INPUT_x=a b\n');
    expect(log(handle)).toContain('SITE=lab\n');
    expect(log(handle)).not.toContain('leaked');
    expect(log(handle)).not.toContain(gateway.secret);
    const known =
      /^(EPOCHS|SITE|PATH|HOME|LANG|TMPDIR|PWD|OLDPWD|SHLVL|_|no_proxy|NO_PROXY|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|SSL_CERT_FILE|AZURE_TOKEN_CREDENTIALS|DEFAULT_IDENTITY_CLIENT_ID|(IDENTITY|MSI|AZUREML|AZURE_ML|LOCKSTEP)_\w+)$/;
    expect(names.filter((name) => !known.test(name ?? ''))).toEqual([]);
  });

  it.each([
    'LD_PRELOAD',
    'NODE_OPTIONS',
    'IDENTITY_ENDPOINT',
    'AZURE_CLIENT_SECRET',
    'PATH',
    'BASH_ENV',
    'msi_secret',
    'A B',
  ])('refuses a job that sets %s', (name) => {
    expect(() => {
      runner.check({ image: 'host', environmentVariables: { [name]: '/tmp/x.so' }, instanceCount: 1 });
    }).toThrow(`'${name}'`);
  });

  it('refuses an image without a toolchain and names those that there are', () => {
    expect(() => {
      runner.check({ image: 'ubuntu', environmentVariables: {}, instanceCount: 1 });
    }).toThrow("no toolchain for the image 'ubuntu': it has host");
  });

  it('keeps the lease secret out of environment, arguments and files', async () => {
    const handle = await start('echo started; sleep 30');
    await running(handle);
    const pid = handle.pid ?? 0;
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(gateway.secret);
    expect(() =>
      execFileSync('grep', ['-r', gateway.secret, handle.directory, '--exclude-dir=node_modules']),
    ).toThrow('Command failed');
  });

  it('brings code and inputs with its own token before the command starts', async () => {
    gateway.blobs.set('/store/c/code/train.mjs', 'console.log("trained")');
    gateway.blobs.set('/store/c/data/a%20b.csv', '1,2');
    const handle = await start('node train.mjs && cat ../inputs/table/a\\ b.csv', {
      downloads: [
        { url: `${gateway.url}/store/c/code/train.mjs`, path: 'code/train.mjs' },
        { url: `${gateway.url}/store/c/data/a%20b.csv`, path: 'inputs/table/a b.csv' },
      ],
    });
    expect(await ended(handle)).toMatchObject({ exitCode: 0 });
    expect(log(handle)).toBe('trained\n1,2');
    expect(gateway.read).toEqual(['/store/c/code/train.mjs', '/store/c/data/a%20b.csv']);
  });

  it('does not start when its identity may not read an input, and says what refused', async () => {
    const url = `${gateway.url}/store/c/secret.csv`;
    const handle = await start('echo ran', { downloads: [{ url, path: 'inputs/x/secret.csv' }] });
    const result = await ended(handle);
    expect(result).toMatchObject({ ending: 'not-started', exitCode: null });
    expect(result.message).toContain(`${url} cannot be read`);
    expect(result.message).toContain('403');
    expect(log(handle)).toBe('');
  });

  it('does not let a download leave its directory', async () => {
    gateway.blobs.set('/store/c/x', 'boo');
    const handle = await start('echo ran', {
      downloads: [{ url: `${gateway.url}/store/c/x`, path: 'code/../../../escaped' }],
    });
    expect(await ended(handle)).toMatchObject({ ending: 'not-started' });
    expect(existsSync(join(home, 'escaped'))).toBe(false);
  });

  it('is stopped with every descendant when canceled, those that ignore SIGTERM too', async () => {
    const handle = await start(
      `trap '' TERM; echo "pid $$"; (trap '' TERM; sh -c 'echo "pid $$"; sleep 60') & sleep 60`,
    );
    const pids = await printedPids(handle, 2);
    await runner.cancel(handle);
    const result = await ended(handle);
    expect(result).toMatchObject({ ending: 'canceled', signal: 'SIGKILL' });
    expect((result.endedAt - (result.startedAt ?? 0)) / 1000).toBeLessThan(10);
    await until(() => !pids.some(alive), 'every process to be gone');
  });

  it('leaves no process behind when its first process ends', async () => {
    const handle = await start(
      `sh -c 'echo "pid $$"; exec sleep 60' & while ! grep -q pid "$HOME/user_logs/std_log.txt"; do sleep 0.05; done; exit 0`,
    );
    const pids = await printedPids(handle, 1);
    // Nobody looks after the job from outside here: the process beside it does this alone.
    const status = await until(() => readStatus(handle.directory), 'the status to be written');
    expect(status).toMatchObject({ exitCode: 0 });
    await until(() => !pids.some(alive), 'the background process to be gone', 3_000);
  });

  it('is stopped when it runs longer than its limit', async () => {
    const handle = await start('sleep 60', { timeoutMilliseconds: 300 });
    expect(await ended(handle)).toMatchObject({ ending: 'timeout', signal: 'SIGTERM' });
  });

  it('is reported lost, and its processes killed, when the process beside it is killed', async () => {
    const handle = await start(`echo "pid $$"; sleep 60`);
    const pids = await printedPids(handle, 1);
    process.kill(handle.pid ?? 0, 'SIGKILL');
    const observation = await until(async () => {
      const seen = await runner.observe(handle);
      return seen.kind === 'lost' && seen;
    }, 'the job to be lost');
    expect(observation.detail).toContain('What was left of the job has been killed');
    await until(() => !pids.some(alive), 'the command to be gone');
  });

  it('never runs when it could not be accepted', async () => {
    await expect(
      runner.start(jobOf('echo ran'), async (handle) => {
        handles.push(handle);
        throw new Error('the store is full');
      }),
    ).rejects.toThrow('the store is full');
    const handle = handles[0];
    if (handle === undefined) throw new Error('no handle');
    await until(() => !alive(handle.pid ?? 0), 'the shim to leave');
    expect(await runner.observe(handle)).toMatchObject({ kind: 'lost' });
    expect(log(handle)).toBe('');
  });

  it('is not taken for another process that has been given its number', async () => {
    const handle = await start('exit 0');
    await ended(handle);
    const other = spawn('/bin/sleep', ['30'], { detached: true });
    const reused: RunHandle = { ...handle, pid: other.pid ?? 0 };
    await runner.cancel(reused);
    await runner.kill(reused);
    other.kill('SIGUSR1');
    const [, signal] = (await once(other, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGUSR1');
  });

  it('does not believe a status that is no status', async () => {
    const handle = await start(`echo '{"ending":"exited"}' > "$HOME/status.json"; sleep 60`);
    await running(handle);
    expect(await runner.observe(handle)).toMatchObject({ kind: 'running' });
  });
});

describe('a job whose gateway is killed', () => {
  it('goes on, and is found again with its result by the next', async () => {
    const program = join(home, 'gateway.mts');
    writeFileSync(
      program,
      `import { LocalRunner } from ${JSON.stringify(join(import.meta.dirname, 'local-runner.ts'))};
       const { options, job, secret } = JSON.parse(process.argv[2]);
       await new LocalRunner(options).start(job, async (handle) => { console.log(JSON.stringify(handle)); return secret; });
       setInterval(() => {}, 1000);`,
    );
    chmodSync(program, 0o600);
    const options = {
      directory: join(home, 'jobs'),
      environments: { host: { path: ['/usr/bin', '/bin'] } },
      cancelGraceMilliseconds: 400,
      gateway: { url: gateway.url, certificateAuthorityFile: gateway.authorityFile },
    };
    const job = jobOf('echo one; while [ ! -e "$HOME/go" ]; do sleep 0.05; done; echo two; exit 5');
    const child = spawn(
      process.execPath,
      [program, JSON.stringify({ options, job, secret: gateway.secret })],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const [line] = await new Promise<string[]>((resolve) => {
      child.stdout.once('data', (data: Buffer) => {
        resolve(data.toString().split('\n'));
      });
    });
    const handle = JSON.parse(line ?? '') as RunHandle;
    handles.push(handle);
    await running(handle);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await runner.observe(handle)).toMatchObject({ kind: 'running' });
    expect(alive(readProcess(handle.directory)?.pid ?? 0)).toBe(true);
    writeFileSync(join(handle.directory, 'go'), '');
    expect(await ended(handle)).toMatchObject({ ending: 'exited', exitCode: 5 });
    expect(log(handle)).toBe('one\ntwo\n');
  });
});

describe('the identity endpoint of a job', () => {
  const useIdentity = `
    import { DefaultAzureCredential } from '@azure/identity';
    const credential = new DefaultAzureCredential();
    const { token, expiresOnTimestamp } = await credential.getToken('https://storage.azure.com/.default');
    console.log(JSON.stringify({ token, expiresOnTimestamp }));`;

  it('gives DefaultAzureCredential, unmodified, a token without any configuration', async () => {
    gateway.blobs.set('/store/c/use.mjs', useIdentity);
    const handle = await start('node use.mjs', {
      downloads: [{ url: `${gateway.url}/store/c/use.mjs`, path: 'code/use.mjs' }],
    });
    const result = await ended(handle);
    const printed = JSON.parse(log(handle)) as { token: string; expiresOnTimestamp: number };
    expect(result.exitCode).toBe(0);
    expect(printed.token).toMatch(/^job-token-\d+$/);
    expect(printed.expiresOnTimestamp).toBeGreaterThan(Date.now());
    expect(new Set(gateway.asked)).toEqual(new Set(['https://storage.azure.com']));
  });

  it('answers nothing once the lease has ended', async () => {
    gateway.mode = 'ended';
    const handle = await start(
      'curl -s -o - -w " %{http_code}" -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://x"',
    );
    await ended(handle);
    expect(log(handle)).toContain('The job behind this identity has ended.');
    expect(log(handle)).toMatch(/ 403$/);
  });
});
