import { join } from 'node:path';
import type { AcknowledgedJob, Acknowledged, JobPlan } from './acknowledged.ts';
import { Unexpected, untilAnswered } from './actor.ts';
import type { Stage } from './stage.ts';

const version = '?api-version=2024-10-01';

/** Dataset of the jobs that renew: blob path and digest. */
export interface Dataset {
  readonly path: string;
  readonly sha256: string;
}

export interface Submission {
  readonly token: string;
  readonly name: string;
  readonly plan: JobPlan;
  /** Each job leaves a line here when its command runs, so that a second run would show. */
  readonly runsDirectory: string;
  readonly dataset: Dataset;
  readonly seconds: number;
}

/** Submits under one name until there is an answer: asked twice, it is still one job. */
export async function submit(
  stage: Stage,
  acknowledged: Acknowledged,
  job: Submission,
): Promise<AcknowledgedJob> {
  const path = `${stage.workspace}/jobs/${job.name}${version}`;
  const body = { properties: definition(stage, job) };
  const answer = await untilAnswered(() => stage.client.send('PUT', path, { token: job.token, body }));
  if (answer.status !== 201 && !(answer.status === 200 && answer.attempts > 1)) {
    throw new Unexpected(`submitting ${job.name}`, answer);
  }
  const entry: AcknowledgedJob = { name: job.name, plan: job.plan, stopAcknowledged: false };
  acknowledged.jobs.set(job.name, entry);
  acknowledged.resources.add(`${stage.workspace}/jobs/${job.name}`.toLowerCase());
  return entry;
}

export async function cancel(stage: Stage, token: string, job: AcknowledgedJob): Promise<void> {
  const path = `${stage.workspace}/jobs/${job.name}/cancel${version}`;
  const answer = await untilAnswered(() => stage.client.send('POST', path, { token }));
  if (answer.status !== 202 && answer.status !== 200) throw new Unexpected(`canceling ${job.name}`, answer);
  job.stopAcknowledged = true;
}

export async function statusOf(stage: Stage, name: string): Promise<string> {
  const path = `${stage.workspace}/jobs/${name}${version}`;
  const answer = await untilAnswered(() => stage.client.send('GET', path, { token: stage.admin.arm }));
  if (answer.status !== 200) throw new Unexpected(`reading ${name}`, answer);
  return (answer.json() as { properties: { status: string } }).properties.status;
}

function definition(stage: Stage, job: Submission): object {
  const renews = job.plan === 'renews';
  return {
    jobType: 'Command',
    computeId: `${stage.workspace}/computes/local`,
    environmentId: stage.environment,
    command: `echo ran >> ${join(job.runsDirectory, job.name)}; ${commandOf(job)}`,
    properties: { 'lockstep.tokenSeconds': '5' },
    ...(renews && {
      inputs: {
        data: {
          jobInputType: 'uri_file',
          uri: `azureml://datastores/workspaceblobstore/paths/${job.dataset.path}`,
          mode: 'Direct',
        },
      },
      outputs: { result: { jobOutputType: 'uri_folder' } },
    }),
  };
}

function commandOf({ plan, name, dataset, seconds }: Submission): string {
  switch (plan) {
    case 'succeeds':
      return `sleep 0.${name.length % 10}; echo done ${name}`;
    case 'fails':
      return `echo failing ${name}; exit 3`;
    case 'is-canceled':
    case 'loses-its-right':
      return 'sleep 600';
    case 'renews': {
      const program = join(import.meta.dirname, 'long-job.ts');
      return `exec node ${program} \${{inputs.data}} ${dataset.sha256} \${{outputs.result}} ${seconds} ${name}`;
    }
  }
}
