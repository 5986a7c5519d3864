import { inAccess } from '../../../gateway/attribute-names.ts';
import { failure } from '../../../lib/errors.ts';
import type { AttributeSet } from '../../../policy/types.ts';
import type { CommandJob } from '../../../workspace/jobs/command-job.ts';

const named = {
  purpose: inAccess('@Request[Microsoft.MachineLearningServices/workspaces/jobs:purpose]'),
  experimentName: inAccess('@Request[Microsoft.MachineLearningServices/workspaces/jobs:experimentName]'),
  computeName: inAccess('@Request[Microsoft.MachineLearningServices/workspaces/jobs:computeName]'),
  computeSku: inAccess('@Request[Microsoft.MachineLearningServices/workspaces/jobs:computeSku]'),
  gpuCount: inAccess('@Request[Microsoft.MachineLearningServices/workspaces/jobs:gpuCount]'),
};

/** What conditions may ask of a job that is submitted. Throws `invalid_request` for a count that is none. */
export function jobAttributes(job: CommandJob): AttributeSet {
  const sku = job.resources?.['instanceType'];
  return {
    ...given(named.purpose, job.tags?.['purpose']),
    ...given(named.experimentName, job.experimentName),
    ...given(named.computeName, job.computeId?.split('/').at(-1)),
    ...given(named.computeSku, typeof sku === 'string' ? sku : null),
    [named.gpuCount]: gpusOf(job) * instancesOf(job),
  };
}

/** Nothing times eight GPUs would pass for none. */
function instancesOf(job: CommandJob): number {
  const count = job.resources?.instanceCount ?? 1;
  if (count >= 1) return count;
  throw failure('invalid_request', 'The number of instances must be 1 or more.');
}

function gpusOf(job: CommandJob): number {
  const asked = job.resources?.['gpuCount'] ?? job.properties?.['lockstep.gpuCount'] ?? 0;
  const count = typeof asked === 'string' && /^\d{1,6}$/.test(asked) ? Number(asked) : asked;
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
    throw failure('invalid_request', 'The number of GPUs must be a whole number: 0, 1, 2, …');
  }
  return count;
}

function given(name: string, value: string | null | undefined): AttributeSet {
  return value === null || value === undefined || value === '' ? {} : { [name]: value };
}
