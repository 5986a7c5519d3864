import { z } from 'zod';
import { failure } from '../../lib/errors.ts';
import { assetContainerId } from '../assets/assets.ts';
import { assetKinds, type AssetKind } from '../assets/kinds.ts';
import { resolveLocation, type BlobEndpoints, type BlobLocation } from '../data-locations.ts';
import { parseReference, workspaceId, type WorkspaceRef } from '../resource-ids.ts';
import { findResource, type Reader, type Resource } from '../resources.ts';
import type { Runner, RunWish } from '../runners/runner.ts';
import {
  checkOutput,
  durationMilliseconds,
  inputMode,
  type CommandJob,
  type InputMode,
} from './command-job.ts';
import { checkPlaceholders } from './placeholders.ts';

const locationSchema = z.object({
  account: z.string(),
  container: z.string(),
  path: z.string(),
  scope: z.string(),
});

/** What a job was found to mean when it was submitted; kept with it, so that it runs as it was checked. */
export const resolvedJob = z.object({
  image: z.string(),
  code: locationSchema.nullable(),
  inputs: z.record(
    z.string(),
    z.union([
      z.object({ literal: z.string() }),
      z.object({ location: locationSchema, mode: z.enum(['Direct', 'Download']), folder: z.boolean() }),
    ]),
  ),
  outputs: z.array(z.string()),
  environmentVariables: z.record(z.string(), z.string()),
  experimentName: z.string(),
  timeoutMilliseconds: z.number().nullable(),
  tokenSeconds: z.number().nullable(),
});

export type ResolvedJob = z.infer<typeof resolvedJob>;

export interface ResolveContext {
  readonly db: Reader;
  readonly workspace: WorkspaceRef;
  readonly endpoints: BlobEndpoints;
  readonly runners: readonly Runner[];
}

/**
 * Looks up everything that a job names and checks that its compute can run it. Throws `invalid_request` naming the
 * first member that does not hold.
 */
export async function resolveJob(
  context: ResolveContext,
  job: CommandJob,
): Promise<{ readonly resolved: ResolvedJob; readonly runner: Runner }> {
  refuseUnsupported(job);
  const runner = runnerOf(context, job);
  const inputs = present(job.inputs);
  const outputs = present(job.outputs);
  for (const [name, output] of Object.entries(outputs)) checkOutput(name, output);
  checkPlaceholders(job.command, { inputs: Object.keys(inputs), outputs: Object.keys(outputs) });
  const wish: RunWish = {
    image: await imageOf(context, job.environmentId),
    environmentVariables: present(job.environmentVariables),
    instanceCount: job.resources?.instanceCount ?? 1,
  };
  runner.check(wish);
  const resolvedInputs: ResolvedJob['inputs'] = {};
  for (const [name, input] of Object.entries(inputs)) {
    resolvedInputs[name] =
      input.jobInputType === 'literal'
        ? { literal: input.value }
        : {
            ...(await inputLocation(context, name, input.uri ?? '')),
            mode: inputMode(name, input.mode) satisfies InputMode,
            folder: input.jobInputType !== 'uri_file',
          };
  }
  return {
    runner,
    resolved: {
      image: wish.image,
      code: await codeLocation(context, job.codeId),
      inputs: resolvedInputs,
      outputs: Object.keys(outputs),
      environmentVariables: { ...wish.environmentVariables },
      experimentName: job.experimentName ?? 'Default',
      timeoutMilliseconds: timeoutOf(job),
      tokenSeconds: tokenSecondsOf(job),
    },
  };
}

/** Everything that the job is to read, with the member that asks for it. */
export function readLocations(
  resolved: ResolvedJob,
): { readonly member: string; readonly location: BlobLocation }[] {
  const inputs = Object.entries(resolved.inputs).flatMap(([name, input]) =>
    'location' in input ? [{ member: `input ${name}`, location: input.location }] : [],
  );
  return resolved.code === null ? inputs : [{ member: 'code', location: resolved.code }, ...inputs];
}

function refuseUnsupported(job: CommandJob): void {
  if (job.distribution !== undefined && job.distribution !== null) {
    throw invalid(
      'properties.distribution',
      "Distributed jobs are not supported on the computes here; leave 'distribution' out.",
    );
  }
  const identity = job.identity?.identityType ?? 'AMLToken';
  if (identity !== 'AMLToken' && identity !== 'UserIdentity') {
    throw invalid(
      'properties.identity.identityType',
      `The identity type '${identity}' is not supported here: every job has its own identity, on its owner's behalf.`,
    );
  }
}

function runnerOf(context: ResolveContext, job: CommandJob): Runner {
  const given = job.computeId ?? '';
  const id = workspaceId(context.workspace);
  const name = parseReference(given, 'computes', id)?.name ?? given;
  const runner = context.runners.find((candidate) => candidate.compute === name.toLowerCase());
  if (runner !== undefined) return runner;
  const known = context.runners.map((candidate) => candidate.compute).join(', ');
  throw invalid(
    'properties.computeId',
    given === ''
      ? `The job names no compute. This workspace has: ${known}.`
      : `There is no compute '${given}' in this workspace. It has: ${known}.`,
  );
}

async function imageOf(context: ResolveContext, environmentId: string): Promise<string> {
  const version = await versionOf(
    context,
    assetKinds.environments,
    environmentId,
    'properties.environmentId',
  );
  const image = version.properties['image'];
  if (typeof image !== 'string' || image === '') {
    throw invalid('properties.environmentId', `The environment ${version.displayId} names no image.`);
  }
  return image;
}

async function codeLocation(
  context: ResolveContext,
  codeId: string | null | undefined,
): Promise<BlobLocation | null> {
  if (codeId === undefined || codeId === null || codeId === '') return null;
  const version = await versionOf(context, assetKinds.codes, codeId, 'properties.codeId');
  return locationOf(context, version, 'codeUri', 'properties.codeId');
}

async function inputLocation(
  context: ResolveContext,
  name: string,
  uri: string,
): Promise<{ location: BlobLocation }> {
  const member = `properties.inputs.${name}.uri`;
  const id = workspaceId(context.workspace);
  for (const [kind, uriMember] of [
    [assetKinds.data, 'dataUri'],
    [assetKinds.models, 'modelUri'],
  ] as const) {
    // The short form does not say the kind: it is data.
    const short = !uri.includes('/') && kind !== assetKinds.data;
    if (short || parseReference(uri, kind.collection, id) === null) continue;
    const version = await versionOf(context, kind, uri, member);
    return { location: await locationOf(context, version, uriMember, member) };
  }
  return { location: await resolveLocation(context.db, context.workspace, uri, context.endpoints, member) };
}

async function versionOf(
  context: ResolveContext,
  kind: AssetKind,
  reference: string,
  member: string,
): Promise<Resource> {
  const parsed = parseReference(reference, kind.collection, workspaceId(context.workspace));
  if (parsed?.version === undefined || parsed.version === null) {
    throw invalid(
      member,
      `'${member}' is '${reference.slice(0, 300)}', which names no version of a ${kind.noun} in this workspace. ` +
        `Write its id: ${workspaceId(context.workspace)}/${kind.collection}/{name}/versions/{version}.`,
    );
  }
  const id = `${assetContainerId(context.workspace, kind, parsed.name)}/versions/${parsed.version}`;
  const found = await findResource(context.db, id);
  if (found === null) {
    throw invalid(
      member,
      `There is no ${kind.noun} '${parsed.name}' of version '${parsed.version}' in this workspace.`,
    );
  }
  return found;
}

async function locationOf(
  context: ResolveContext,
  version: Resource,
  uriMember: string,
  member: string,
): Promise<BlobLocation> {
  const uri = version.properties[uriMember];
  if (typeof uri !== 'string') throw invalid(member, `${version.displayId} says not where its bytes are.`);
  return resolveLocation(context.db, context.workspace, uri, context.endpoints, member);
}

function timeoutOf(job: CommandJob): number | null {
  const timeout = job.limits?.timeout;
  if (timeout === undefined || timeout === null) return null;
  const milliseconds = durationMilliseconds(timeout);
  if (milliseconds === null || milliseconds <= 0 || milliseconds > 2_147_483_647) {
    throw invalid(
      'properties.limits.timeout',
      `'${timeout}' is not a duration of up to 24 days in ISO 8601, such as PT1H30M.`,
    );
  }
  return milliseconds;
}

/** A job may ask for shorter tokens than its compute gives, never for longer ones. */
function tokenSecondsOf(job: CommandJob): number | null {
  const asked = job.properties?.['lockstep.tokenSeconds'];
  if (asked === undefined || asked === null) return null;
  const secondsAsked = Number(asked);
  if (!Number.isInteger(secondsAsked) || secondsAsked < 5 || secondsAsked > 86_400) {
    throw invalid(
      'properties.properties',
      `lockstep.tokenSeconds is '${asked}'; it is a whole number of seconds from 5.`,
    );
  }
  return secondsAsked;
}

function present<T>(members: Readonly<Record<string, T | null>> | null | undefined): Record<string, T> {
  const entries = Object.entries(members ?? {}).filter((entry): entry is [string, T] => entry[1] !== null);
  return Object.fromEntries(entries);
}

function invalid(target: string, message: string) {
  return failure('invalid_request', message, { azureCode: 'ValidationError', target });
}
