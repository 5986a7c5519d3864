import type { Clock } from '../../lib/clock.ts';
import { asLockstepError, failure } from '../../lib/errors.ts';
import type { LeaseId, PrincipalId, Secret, TenantId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import {
  systemAttribution,
  type Attribution,
  type Commit,
  type Follower,
  type LeaseEndReason,
  type Tx,
} from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { RecordChange } from '../resources.ts';
import type { Observation, Runner } from '../runners/runner.ts';
import {
  activeStatuses,
  findJob,
  findJobByLease,
  hasEnded,
  jobsIn,
  moveJob,
  type JobError,
  type JobRecord,
} from './job-records.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { runnableJob, type RunnableContext } from './runnable.ts';

/** What says nothing of the job: it stays queued and is started when this is over. */
const passes: ReadonlySet<string> = new Set(['ledger_unavailable', 'storage_full', 'policy_unavailable']);

/** What the scheduler needs of leases, each within its own transaction. */
export interface JobLeases {
  startWithin(tx: Tx, record: RecordChange, leaseId: LeaseId): Promise<Secret>;
  endWithin(tx: Tx, record: RecordChange, leaseId: LeaseId, reason: LeaseEndReason): Promise<void>;
}

export interface SchedulerOptions extends Omit<RunnableContext, 'db' | 'tenantId'> {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenantId: TenantId;
  readonly runners: readonly Runner[];
  readonly leases: JobLeases;
  /** Jobs at the same time, on every compute together. Default 4. */
  readonly maxRunning?: number;
  /** How long a job may take to leave by itself: after its identity ended, and after it was told to stop. */
  readonly graceMilliseconds: number;
  /** Default 200. */
  readonly pollMilliseconds?: number;
}

/** A job that an engine holds. */
interface Active {
  job: JobRecord;
  readonly runner: Runner;
  /** Why its lease ended while it ran; null while the lease stands. */
  leaseEnded: LeaseEndReason | null;
  /** When it is told to stop, and when it is killed; milliseconds since the epoch. */
  cancelAt: number | null;
  killAt: number | null;
}

/**
 * Starts queued jobs, watches those that engines hold, and writes down how each ended together with the end of its
 * lease. Nothing that it must remember is in memory only: a new process takes up where the old one was killed.
 */
export class JobScheduler {
  readonly #options: SchedulerOptions;
  readonly #by: Attribution;
  readonly #active = new Map<PrincipalId, Active>();
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#by = systemAttribution(options.tenantId, 'scheduler');
  }

  /** To be given to the ledger: a queued job is started, and a job whose lease has ended is stopped, without delay. */
  readonly follower: Follower = (committed) => {
    let look = false;
    for (const { change } of committed) {
      if (change.kind === 'lease.ended') {
        const active = this.#active.get(change.lease.jobId);
        if (active !== undefined) this.#leaseEnded(active, change.reason);
        look = true;
      }
      look ||= change.kind === 'job.status' && change.status === 'Queued';
    }
    if (look && this.#timer !== null) this.wake();
  };

  /** Takes up the jobs that engines hold, ends those whose lease ended meanwhile, and starts watching. */
  async start(): Promise<void> {
    for (const job of await jobsIn(this.#options.store.db, activeStatuses)) {
      const runner = this.#runnerOf(job);
      if (runner === undefined) {
        await this.#end(job, lost(`There is no compute '${job.compute}' any more.`));
        continue;
      }
      const active = this.#hold(job, runner);
      if (job.status === 'CancelRequested') this.#cancelNow(active);
      const lease = await this.#options.store.db
        .selectFrom('leases')
        .select(['state', 'end_reason'])
        .where('id', '=', job.leaseId)
        .executeTakeFirst();
      if (lease?.state === 'ended') this.#leaseEnded(active, (lease.end_reason ?? 'cut') as LeaseEndReason);
      this.#options.log.info({ job: job.name, status: job.status }, 'took up a job again');
    }
    this.#timer = setInterval(() => {
      this.wake();
    }, this.#options.pollMilliseconds ?? 200);
    this.wake();
  }

  /** Stops watching. The jobs go on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#turn;
  }

  /** Looks at every job now. Resolves when it has. */
  wake(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#turn = this.#turn.then(async () => {
      this.#waiting = false;
      if (!this.#stopped) await this.#look();
    });
  }
  #waiting = false;

  /** Asks a job to stop; a queued one ends at once. Throws `conflict` if it has ended, `not_found` if there is none. */
  async cancel(by: Attribution, resourceId: string): Promise<void> {
    const { store, commit, clock, leases } = this.#options;
    const moved = await commit(by, async (tx, record) => {
      const job = await findJob(tx, resourceId);
      if (job === null) throw failure('not_found', 'There is no such job.');
      if (hasEnded(job.status)) {
        throw failure('conflict', `The job '${job.name}' has ended already: ${job.status}.`);
      }
      if (job.status !== 'Queued') {
        await moveJob(tx, record, job, activeStatuses, { status: 'CancelRequested' });
        return job;
      }
      await leases.endWithin(tx, record, job.leaseId, 'canceled');
      await moveJob(tx, record, job, ['Queued'], { status: 'Canceled', endedAt: clock.now() });
      return job;
    });
    const active = this.#active.get(moved.id);
    if (active === undefined) return;
    active.job = (await findJob(store.db, resourceId)) ?? active.job;
    this.#cancelNow(active);
    this.wake();
  }

  /** What a runner's side says through its lease: look now, do not wait for the next turn. Resolves when looked. */
  async reportExit(leaseId: LeaseId): Promise<void> {
    const job = await findJobByLease(this.#options.store.db, leaseId);
    if (job === null || hasEnded(job.status)) return;
    this.wake();
    await this.#turn;
  }

  async #look(): Promise<void> {
    for (const active of this.#active.values()) {
      try {
        await this.#observe(active);
      } catch (error) {
        this.#options.log.error(
          { job: active.job.name, err: error },
          'a job could not be looked after; trying again',
        );
      }
    }
    try {
      await this.#startQueued();
    } catch (error) {
      this.#options.log.error({ err: error }, 'queued jobs could not be started; trying again');
    }
  }

  async #observe(active: Active): Promise<void> {
    const now = this.#options.clock.now();
    if (active.killAt !== null && now >= active.killAt) await active.runner.kill(active.job);
    else if (active.cancelAt !== null && now >= active.cancelAt) {
      active.cancelAt = null;
      active.killAt = now + this.#options.graceMilliseconds + 2_000;
      await active.runner.cancel(active.job);
    }
    const observation = await active.runner.observe(active.job);
    switch (observation.kind) {
      case 'preparing':
        return this.#progress(active, ['Starting'], { status: 'Preparing' });
      case 'running':
        return this.#progress(active, ['Starting', 'Preparing'], {
          status: 'Running',
          startedAt: observation.startedAt,
        });
      case 'ended':
      case 'lost':
        return this.#ended(active, observation);
    }
  }

  async #progress(
    active: Active,
    from: JobRecord['status'][],
    move: { status: 'Preparing' | 'Running'; startedAt?: number },
  ): Promise<void> {
    if (!from.includes(active.job.status)) return;
    await this.#options.commit(this.#by, async (tx, record) => {
      if (await moveJob(tx, record, active.job, from, move)) active.job = { ...active.job, ...move };
    });
  }

  async #ended(active: Active, observation: Extract<Observation, { kind: 'ended' | 'lost' }>): Promise<void> {
    const outcome =
      observation.kind === 'ended'
        ? outcomeOf(observation.result, active.leaseEnded)
        : active.killAt === null
          ? lost(observation.detail)
          : // It was told to stop, and is gone: a run that was only just starting, or had to be killed, leaves no word.
            outcomeOf(null, active.leaseEnded);
    await this.#end(active.job, outcome);
    this.#active.delete(active.job.id);
  }

  /** The end of the job and of its lease are one. */
  async #end(job: JobRecord, outcome: Outcome): Promise<void> {
    const { commit, clock, leases, log } = this.#options;
    await commit(this.#by, async (tx, record) => {
      await leases.endWithin(tx, record, job.leaseId, outcome.leaseReason);
      await moveJob(tx, record, job, ['Queued', ...activeStatuses], {
        status: outcome.status,
        exitCode: outcome.exitCode,
        error: outcome.error,
        ...(outcome.startedAt === null ? {} : { startedAt: outcome.startedAt }),
        endedAt: outcome.endedAt ?? clock.now(),
      });
    });
    log.info({ job: job.name, status: outcome.status, exitCode: outcome.exitCode }, 'a job ended');
  }

  async #startQueued(): Promise<void> {
    const room = (this.#options.maxRunning ?? 4) - this.#active.size;
    if (room <= 0 || this.#stopped) return;
    for (const job of await jobsIn(this.#options.store.db, ['Queued'], room)) {
      if (this.#active.has(job.id)) continue;
      await this.#launch(job);
    }
  }

  async #launch(job: JobRecord): Promise<void> {
    const { store, commit, leases, tenantId } = this.#options;
    const runner = this.#runnerOf(job);
    const leaseEnded = await endReasonOf(store, job.leaseId);
    if (leaseEnded !== null) {
      await this.#end(job, outcomeOf(null, leaseEnded));
      return;
    }
    try {
      if (runner === undefined) throw failure('not_found', `There is no compute '${job.compute}' any more.`);
      const runnable = await runnableJob({ ...this.#options, db: store.db, tenantId }, job);
      await runner.start(runnable, async ({ pid, processStarted }) => {
        const secret = await commit(this.#by, async (tx, record) => {
          const move = { status: 'Starting', pid, processStarted } as const;
          if (!(await moveJob(tx, record, job, ['Queued'], move))) {
            throw failure('conflict', `The job '${job.name}' is not queued any more.`);
          }
          return leases.startWithin(tx, record, job.leaseId);
        });
        this.#hold({ ...job, status: 'Starting', pid, processStarted }, runner);
        return secret;
      });
    } catch (error) {
      if (this.#active.has(job.id)) return;
      await this.#couldNotStart(job, error);
    }
  }

  async #couldNotStart(job: JobRecord, thrown: unknown): Promise<void> {
    const error = asLockstepError(thrown);
    this.#options.log.warn({ job: job.name, err: thrown }, 'a job could not be started');
    if (passes.has(error.code)) return;
    const current = await findJob(this.#options.store.db, job.resourceId);
    if (current === null || hasEnded(current.status)) return;
    await this.#end(job, {
      status: 'Failed',
      leaseReason: 'failed',
      exitCode: null,
      error: { code: 'JobNotStarted', message: error.publicMessage },
      startedAt: null,
      endedAt: null,
    });
  }

  #hold(job: JobRecord, runner: Runner): Active {
    const active: Active = { job, runner, leaseEnded: null, cancelAt: null, killAt: null };
    this.#active.set(job.id, active);
    return active;
  }

  #leaseEnded(active: Active, reason: LeaseEndReason): void {
    if (active.leaseEnded !== null || reason === 'completed' || reason === 'failed') return;
    active.leaseEnded = reason;
    active.cancelAt ??= this.#options.clock.now() + this.#options.graceMilliseconds;
  }

  #cancelNow(active: Active): void {
    if (active.killAt === null) active.cancelAt = this.#options.clock.now();
  }

  #runnerOf(job: JobRecord): Runner | undefined {
    return this.#options.runners.find((runner) => runner.compute === job.compute);
  }
}

async function endReasonOf(store: Store, leaseId: LeaseId): Promise<LeaseEndReason | null> {
  const lease = await store.db
    .selectFrom('leases')
    .select(['state', 'end_reason'])
    .where('id', '=', leaseId)
    .executeTakeFirst();
  if (lease === undefined) return 'lost';
  return lease.state === 'ended' ? ((lease.end_reason ?? 'cut') as LeaseEndReason) : null;
}

function lost(detail: string): Outcome {
  const error: JobError = { code: 'JobLost', message: detail };
  return { status: 'Failed', leaseReason: 'lost', exitCode: null, error, startedAt: null, endedAt: null };
}
