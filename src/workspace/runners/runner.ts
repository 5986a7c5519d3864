import type { LeaseId, PrincipalId, Secret, TenantId } from '../../lib/ids.ts';
import type { WorkspaceRef } from '../resource-ids.ts';

/** An engine that executes jobs: local processes, Slurm, Ray, Kubernetes, Azure ML. */
export interface Runner {
  /** Name of the compute that it stands behind. */
  readonly compute: string;

  /** Throws `invalid_request` naming the member when this engine cannot run such a job. Called before it is accepted. */
  check(wish: RunWish): void;

  /**
   * Starts the job. `accept` is called once the engine holds the job and before the job can run: it makes the handle
   * durable and returns the lease secret. If `accept` fails, nothing has run and nothing will.
   */
  start(job: RunnableJob, accept: (handle: RunHandle) => Promise<Secret>): Promise<void>;

  /** What has become of a run, also of one that an earlier process of ours started. Never throws for a run that is gone. */
  observe(handle: RunHandle): Promise<Observation>;

  /** Asks the run to end: gently, then after the grace time by force, children included. Returns at once. */
  cancel(handle: RunHandle): Promise<void>;

  /** Ends whatever is left of the run at once, for one that did not heed `cancel`. */
  kill(handle: RunHandle): Promise<void>;
}

/** What a job asks of its engine. */
export interface RunWish {
  readonly image: string;
  readonly environmentVariables: Readonly<Record<string, string>>;
  readonly instanceCount: number;
}

export interface RunnableJob extends RunWish {
  readonly name: string;
  readonly principalId: PrincipalId;
  readonly tenantId: TenantId;
  readonly workspace: WorkspaceRef;
  readonly workspaceGuid: string;
  readonly experimentName: string;
  readonly leaseId: LeaseId;
  /** Shell text in which values appear only as expansions of `variables`; see jobs/placeholders.ts. */
  readonly command: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Brought in with the job's own identity before the command starts. */
  readonly downloads: readonly Download[];
  readonly outputUrl: string;
  readonly timeoutMilliseconds: number | null;
  /** Asked life of the job's tokens in seconds; null is the configured one. Only ever shortens. */
  readonly tokenSeconds: number | null;
}

export interface Download {
  readonly url: string;
  /** Relative to the job's directory, `/` between segments. */
  readonly path: string;
}

/** Where a run is found again; kept in the `jobs` row. */
export interface RunHandle {
  readonly directory: string;
  readonly pid: number | null;
  /** What the operating system says of when that process started: tells a reused pid apart. */
  readonly processStarted: string | null;
}

export type Observation =
  | { readonly kind: 'preparing' }
  | { readonly kind: 'running'; readonly startedAt: number }
  | { readonly kind: 'ended'; readonly result: RunResult }
  /** The engine no longer knows it, and how it ended is unknown. Whatever was left of it has been killed. */
  | { readonly kind: 'lost'; readonly detail: string };

export interface RunResult {
  readonly ending: 'exited' | 'canceled' | 'timeout' | 'not-started';
  /** Null when a signal ended it or it never started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not start; null otherwise. */
  readonly message: string | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number | null;
  readonly endedAt: number;
}
