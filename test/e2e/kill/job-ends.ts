import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AcknowledgedJob } from './acknowledged.ts';
import type { JobRow } from './job-processes.ts';

export type JobEnd =
  { readonly kind: 'as planned' | 'lost' } | { readonly kind: 'wrong'; readonly why: string };

const neverRan = /nothing of the job has run/;

/** Whether a job ended as it had to, or is honestly reported lost. */
export function judge(job: AcknowledgedJob, row: JobRow | undefined, runsDirectory: string): JobEnd {
  if (row === undefined) return wrong('it is forgotten');
  const runs = timesRun(join(runsDirectory, job.name));
  const error =
    row.error_json === null ? null : (JSON.parse(row.error_json) as { code: string; message: string });
  const logFile = join(row.directory, 'user_logs/std_log.txt');
  // A job that was canceled before it began has none.
  const log = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
  const facts = `${row.status}, exit ${row.exit_code}, ${row.error_json}, ran ${runs} times, log: ${log.slice(-500)}`;
  if (runs > 1) return wrong(`it ran more than once: ${facts}`);
  if (row.status === 'Failed' && error?.code === 'JobLost') {
    return neverRan.test(error.message) && runs !== 0 ? wrong(`it did run: ${facts}`) : { kind: 'lost' };
  }
  return isAsPlanned(job, row, error?.code ?? null, runs, log) ? { kind: 'as planned' } : wrong(facts);
}

function isAsPlanned(
  { plan, name, stopAcknowledged }: AcknowledgedJob,
  row: JobRow,
  code: string | null,
  runs: number,
  log: string,
): boolean {
  switch (plan) {
    case 'succeeds':
    case 'renews':
      return (
        row.status === 'Completed' && row.exit_code === 0 && runs === 1 && log.endsWith(`done ${name}\n`)
      );
    case 'fails':
      return (
        row.status === 'Failed' &&
        row.exit_code === 3 &&
        code === 'UserError' &&
        log.endsWith(`failing ${name}\n`)
      );
    case 'is-canceled':
      return stopAcknowledged && row.status === 'Canceled';
    case 'loses-its-right':
      return stopAcknowledged && row.status === 'Failed' && code === 'JobIdentityEnded';
  }
}

function timesRun(file: string): number {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

function wrong(why: string): JobEnd {
  return { kind: 'wrong', why };
}
