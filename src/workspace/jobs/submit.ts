import { join } from 'node:path';
import type { Caller } from '../../identity/caller.ts';
import type { Clock } from '../../lib/clock.ts';
import { canonicalJson, type Json, type JsonObject } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import { newGuid, type LeaseId, type PrincipalId } from '../../lib/ids.ts';
import type { Access, Decision } from '../../policy/types.ts';
import type {
  ActorRef,
  Attribution,
  Commit,
  LeaseRecord,
  PrincipalRecord,
  RoleAssignment,
  Tx,
} from '../../store/changes.ts';
import { putRoleAssignment } from '../../store/role-assignments.ts';
import type { Store } from '../../store/sqlite.ts';
import { withoutAbsent } from '../assets/assets.ts';
import { jobOutputLocation, type BlobEndpoints, type BlobLocation } from '../data-locations.ts';
import { normalId, workspaceId, workspaceType, type WorkspaceRef } from '../resource-ids.ts';
import { findResource, putResource, type RecordChange, type Resource } from '../resources.ts';
import type { Runner } from '../runners/runner.ts';
import { completeInputs, type CommandJob } from './command-job.ts';
import { readLocations, resolveJob, type ResolvedJob } from './job-definition.ts';
import { findJob, insertJob, type JobRecord } from './job-records.ts';

/** What submitting needs of the identity room. */
export interface JobIdentities {
  createJobPrincipal(
    tx: Tx,
    record: RecordChange,
    job: { readonly id: PrincipalId; readonly displayName: string; readonly sponsorId: PrincipalId },
  ): Promise<PrincipalRecord>;
  openLease(
    tx: Tx,
    record: RecordChange,
    lease: {
      readonly jobId: PrincipalId;
      readonly jobScope: string;
      readonly ownerId: PrincipalId;
      readonly submitterId: PrincipalId;
      readonly chain: readonly ActorRef[];
    },
  ): Promise<LeaseRecord>;
}

export interface SubmitOptions {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly identities: JobIdentities;
  readonly runners: readonly Runner[];
  readonly endpoints: BlobEndpoints;
  /** `{home}/jobs`. */
  readonly jobsDirectory: string;
  /** Role definition GUIDs. */
  readonly roleIds: {
    readonly jobRuntime: string;
    readonly jobSelf: string;
    readonly blobReader: string;
    readonly blobContributor: string;
  };
}

export interface Submission {
  readonly by: Attribution;
  readonly caller: Caller;
  /** Decides, and records, one more access of the caller. */
  decide(access: Access): Promise<Decision>;
  readonly workspace: WorkspaceRef;
  readonly name: string;
  readonly job: CommandJob;
}

export interface Submitted {
  readonly job: JobRecord;
  readonly resource: Resource;
  readonly created: boolean;
}

export const jobType = `${workspaceType}/jobs`;
const blobRead = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
const jobName = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}$/;
/** What of a job may change after it was submitted. */
const changeable = ['displayName', 'description', 'isArchived', 'tags'] as const;

/**
 * Accepts a command job: its resource, its own principal with just the roles that it needs, its lease and its place in
 * the queue come into being in one transaction. The submitter must be allowed to read every input and the code, for the
 * job will. A job of the same name is only updated, in what of a job may change.
 * Throws `invalid_request` naming the member, `access_denied` with the decision, or `conflict`.
 */
export async function submitJob(options: SubmitOptions, sent: Submission): Promise<Submitted> {
  const submission = { ...sent, job: completeInputs(sent.job) };
  const { workspace, name, job, caller } = submission;
  if (!jobName.test(name)) {
    throw failure(
      'invalid_request',
      `The job name '${name.slice(0, 80)}' is not valid: 1 to 128 letters, digits, '-' or '_', starting with a letter or digit.`,
      { azureCode: 'ValidationError' },
    );
  }
  const displayId = `${workspaceId(workspace)}/jobs/${name}`;
  if ((await findResource(options.store.db, displayId)) !== null)
    return updateJob(options, submission, displayId);
  if (caller.credential.leaseId !== null) {
    throw failure(
      'invalid_request',
      'A job cannot submit another job: it would outlive the lease it came from.',
    );
  }
  const { resolved, runner } = await resolveJob({ ...options, db: options.store.db, workspace }, job);
  for (const { location } of readLocations(resolved)) {
    const decision = await submission.decide({ action: blobRead, dataAction: true, scope: location.scope });
    if (!decision.allowed) throw failure('access_denied', deniedSentence(location, decision), { decision });
  }
  const ownerId = ownerOf(caller);
  const now = options.clock.now();
  const id = newGuid() as PrincipalId;
  const output = await jobOutputLocation(options.store.db, workspace, name);
  return options.commit(submission.by, async (tx, record) => {
    if ((await findResource(tx, displayId)) !== null) {
      throw failure('conflict', `The job '${name}' was submitted a moment ago by another request.`);
    }
    await options.identities.createJobPrincipal(tx, record, { id, displayName: name, sponsorId: ownerId });
    const { resource } = await putResource(tx, record, submission.by, now, {
      displayId,
      type: jobType,
      properties: { ...withoutAbsent(definition(job)), resolved: asJson(resolved) },
      tags: tagsOf(job),
    });
    for (const grant of grantsOf(options, workspace, displayId, resolved, output)) {
      await assign(tx, record, grant, id, caller.subject.id, now);
    }
    const lease = await options.identities.openLease(tx, record, {
      jobId: id,
      jobScope: resource.id,
      ownerId,
      submitterId: caller.subject.id,
      chain: [...caller.chain, { kind: 'job', id, name }],
    });
    const row: JobRecord = {
      id,
      resourceId: resource.id,
      name,
      compute: runner.compute,
      status: 'Queued',
      leaseId: lease.id satisfies LeaseId,
      directory: join(options.jobsDirectory, name.toLowerCase()),
      pid: null,
      processStarted: null,
      exitCode: null,
      error: null,
      createdAt: now,
      startedAt: null,
      endedAt: null,
    };
    await insertJob(tx, record, row);
    return { job: row, resource, created: true };
  });
}

async function updateJob(
  options: SubmitOptions,
  submission: Submission,
  displayId: string,
): Promise<Submitted> {
  return options.commit(submission.by, async (tx, record) => {
    const existing = await findResource(tx, displayId);
    const job = await findJob(tx, displayId);
    if (existing === null || job === null)
      throw failure('not_found', `There is no job '${submission.name}'.`);
    const before = fixedPart(existing.properties);
    const after = fixedPart(withoutAbsent(definition(submission.job)));
    if (canonicalJson(before) !== canonicalJson(after)) {
      throw failure(
        'conflict',
        `The job '${existing.name}' exists already. Only ${changeable.join(', ')} of it can be changed; ` +
          `to run another, choose another name.`,
        { azureCode: 'JobPropertyImmutable' },
      );
    }
    const { resource } = await putResource(tx, record, submission.by, options.clock.now(), {
      displayId,
      type: jobType,
      properties: {
        ...withoutAbsent(definition(submission.job)),
        ...(existing.properties['resolved'] === undefined
          ? {}
          : { resolved: existing.properties['resolved'] }),
      },
      tags: tagsOf(submission.job),
    });
    return { job, resource, created: false };
  });
}

/** The person in whose name the job runs: who submitted it, or who answers for the workload that did. */
function ownerOf(caller: Caller): PrincipalId {
  if (caller.subject.kind === 'user') return caller.subject.id;
  const first = caller.chain[0];
  if (first?.kind === 'user') return first.id as PrincipalId;
  throw failure(
    'invalid_request',
    `'${caller.subject.name}' has no sponsor, so nobody would answer for the job. Give the application a sponsor first.`,
  );
}

interface Grant {
  readonly roleDefinitionId: string;
  readonly scope: string;
  readonly description: string;
}

function grantsOf(
  options: SubmitOptions,
  workspace: WorkspaceRef,
  displayId: string,
  resolved: ResolvedJob,
  output: BlobLocation,
): Grant[] {
  const { roleIds } = options;
  const grants: Grant[] = [
    {
      roleDefinitionId: roleIds.jobRuntime,
      scope: normalId(workspaceId(workspace)),
      description: 'What every job may do in its workspace',
    },
    { roleDefinitionId: roleIds.jobSelf, scope: normalId(displayId), description: 'The job itself' },
    { roleDefinitionId: roleIds.blobContributor, scope: output.scope, description: "The job's own output" },
  ];
  for (const { member, location } of readLocations(resolved)) {
    const scope = location.scope;
    if (grants.some((grant) => grant.roleDefinitionId === roleIds.blobReader && grant.scope === scope))
      continue;
    grants.push({
      roleDefinitionId: roleIds.blobReader,
      scope,
      description: `Declared by the job: ${member}`,
    });
  }
  return grants;
}

async function assign(
  tx: Tx,
  record: RecordChange,
  grant: Grant,
  jobId: PrincipalId,
  createdBy: PrincipalId,
  now: number,
): Promise<void> {
  const assignment: RoleAssignment = {
    id: newGuid(),
    scope: grant.scope,
    roleDefinitionId: grant.roleDefinitionId,
    principalId: jobId,
    principalType: 'ServicePrincipal',
    description: grant.description,
    createdOn: new Date(now).toISOString(),
    createdBy,
  };
  await putRoleAssignment(tx, record, assignment);
}

/** The stored definition: what was sent, without what is read-only. */
function definition(job: CommandJob): Readonly<Record<string, Json | undefined>> {
  const { tags: _, ...rest } = job;
  const sent = asJson(rest);
  const readOnly = new Set(['status', 'services', 'resolved', 'error', 'parameters']);
  return Object.fromEntries(Object.entries(sent).filter(([member]) => !readOnly.has(member)));
}

function fixedPart(properties: JsonObject): JsonObject {
  const skip = new Set<string>([...changeable, 'resolved']);
  return Object.fromEntries(Object.entries(properties).filter(([member]) => !skip.has(member)));
}

function tagsOf(job: CommandJob): Record<string, string> {
  return Object.fromEntries(
    Object.entries(job.tags ?? {}).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

/** Drops what JSON drops. The value came from JSON, so it is JSON. */
function asJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function deniedSentence({ account, container, path }: BlobLocation, { id }: Decision): string {
  return `You may not read ${account}/${container}/${path}, so no job of yours may. See \`lockstep explain ${id}\`.`;
}
