import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';
import type { Client } from '../connection/client.ts';
import type { Invocation } from '../invocation.ts';
import { hasEnded, jobSchema, type Job } from './job-resource.ts';

const detailsSchema = z.looseObject({
  status: z.string(),
  logFiles: z.record(z.string(), z.string()).nullish(),
  error: z.looseObject({ error: z.looseObject({ message: z.string().nullish() }).nullish() }).nullish(),
});

const pollMilliseconds = 500;

/** Prints what a job writes until it ends, then resolves with it. Ctrl-C stops watching, not the job. */
export async function streamJob(
  call: Invocation,
  client: Client,
  workspaceId: string,
  name: string,
): Promise<Job> {
  const path = `/history/v1.0${workspaceId}/runs/${encodeURIComponent(name)}/details`;
  const printed = new Map<string, number>();
  let status = '';
  for (;;) {
    if (call.context.signal.aborted) {
      throw new CliError('failure', `Stopped watching; ${name} goes on.`, {
        hint: `lockstep job cancel ${name}`,
      });
    }
    const details = await client.json('arm', 'GET', path, detailsSchema);
    // Whatever was written before the end is there once the end is seen.
    for (const [file, address] of Object.entries(details.logFiles ?? {})) {
      if (isUserLog(file)) await printNew(call, client, file, address, printed);
    }
    if (details.status !== status) call.note(call.style.dim(`${name}  ${details.status}`));
    status = details.status;
    if (hasEnded(status)) break;
    await wait(pollMilliseconds, undefined, { signal: call.context.signal }).catch(() => undefined);
  }
  return client.json('arm', 'GET', `${workspaceId}/jobs/${encodeURIComponent(name)}`, jobSchema);
}

function isUserLog(file: string): boolean {
  return /^(user_logs\/)?std_?(log|out|err)[^/]*$/.test(file);
}

async function printNew(
  call: Invocation,
  client: Client,
  file: string,
  address: string,
  printed: Map<string, number>,
): Promise<void> {
  const from = printed.get(file) ?? 0;
  const url = new URL(address, client.server);
  if (url.origin !== client.server)
    throw new CliError('failure', `The log ${file} is said to be elsewhere: ${url.origin}.`);
  const headers = from === 0 ? {} : { range: `bytes=${from}-` };
  const answer = await client.attempt('open', 'GET', url.pathname + url.search, {
    headers,
    signal: call.context.signal,
  });
  if (answer.status === 416 || answer.status === 404) {
    await answer.body.dump();
    return;
  }
  if (answer.status !== 200 && answer.status !== 206) {
    throw new CliError('failure', `The log ${file} was answered with status ${answer.status}.`);
  }
  let skip = answer.status === 200 ? from : 0;
  let length = from;
  for await (const chunk of answer.body) {
    const data = chunk as Buffer;
    const fresh = data.subarray(Math.min(skip, data.length));
    skip -= data.length - fresh.length;
    length += fresh.length;
    if (fresh.length > 0) (call.json ? call.context.stderr : call.context.stdout).write(fresh);
  }
  printed.set(file, length);
}
