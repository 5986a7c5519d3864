import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Terminal } from '../../src/cli/testing/terminal.ts';

const temporary = mkdtempSync(join(tmpdir(), 'lockstep-start-'));
const home = join(temporary, 'home');
/** Its pages would work nowhere, which each start says. */
const notebook = {
  kind: 'jupyter',
  upstream: 'http://127.0.0.1:1/connections/notebook',
  scope: 'workspace',
};
mkdirSync(home);
writeFileSync(join(home, 'config.json'), JSON.stringify({ listen: { port: 0 }, connections: { notebook } }));
afterAll(() => rmSync(temporary, { recursive: true }));

const program = join(import.meta.dirname, '..', '..', 'examples', 'four-day-training-job', 'start.ts');

interface Started {
  readonly output: string;
  readonly pid: number | undefined;
  readonly readyMilliseconds: number;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** `npm start -- --no-example`, without npm, until it says that it is ready. */
function start(...more: readonly string[]): Promise<Started> {
  const began = performance.now();
  const child = spawn(process.execPath, [program, '--no-example', ...more], {
    env: { PATH: process.env['PATH'] ?? '', LOCKSTEP_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return new Promise((resolve, reject) => {
    const take = (text: string) => {
      output += text;
      if (!output.includes('Ctrl-C drains')) return;
      const readyMilliseconds = performance.now() - began;
      resolve({
        output,
        pid: child.pid,
        readyMilliseconds,
        stop: (signal) => {
          child.kill(signal);
          return ended;
        },
      });
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('exit', (code) => reject(new Error(`it ended with ${code}:\n${output}`)));
  });
}

test('the first start initialises, prints the address and a one-time link, and Ctrl-C drains', async () => {
  const started = await start();
  expect(started.output).toContain('was initialised');
  expect(started.output).toMatch(/"setting":"connections\.notebook\.upstream".*serves programs only/);
  expect(started.output).toMatch(
    /sign in \(once, within 15 minutes\): https:\/\/localhost:\d+\/signin\/link\?code=[\w-]{43}/,
  );
  expect(await started.stop('SIGINT')).toBe(0);
});

const link = /sign in \(once, within 15 minutes\): (https:\S+)/;

test('the link is printed until the administrator has signed in, afterwards only where it is asked for', async () => {
  const first = await start();
  const [, address = ''] = link.exec(first.output) ?? [];
  const terminal = new Terminal({ LOCKSTEP_HOME: home, LOCKSTEP_URL: new URL(address).origin });
  expect(await terminal.lockstep('login', '--link', address)).toMatchObject({ code: 0 });
  const spent = await terminal.lockstep('login', '--link', address);
  expect([spent.code, spent.stderr]).toEqual([4, expect.stringContaining('start it with --link')]);
  expect(await first.stop('SIGTERM')).toBe(0);

  const second = await start();
  expect(second.output).not.toMatch(/code=/);
  expect(second.output).toContain('`lockstep user link admin@lockstep.local` makes a link');
  expect(await second.stop('SIGTERM')).toBe(0);

  const asked = await start('--link');
  expect(asked.output).toMatch(link);
  expect(await asked.stop('SIGTERM')).toBe(0);
  terminal.dispose();
});

/** How long Node.js by itself takes to start and end, here and now. */
function bareStartMilliseconds(): number {
  const began = performance.now();
  spawnSync(process.execPath, ['--eval', '0']);
  return performance.now() - began;
}

const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]!;

test('the second start is ready within 2 seconds, or 50 bare starts where even those are slow', async () => {
  const times: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 3; round++) {
    bare.push(bareStartMilliseconds());
    const started = await start();
    times.push(started.readyMilliseconds);
    expect(started.output).not.toContain('was initialised');
    expect(await started.stop('SIGTERM')).toBe(0);
  }
  expect(median(times)).toBeLessThan(Math.max(2000, 50 * median(bare)));
});

test.each([
  ['--help', 0, 'stdout'],
  ['-h', 0, 'stdout'],
  ['--hepl', 2, 'stderr'],
] as const)(
  '%s prints what there is to be asked for, ends with %i and starts nothing',
  (option, code, stream) => {
    const untouched = join(temporary, 'untouched');
    const run = spawnSync(process.execPath, [program, option], {
      env: { PATH: process.env['PATH'] ?? '', LOCKSTEP_HOME: untouched },
      encoding: 'utf8',
    });
    expect([run.status, run[stream]]).toEqual([code, expect.stringContaining('npm start -- --no-example')]);
    expect(existsSync(untouched)).toBe(false);
  },
);

test('a second process on the same home is refused, and says what to do', async () => {
  const first = await start();
  const url = /serves (https:\S+) /.exec(first.output)?.[1] ?? 'no address';
  await expect(start()).rejects.toThrow(
    `another Lockstep process is running on ${home} (process ${first.pid}, which serves ${url}): stop it first`,
  );
  expect(await first.stop('SIGTERM')).toBe(0);
});

test('keys and state are for their owner alone', async () => {
  const mode = (path: string) => (statSync(join(home, path)).mode & 0o777).toString(8);
  expect(mode('')).toBe('700');
  expect(mode('seal.key')).toBe('600');
});
