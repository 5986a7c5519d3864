import { rm } from 'node:fs/promises';
import { failure } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Attribution, Commit, RoleAssignment } from '../../store/changes.ts';
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
      .deleteFrom('role_assignments')
      .where('principal_id', '=', job.id)
      .returningAll()
      .execute();
    for (const grant of grants) {
      record({
        kind: 'role-assignment.deleted',
        assignment: {
          id: grant.id,
          scope: grant.scope,
          roleDefinitionId: grant.role_definition_id,
          principalId: grant.principal_id as PrincipalId,
          principalType: grant.principal_type as RoleAssignment['principalType'],
          description: grant.description,
          createdOn: grant.created_on,
          createdBy: grant.created_by,
        },
      });
    }
    await tx.deleteFrom('jobs').where('id', '=', job.id).execute();
    await deleteResource(tx, record, job.resourceId);
  });
  await rm(job.directory, { recursive: true, force: true });
}
