import { z } from 'zod';
import type { LeaseId, PrincipalId } from '../../lib/ids.ts';
import type { LeaseRecord } from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import { actorRef } from '../tokens/claims.ts';

const chain = z.array(actorRef);

export function toLease(row: Schema['leases']): LeaseRecord {
  return {
    id: row.id as LeaseId,
    jobId: row.job_id as PrincipalId,
    jobScope: row.job_scope,
    ownerId: row.owner_id as PrincipalId,
    submitterId: row.submitter_id as PrincipalId,
    chain: chain.parse(JSON.parse(row.chain_json)),
    state: row.state,
  };
}
