/** How a job that was acknowledged has to end. */
export type JobPlan = 'succeeds' | 'fails' | 'is-canceled' | 'renews' | 'loses-its-right';

export interface AcknowledgedJob {
  readonly name: string;
  readonly plan: JobPlan;
  /** Whether the cancel, or the end of the right, was acknowledged too. */
  stopAcknowledged: boolean;
}

/** A state that was asked for; null while it is not known whether the request came through. */
type Known = boolean | null;

/** Everything that a client has been told, and that Lockstep therefore must not forget. */
export class Acknowledged {
  /** Request id to what it answered. */
  readonly requests = new Map<string, string>();
  /** Decision ids that refusals named. */
  readonly decisions = new Map<string, string>();
  /** Event ids that were read, with their sequence. */
  readonly events = new Map<string, number>();
  /** Blob path to the SHA-256 of its content. */
  readonly blobs = new Map<string, string>();
  /** Blob that is written again and again: the newest acknowledged and the newest attempted version. */
  readonly rolling = { acknowledged: 0, attempted: 0 };
  /** Resource ids, lower case. */
  readonly resources = new Set<string>();
  readonly jobs = new Map<string, AcknowledgedJob>();
  /** `group member`. */
  readonly memberships = new Map<string, Known>();
  /** Role assignment id. */
  readonly assignments = new Map<string, Known>();
  /** Assertions that were exchanged: none may be exchanged again. */
  readonly assertions: string[] = [];
  /** Checkpoints that were served or published, oldest first. */
  readonly checkpoints: string[] = [];
  /** Answers that nobody should have got. */
  readonly surprises: string[] = [];

  checkpoint(note: string): void {
    if (this.checkpoints.at(-1) !== note) this.checkpoints.push(note);
  }
}
