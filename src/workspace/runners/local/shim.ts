// The process beside a job: it outlives the gateway, holds the lease's secret in memory, answers the job's requests for
// tokens, and writes down how the job ended. It is told everything on standard input and takes nothing from arguments
// or environment.
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { systemClock } from '../../../lib/clock.ts';
import { startCommand, type CommandProcess } from './command-process.ts';
import { openIdentityEndpoint } from './identity-endpoint.ts';
import { inside, jobFiles, writeWhole } from './job-directory.ts';
import { JobTokens } from './job-tokens.ts';
import { backOff, DownloadRefused, LeaseClient } from './lease-client.ts';
import { shimSpec, type ShimSpec } from './shim-spec.ts';
import type { RunResult } from '../runner.ts';

process.umask(0o077);
for (const signal of ['SIGHUP', 'SIGINT', 'SIGPIPE'] as const) process.on(signal, () => undefined);

/** How the job is asked to stop, and why it was. */
class Stop {
  #reason: 'canceled' | 'timeout' | null = null;
  #command: CommandProcess | null = null;
  readonly #graceMilliseconds: number;
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();

  constructor(graceMilliseconds: number) {
    this.#graceMilliseconds = graceMilliseconds;
    this.signal = this.#abort.signal;
  }

  get reason() {
    return this.#reason;
  }

  watch(command: CommandProcess): void {
    this.#command = command;
    if (this.#reason !== null) this.#end();
  }

  now(reason: 'canceled' | 'timeout'): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#abort.abort();
    this.#end();
  }

  #end(): void {
    const command = this.#command;
    if (command === null) return;
    command.signal('SIGTERM');
    setTimeout(() => {
      command.signal('SIGKILL');
    }, this.#graceMilliseconds).unref();
  }
}

const received = await text(process.stdin);
// An incomplete message means that the gateway died before it let the job run.
if (received.endsWith('\n')) await run(shimSpec.parse(JSON.parse(received)));

async function run(spec: ShimSpec): Promise<void> {
  writeWhole(join(spec.directory, jobFiles.accepted), { pid: process.pid });
  const stop = new Stop(spec.graceMilliseconds);
  process.on('SIGTERM', () => {
    stop.now('canceled');
  });
  const client = new LeaseClient({
    ...spec.gateway,
    leaseId: spec.leaseId,
    secret: spec.secret,
    tokenSeconds: spec.tokenSeconds,
  });
  const tokens = new JobTokens({
    source: client,
    clock: systemClock,
    holdMilliseconds: spec.holdMilliseconds,
  });
  const endpoint = await openIdentityEndpoint({
    secret: randomBytes(32).toString('base64url'),
    clientId: spec.clientId,
    token: (resource) => tokens.get(resource),
  });
  const result = await outcome(spec, client, tokens, endpoint.variables, stop);
  tokens.end('The job has ended.');
  writeWhole(join(spec.directory, jobFiles.status), result);
  endpoint.close();
  await client.exit(result);
  client.close();
}

async function outcome(
  spec: ShimSpec,
  client: LeaseClient,
  tokens: JobTokens,
  identity: Readonly<Record<string, string>>,
  stop: Stop,
): Promise<RunResult> {
  try {
    await bring(spec, client, tokens, stop.signal);
  } catch (error) {
    return notStarted(stop.reason ?? 'not-started', error);
  }
  if (stop.reason !== null) return notStarted(stop.reason, null);
  let command: CommandProcess;
  try {
    command = await startCommand({
      command: spec.command,
      directory: join(spec.directory, jobFiles.code),
      logFile: join(spec.directory, jobFiles.log),
      variables: { ...spec.variables, ...identity },
    });
  } catch (error) {
    return notStarted('not-started', error);
  }
  const startedAt = Date.now();
  writeWhole(join(spec.directory, jobFiles.process), {
    pid: command.pid,
    started: command.started,
    startedAt,
  });
  stop.watch(command);
  const timer =
    spec.timeoutMilliseconds === null
      ? undefined
      : setTimeout(() => {
          stop.now('timeout');
        }, spec.timeoutMilliseconds);
  command.open();
  const { exitCode, signal } = await command.ended;
  clearTimeout(timer);
  command.signal('SIGKILL');
  return { ending: stop.reason ?? 'exited', exitCode, signal, message: null, startedAt, endedAt: Date.now() };
}

/** Code and downloaded inputs, each read with the job's own identity, so each is decided and recorded as the job. */
async function bring(
  spec: ShimSpec,
  client: LeaseClient,
  tokens: JobTokens,
  signal: AbortSignal,
): Promise<void> {
  for (const { url, path } of spec.downloads) {
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const token = await tokens.get(spec.storageResource);
      if (token.kind !== 'token') throw new Error(`no token to read ${url}: ${token.message}`);
      try {
        if ((await client.download(url, token.token, inside(spec.directory, path))) === 'done') break;
        tokens.forget(spec.storageResource);
      } catch (error) {
        const final = error instanceof DownloadRefused ? error.status < 500 : error instanceof RangeError;
        if (final || attempt >= 8)
          throw new Error(`${url} cannot be read: ${(error as Error).message}`, { cause: error });
      }
      if (attempt >= 8) throw new Error(`${url} cannot be read: the job's token is not accepted`);
      await backOff(attempt, signal);
    }
  }
}

function notStarted(ending: RunResult['ending'], error: unknown): RunResult {
  const message = error instanceof Error ? error.message : null;
  return { ending, exitCode: null, signal: null, message, startedAt: null, endedAt: Date.now() };
}
