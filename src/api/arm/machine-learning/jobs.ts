import { z } from 'zod';
import { azuremlActions } from '../../../gateway/adapters/azureml/actions.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import { parseJson } from '../../../gateway/bodies/parse-body.ts';
import type { Exchange, Guard, Reply } from '../../../gateway/types.ts';
import type { Access } from '../../../policy/types.ts';
import { failure } from '../../../lib/errors.ts';
import { commandJob } from '../../../workspace/jobs/command-job.ts';
import { findJob, hasEnded, type JobRecord } from '../../../workspace/jobs/job-records.ts';
import { deleteJob } from '../../../workspace/jobs/delete.ts';
import { jobType, submitJob } from '../../../workspace/jobs/submit.ts';
import { workspaceId } from '../../../workspace/resource-ids.ts';
import { findResource, listResources, type Resource } from '../../../workspace/resources.ts';
import { json, jsonBody, noBody, pageReply, resourceEnvelope } from '../json-reply.ts';
import { jobAttributes } from './job-attributes.ts';
import {
  atWorkspace,
  missing,
  pageOf,
  param,
  requireWorkspace,
  viewFilter,
  workspaceOf,
  workspacePath,
  type MachineLearningParts,
} from './parts.ts';

const list = `${workspacePath}/jobs`;
const one = `${list}/:name`;
const body = z.object({ properties: commandJob });

export function jobRoutes(parts: MachineLearningParts): Route[] {
  const id = (params: Params) => `${workspaceId(workspaceOf(params))}/jobs/${param(params, 'name')}`;
  const found = async (params: Params): Promise<{ job: JobRecord; resource: Resource }> => {
    const [job, resource] = [
      await findJob(parts.store.db, id(params)),
      await findResource(parts.store.db, id(params)),
    ];
    if (job === null || resource === null) return missing(`job '${param(params, 'name')}'`);
    return { job, resource };
  };
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.jobRead),
      serve: async (exchange, params) => jobList(parts, exchange, await requireWorkspace(parts, params)),
    },
    {
      method: 'GET',
      path: one,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.jobRead, 'jobs', ':name'),
      serve: async (_exchange, params) => {
        const { job, resource } = await found(params);
        return json(200, jobView(parts, resource, job));
      },
    },
    {
      method: 'PUT',
      path: one,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: decidedOnTheJob(atWorkspace(azuremlActions.jobWrite, 'jobs', ':name')),
      serve: async (exchange, params) => {
        await requireWorkspace(parts, params);
        if (exchange.caller === null) throw failure('authentication_required', 'Sign in to submit a job.');
        const submitted = await submitJob(parts.submit, {
          by: exchange.attribution,
          caller: exchange.caller,
          decide: (access) => exchange.decideAlso(access),
          workspace: workspaceOf(params),
          name: param(params, 'name'),
          job: exchange.json(body).properties,
        });
        return json(submitted.created ? 201 : 200, jobView(parts, submitted.resource, submitted.job));
      },
    },
    {
      method: 'POST',
      path: `${one}/cancel`,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: atWorkspace(azuremlActions.jobCancel, 'jobs', ':name'),
      serve: async (exchange, params) => {
        const { job } = await found(params);
        if (hasEnded(job.status)) return json(200, null);
        await parts.scheduler.cancel(exchange.attribution, job.resourceId);
        return accepted(exchange, `${exchange.head.path}Result`);
      },
    },
    {
      method: 'GET',
      path: `${one}/cancelResult`,
      effect: 'read',
      body: noBody,
      guard: atWorkspace(azuremlActions.jobRead, 'jobs', ':name'),
      serve: async (exchange, params) => {
        const { job } = await found(params);
        return hasEnded(job.status) ? json(200, null) : accepted(exchange, exchange.head.path);
      },
    },
    {
      method: 'DELETE',
      path: one,
      effect: 'change',
      body: noBody,
      guard: atWorkspace(azuremlActions.jobDelete, 'jobs', ':name'),
      serve: async (exchange, params) => {
        const job = await findJob(parts.store.db, id(params));
        if (job === null) return { status: 204 };
        await deleteJob(parts, exchange.attribution, job);
        return { status: 200 };
      },
    },
  ];
}

/** Conditions may ask what the job is for and what it takes, which only the body tells. */
function decidedOnTheJob(guardOf: (params: Params) => Guard): (params: Params) => Guard {
  return (params) => {
    const guard = guardOf(params);
    if (guard.kind !== 'action') return guard;
    const accessFromBody = (bytes: Buffer): Access => ({
      ...guard.access,
      attributes: { request: jobAttributes(parseJson(bytes, body).properties) },
    });
    return { ...guard, accessFromBody };
  };
}

/** The long-running form that Azure's clients poll: 202 with a Location until it is done. */
function accepted(exchange: Exchange, path: string): Reply {
  const version = exchange.head.query.get('api-version') ?? '';
  const location = `${exchange.head.origin}${path}?${new URLSearchParams({ 'api-version': version }).toString()}`;
  return { status: 202, headers: { location, 'retry-after': '1' } };
}

async function jobList(parts: MachineLearningParts, exchange: Exchange, workspace: Resource): Promise<Reply> {
  const { query } = exchange.head;
  const jobKind = query.get('jobType');
  const tag = query.get('tag');
  const filter = viewFilter(exchange);
  const page = await listResources(
    parts.store.db,
    { parentId: workspace.id, type: jobType },
    {
      ...pageOf(parts, exchange),
      keep: (resource) =>
        filter(resource) &&
        (jobKind === null || resource.properties['jobType'] === jobKind) &&
        (tag === null || tag in resource.tags || tag === firstTag(resource)),
    },
  );
  const views = new Map<string, unknown>();
  for (const resource of page.resources) {
    const job = await findJob(parts.store.db, resource.id);
    if (job !== null) views.set(resource.id, jobView(parts, resource, job));
  }
  return pageReply(exchange, page, (resource) => views.get(resource.id) ?? resourceEnvelope(resource));
}

function firstTag(resource: Resource): string | null {
  const [entry] = Object.entries(resource.tags);
  return entry === undefined ? null : entry.join('=');
}

const dictionary = z.record(z.string(), z.string());

/**
 * `outputs.default` is left out on purpose: clients that see it look for the log in the datastore with an account key,
 * and clients that do not take the signed links of the run's details.
 */
export function jobView(parts: MachineLearningParts, resource: Resource, job: JobRecord) {
  const { resolved: _, ...properties } = resource.properties;
  const host = new URL(parts.endpoints.publicUrl).host;
  return {
    ...resourceEnvelope(resource),
    properties: {
      description: null,
      displayName: job.name,
      experimentName: 'Default',
      isArchived: false,
      inputs: {},
      outputs: {},
      ...properties,
      tags: resource.tags,
      properties: { ...dictionary.safeParse(properties['properties']).data, ...facts(job) },
      status: job.status,
      error: job.error,
      services: {
        Tracking: {
          jobServiceType: 'Tracking',
          endpoint: `azureml://${host}/mlflow/v1.0${resource.displayId.split('/jobs/')[0]}?`,
          status: null,
          properties: null,
        },
      },
    },
  };
}

/** What Azure's job has no member for, in its dictionary of properties. */
function facts(job: JobRecord): Record<string, string> {
  const { exitCode, error, startedAt, endedAt } = job;
  return {
    'lockstep.principalId': job.id,
    'lockstep.leaseId': job.leaseId,
    ...(startedAt !== null && { StartTimeUtc: new Date(startedAt).toISOString() }),
    ...(endedAt !== null && { EndTimeUtc: new Date(endedAt).toISOString() }),
    ...(exitCode !== null && { 'lockstep.exitCode': String(exitCode) }),
    ...(error !== null && { 'lockstep.errorCode': error.code, 'lockstep.errorMessage': error.message }),
  };
}
