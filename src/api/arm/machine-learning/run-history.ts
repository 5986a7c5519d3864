import { azuremlActions } from '../../../gateway/adapters/azureml/actions.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import { failure } from '../../../lib/errors.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { findJob, findJobById, hasEnded, type JobRecord } from '../../../workspace/jobs/job-records.ts';
import { logFiles, readLog } from '../../../workspace/jobs/logs.ts';
import { workspaceId } from '../../../workspace/resource-ids.ts';
import { json, noBody } from '../json-reply.ts';
import {
  atWorkspace,
  missing,
  param,
  workspaceOf,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';

const history = `/history/v1.0${workspacePath}`;
const publicScope = '/providers/lockstep.access/logs';

/** The run history that clients find through the workspace's `discoveryUrl`: where a job is, and its log as it grows. */
export function runHistoryRoutes(parts: MachineLearningParts): Route[] {
  const job = async (params: Params): Promise<JobRecord> =>
    (await findJob(parts.store.db, `${workspaceId(workspaceOf(params))}/jobs/${param(params, 'run')}`)) ??
    missing(`run '${param(params, 'run')}'`);
  const details = async (exchange: Exchange, params: Params) =>
    json(200, detailsView(parts, exchange, await job(params)), { 'cache-control': 'no-store' });
  const readGuard = atWorkspace(azuremlActions.jobRead, 'jobs', ':run');
  return [
    {
      method: 'GET',
      path: '/discovery',
      operation: 'discovery',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'public', rule: 'discovery', scope: '/' }),
      serve: async () => json(200, discovery(parts.endpoints.publicUrl)),
    },
    {
      method: 'GET',
      path: `${history}/runs/:run/details`,
      effect: 'read',
      body: noBody,
      guard: readGuard,
      serve: details,
    },
    {
      method: 'GET',
      path: `${history}/experiments/:experiment/runs/:run/details`,
      effect: 'read',
      body: noBody,
      guard: readGuard,
      serve: details,
    },
    {
      method: 'GET',
      path: `${history}/runs/:run/logs/*`,
      effect: 'read',
      body: noBody,
      guard: readGuard,
      serve: async (exchange, params) =>
        logReply(parts, exchange, await job(params), param(params, '*'), {
          follow: exchange.head.query.get('follow') === 'true',
          offset: offsetOf(exchange),
        }),
    },
    {
      method: 'GET',
      path: '/history/v1.0/logs/:job/*',
      operation: 'read-log-by-signed-link',
      effect: 'read',
      body: noBody,
      guard: (params) => ({
        kind: 'public',
        rule: 'signed-log-url',
        scope: `${publicScope}/${param(params, 'job').toLowerCase()}`,
      }),
      serve: async (exchange, params) => {
        const id = param(params, 'job');
        parts.logLinks.check(id, param(params, '*'), exchange.head.query);
        const found = await findJobById(parts.store.db, id as PrincipalId);
        if (found === null) return missing('such run');
        return logReply(parts, exchange, found, param(params, '*'), { follow: false, offset: 0 });
      },
    },
  ];
}

function logReply(
  parts: MachineLearningParts,
  exchange: Exchange,
  job: JobRecord,
  file: string,
  options: { readonly follow: boolean; readonly offset: number },
): Reply {
  if (!logFiles.includes(file)) return missing(`log file '${file}'`);
  const body = readLog({
    directory: job.directory,
    file,
    ...options,
    signal: exchange.signal,
    hasEnded: async () => {
      const now = await findJobById(parts.store.db, job.id);
      return now === null || hasEnded(now.status);
    },
  });
  return {
    status: 200,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}

function offsetOf(exchange: Exchange): number {
  const text = exchange.head.query.get('offset') ?? '0';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw failure('invalid_request', `'offset' is a number of bytes, not '${text.slice(0, 40)}'.`);
}

function detailsView(parts: MachineLearningParts, exchange: Exchange, job: JobRecord) {
  const links: Record<string, string> = {};
  if (job.status !== 'Queued') {
    const base = `${exchange.head.origin}/history/v1.0/logs/${job.id}`;
    for (const file of logFiles) links[file] = `${base}/${file}?${parts.logLinks.query(job.id, file)}`;
  }
  return {
    runId: job.name,
    target: job.compute,
    status: job.status,
    startTimeUtc: time(job.startedAt),
    endTimeUtc: time(job.endedAt),
    logFiles: links,
    warnings: [],
    error: job.error === null ? null : { error: { code: job.error.code, message: job.error.message } },
  };
}

function time(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** Every service of a workspace's data plane is the one gateway. */
function discovery(publicUrl: string) {
  return Object.fromEntries(
    ['api', 'history', 'modelmanagement', 'experimentation', 'studio'].map((name) => [name, publicUrl]),
  );
}
