import { z } from 'zod';
import { jobAttributes } from '../api/arm/machine-learning/job-attributes.ts';
import { environmentOf } from '../gateway/environment.ts';
import type { Clock } from '../lib/clock.ts';
import type { Access } from '../policy/types.ts';
import type { LeaseRecord } from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import { commandJob } from '../workspace/jobs/command-job.ts';

const row = z.object({ properties_json: z.string(), tags_json: z.string() });
const dictionary = z.record(z.string(), z.unknown());

/**
 * What the submission of a lease's job would ask today, with the attributes of the job as it is stored: a grant under a
 * condition carries the job for as long as the condition holds. Without them if the job is gone. Read within the tick,
 * also in the midst of a transaction that has just written the job.
 */
export function submissionOf(
  lease: LeaseRecord,
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Access {
  const request = storedAttributes(store, lease.jobScope);
  return {
    action: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
    dataAction: false,
    scope: lease.jobScope,
    attributes: {
      ...(request === null ? {} : { request }),
      environment: environmentOf(lease.chain, clock.now()),
    },
  };
}

function storedAttributes(store: Store, id: string) {
  const found = row.safeParse(
    store.raw.prepare('SELECT properties_json, tags_json FROM resources WHERE id = ?').get(id),
  );
  if (!found.success) return null;
  const properties = dictionary.parse(JSON.parse(found.data.properties_json));
  const tags = dictionary.parse(JSON.parse(found.data.tags_json));
  const job = commandJob.safeParse({ ...properties, tags });
  return job.success ? jobAttributes(job.data) : null;
}
