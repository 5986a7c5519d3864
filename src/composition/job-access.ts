import { z } from 'zod';
import { jobAttributes } from '../api/arm/machine-learning/job-attributes.ts';
import { environmentOf, questionAt } from '../gateway/environment.ts';
import { authoritiesOf } from '../identity/leases/leases.ts';
import type { Clock } from '../lib/clock.ts';
import { LockstepError } from '../lib/errors.ts';
import type { LeaseId } from '../lib/ids.ts';
import { isAllowedForAll } from '../policy/decide.ts';
import type { Access } from '../policy/types.ts';
import type { LeaseRecord } from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import { commandJob } from '../workspace/jobs/command-job.ts';
import type { CurrentPolicy } from './current-policy.ts';

const row = z.object({ properties_json: z.string(), tags_json: z.string() });
const dictionary = z.record(z.string(), z.unknown());

/** On what right jobs run, and which of them time alone may end. */
export class JobRights {
  readonly #policy: CurrentPolicy;
  readonly #needs: { readonly store: Store; readonly clock: Clock };
  readonly #restOnTime = new Set<LeaseId>();

  constructor(policy: CurrentPolicy, needs: { readonly store: Store; readonly clock: Clock }) {
    this.#policy = policy;
    this.#needs = needs;
  }

  /**
   * Whether everyone in whose name a job acts, but the job itself, may still submit it. Throws `policy_unavailable`
   * while that is not known: an outage of policy ends no job.
   */
  stillAllowed(lease: LeaseRecord): boolean {
    if (!this.#policy.isCurrent) throw new LockstepError({ code: 'policy_unavailable' });
    const people = authoritiesOf(lease).filter((id) => id !== lease.jobId);
    const { access, asked } = questionAt(submissionOf(lease, this.#needs), this.#needs.clock.now());
    const allowed = isAllowedForAll(this.#policy.snapshot, people, access);
    if (asked()) this.#restOnTime.add(lease.id);
    else this.#restOnTime.delete(lease.id);
    return allowed;
  }

  /** Those of the open leases that rest on the time and whose time is over. Forgets the leases that have ended. */
  lapsed(open: readonly LeaseRecord[]): LeaseRecord[] {
    if (this.#restOnTime.size === 0 || !this.#policy.isCurrent) return [];
    const timed = open.filter((lease) => this.#restOnTime.has(lease.id));
    this.#restOnTime.clear();
    for (const lease of timed) this.#restOnTime.add(lease.id);
    return timed.filter((lease) => !this.stillAllowed(lease));
  }
}

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
