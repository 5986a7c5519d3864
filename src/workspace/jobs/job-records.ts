import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { LeaseId, PrincipalId } from '../../lib/ids.ts';
import type { Tx } from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import { normalId } from '../resource-ids.ts';
import type { Reader, RecordChange } from '../resources.ts';
import type { RunHandle } from '../runners/runner.ts';

/** Azure Machine Learning's words for where a job is. */
export const jobStatuses = [
  'Queued',
  'Starting',
  'Preparing',
  'Running',
  'CancelRequested',
  'Completed',
  'Failed',
  'Canceled',
] as const;
export type JobStatus = (typeof jobStatuses)[number];
export type EndStatus = 'Completed' | 'Failed' | 'Canceled';

/** States in which an engine may hold the job. */
export const activeStatuses = ['Starting', 'Preparing', 'Running', 'CancelRequested'] as const;

export interface JobError {
  readonly code: string;
  readonly message: string;
}

export interface JobRecord extends RunHandle {
  /** The job's own principal. */
  readonly id: PrincipalId;
  /** Normal form. */
  readonly resourceId: string;
  readonly name: string;
  readonly compute: string;
  readonly status: JobStatus;
  readonly leaseId: LeaseId;
  readonly exitCode: number | null;
  readonly error: JobError | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export function hasEnded(status: JobStatus): status is EndStatus {
  return status === 'Completed' || status === 'Failed' || status === 'Canceled';
}

export async function findJob(db: Reader, resourceId: string): Promise<JobRecord | null> {
  const row = await db
    .selectFrom('jobs')
    .selectAll()
    .where('resource_id', '=', normalId(resourceId))
    .executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

export async function findJobById(db: Reader, id: PrincipalId): Promise<JobRecord | null> {
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

export async function findJobByLease(db: Reader, leaseId: LeaseId): Promise<JobRecord | null> {
  const row = await db.selectFrom('jobs').selectAll().where('lease_id', '=', leaseId).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** Oldest first. */
export async function jobsIn(
  db: Reader,
  statuses: readonly JobStatus[],
  limit?: number,
): Promise<JobRecord[]> {
  const query = db
    .selectFrom('jobs')
    .selectAll()
    .where('status', 'in', [...statuses])
    .orderBy('created_at')
    .orderBy('id');
  return (await (limit === undefined ? query : query.limit(limit)).execute()).map(fromRow);
}

export async function insertJob(tx: Tx, record: RecordChange, job: JobRecord): Promise<void> {
  await tx
    .insertInto('jobs')
    .values({
      id: job.id,
      resource_id: job.resourceId,
      name: job.name,
      compute: job.compute,
      status: job.status,
      lease_id: job.leaseId,
      directory: job.directory,
      pid: job.pid,
      process_started: job.processStarted,
      exit_code: job.exitCode,
      error_json: null,
      created_at: job.createdAt,
      started_at: job.startedAt,
      ended_at: job.endedAt,
    })
    .execute();
  record({ kind: 'job.status', job: job.id, resourceId: job.resourceId, status: job.status, detail: {} });
}

export type JobMove = Partial<
  Pick<JobRecord, 'pid' | 'processStarted' | 'exitCode' | 'error' | 'startedAt' | 'endedAt'>
> & { readonly status: JobStatus };

/**
 * Moves a job to another state, if it is still in one of those given; false when it is not (somebody else was first).
 */
export async function moveJob(
  tx: Tx,
  record: RecordChange,
  job: JobRecord,
  from: readonly JobStatus[],
  move: JobMove,
): Promise<boolean> {
  const columns: Partial<Schema['jobs']> = { status: move.status };
  if (move.pid !== undefined) columns.pid = move.pid;
  if (move.processStarted !== undefined) columns.process_started = move.processStarted;
  if (move.exitCode !== undefined) columns.exit_code = move.exitCode;
  if (move.error !== undefined)
    columns.error_json = move.error === null ? null : canonicalJson({ ...move.error });
  if (move.startedAt !== undefined) columns.started_at = move.startedAt;
  if (move.endedAt !== undefined) columns.ended_at = move.endedAt;
  const { numUpdatedRows } = await tx
    .updateTable('jobs')
    .set(columns)
    .where('id', '=', job.id)
    .where('status', 'in', [...from])
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  record({
    kind: 'job.status',
    job: job.id,
    resourceId: job.resourceId,
    status: move.status,
    detail: {
      ...(move.exitCode === undefined || move.exitCode === null ? {} : { exitCode: move.exitCode }),
      ...(move.error === undefined || move.error === null
        ? {}
        : { errorCode: move.error.code, errorMessage: move.error.message }),
    },
  });
  return true;
}

const statusColumn = z.enum(jobStatuses);
const errorColumn = z.object({ code: z.string(), message: z.string() });

function fromRow(row: Schema['jobs']): JobRecord {
  return {
    id: row.id as PrincipalId,
    resourceId: row.resource_id,
    name: row.name,
    compute: row.compute,
    status: statusColumn.parse(row.status),
    leaseId: row.lease_id as LeaseId,
    directory: row.directory,
    pid: row.pid,
    processStarted: row.process_started,
    exitCode: row.exit_code,
    error: row.error_json === null ? null : errorColumn.parse(JSON.parse(row.error_json)),
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}
