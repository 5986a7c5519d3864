import type { LeaseEndReason } from '../../store/changes.ts';
import type { RunResult } from '../runners/runner.ts';
import type { EndStatus, JobError } from './job-records.ts';

/** How a job ended, in the words of its resource and of its lease. */
export interface Outcome {
  readonly status: EndStatus;
  readonly leaseReason: LeaseEndReason;
  readonly exitCode: number | null;
  readonly error: JobError | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/**
 * From what the engine says, and from why the lease had ended before the job did (null: it had not). A job that lost
 * its identity has failed, whatever its exit code says. `result` is null for a job that never left the queue.
 */
export function outcomeOf(result: RunResult | null, leaseEnded: LeaseEndReason | null): Outcome {
  const facts = {
    exitCode: result?.exitCode ?? null,
    startedAt: result?.startedAt ?? null,
    endedAt: result?.endedAt ?? null,
  };
  if (leaseEnded !== null && leaseEnded !== 'canceled') {
    return { ...facts, status: 'Failed', leaseReason: leaseEnded, error: identityLost(leaseEnded) };
  }
  if (result === null || result.ending === 'canceled') {
    return { ...facts, status: 'Canceled', leaseReason: 'canceled', error: null };
  }
  const error = failureOf(result);
  return error === null
    ? { ...facts, status: 'Completed', leaseReason: 'completed', error }
    : { ...facts, status: 'Failed', leaseReason: 'failed', error };
}

function failureOf(result: RunResult): JobError | null {
  switch (result.ending) {
    case 'canceled':
      return null;
    case 'timeout':
      return {
        code: 'JobTimedOut',
        message: 'The job ran longer than limits.timeout allows and was stopped.',
      };
    case 'not-started':
      return { code: 'JobNotStarted', message: result.message ?? 'The command could not be started.' };
    case 'exited':
      if (result.signal !== null) {
        return { code: 'UserError', message: `The command was ended by the signal ${result.signal}.` };
      }
      return result.exitCode === 0
        ? null
        : {
            code: 'UserError',
            message: `The command exited with code ${result.exitCode}. Its log says why.`,
          };
  }
}

function identityLost(reason: Exclude<LeaseEndReason, 'canceled'>): JobError {
  return { code: 'JobIdentityEnded', message: identitySentence[reason] };
}

const identitySentence: Readonly<Record<Exclude<LeaseEndReason, 'canceled'>, string>> = {
  completed: 'The identity of the job ended before the job did.',
  failed: 'The identity of the job ended before the job did.',
  lost: 'Contact with the job was lost, so its identity was ended.',
  expired: 'The lease of the job expired, so its identity was ended and the job was stopped.',
  cut: 'An operator cut the identity of the job, and the job was stopped.',
  'owner-lost-right':
    'Someone in whose name the job ran is no longer allowed to run it, so its identity was ended and the job was stopped.',
  'owner-disabled':
    'Someone in whose name the job ran has been disabled or deleted, so its identity was ended and the job was stopped.',
};
