import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface TrackingServer {
  readonly origin: string;
  readonly directory: string;
  /** What it has logged. */
  log(): string;
  stop(): Promise<void>;
}

/** An unmodified `mlflow server` with SQLite and its own artifact store, on loopback. */
export async function startTrackingServer(venv: string): Promise<TrackingServer> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-mlflow-'));
  const port = await freePort();
  const logFile = join(directory, 'server.log');
  const output = openSync(logFile, 'w');
  const child = spawn(
    join(venv, 'bin', 'mlflow'),
    `server --host 127.0.0.1 --port ${port} --workers 1`
      .split(' ')
      .concat('--backend-store-uri', `sqlite:///${join(directory, 'mlflow.db')}`)
      .concat('--artifacts-destination', join(directory, 'artifacts')),
    {
      cwd: directory,
      env: {
        PATH: `${join(venv, 'bin')}:/usr/bin:/bin`,
        HOME: directory,
        MLFLOW_DISABLE_TELEMETRY: 'true',
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        // Webhooks go nowhere but to this machine.
        MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true',
        // Its list of models would be fetched from outside; it brings one.
        MLFLOW_MODEL_CATALOG_URI: '',
      },
      stdio: ['ignore', output, output],
      detached: true,
    },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const origin = `http://127.0.0.1:${port}`;
  const log = () => readFileSync(logFile, 'utf8');
  const stop = async () => {
    // Its workers are processes of their own, in its group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    // A worker that waits for a request of its own to end does not end by itself.
    const force = setTimeout(() => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    }, 15_000);
    await ended;
    clearTimeout(force);
    rmSync(directory, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await pause(250)) {
    if (child.exitCode !== null) throw new Error(`mlflow server ended: ${log()}`);
    const answer = await fetch(`${origin}/health`).catch(() => null);
    if (answer?.status === 200) return { origin, directory, log, stop };
  }
  await stop();
  throw new Error('mlflow server did not come up');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(() => resolve(undefined)));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
