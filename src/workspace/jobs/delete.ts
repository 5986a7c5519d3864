import { rm } from 'node:fs/promises';
import { failure } from '../../lib/errors.ts';
import type { Attribution, Commit } from '../../store/changes.ts';
import { deleteRoleAssignment, parseRoleAssignment } from '../../store/role-assignments.ts';
import { deleteResource } from '../resources.ts';
import { hasEnded, type JobRecord } from './job-records.ts';

/**
 * Removes a job that has ended: its resource, what it was granted and its directory. Its principal stays, disabled by
 * the end of its lease, so that the ledger's entries about it keep a name. Throws `conflict` while it runs.
 */
export async function deleteJob(
  parts: { readonly commit: Commit },
  by: Attribution,
  job: JobRecord,
): Promise<void> {
  await parts.commit(by, async (tx, record) => {
    const row = await tx.selectFrom('jobs').select('status').where('id', '=', job.id).executeTakeFirst();
    if (row === undefined) return;
    if (!hasEnded(job.status)) {
      throw failure('conflict', `The job '${job.name}' has not ended (${row.status}); cancel it first.`);
    }
    const grants = await tx
      .selectFrom('role_assignments')
      .selectAll()
      .where('principal_id', '=', job.id)
      .execute();
    for (const grant of grants) await deleteRoleAssignment(tx, record, parseRoleAssignment(grant));
    await tx.deleteFrom('jobs').where('id', '=', job.id).execute();
    await deleteResource(tx, record, job.resourceId);
  });
  await rm(job.directory, { recursive: true, force: true });
}
