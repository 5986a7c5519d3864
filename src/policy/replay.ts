import type { PrincipalId } from '../lib/ids.ts';
import type { PolicyStep } from '../store/changes.ts';
import { decideForAll } from './decide.ts';
import type { EngineOptions } from './engine/engine.ts';
import { PolicySnapshot } from './snapshot.ts';
import { policyIdOf, type Access } from './types.ts';

/** A decision as it was recorded. */
export interface RecordedDecision {
  readonly id: string;
  /** The revision of policy that it was made at. */
  readonly revision: number;
  readonly authorities: readonly PrincipalId[];
  readonly access: Access;
  /** False when the record holds less of the access than was decided on. */
  readonly whole: boolean;
  readonly outcome: RecordedOutcome;
}

export interface RecordedOutcome {
  readonly allowed: boolean;
  /** Kind of the cause. */
  readonly reason: string;
  readonly policyId: string;
  readonly decidedFor: PrincipalId | null;
}

export type Replayed = { readonly decision: RecordedDecision } & (
  | { readonly kind: 'same' }
  | { readonly kind: 'differs'; readonly again: RecordedOutcome }
  /** One of Lockstep's own rules decided; policy was not asked. */
  | { readonly kind: 'not-by-policy' }
  | { readonly kind: 'cannot-be-told'; readonly why: string }
);

/** Reasons for which policy was asked. */
const byPolicy: ReadonlySet<string> = new Set([
  'role-assignment',
  'deny-assignment',
  'missing-grant',
  'unknown-principal',
  'disabled-principal',
]);

/** A step as it was recorded: not whole when part of what it changed was withheld. */
export interface RecordedStep extends PolicyStep {
  readonly whole: boolean;
}

/** A decision is recorded soon after it was made: rarely are so many changes in between. */
const patience = 1_024;

/**
 * Makes recorded decisions again, each at its own revision, from recorded changes alone: one pass over both in the order
 * in which they were recorded. Policy is held back by some changes, since a decision is recorded after it was made; one
 * that comes even later is kept in `late`, for a second pass in which it is given before the changes.
 */
export class PolicyReplay {
  readonly late: RecordedDecision[] = [];
  readonly #snapshot: PolicySnapshot;
  readonly #tell: (replayed: Replayed) => void;
  readonly #pending: RecordedStep[] = [];
  readonly #waiting = new Map<number, RecordedDecision[]>();
  /** The revisions that are waited for, in order. */
  #revisions: number[] = [];
  #partly: number | null = null;

  constructor(tell: (replayed: Replayed) => void, engine: Partial<EngineOptions> = {}) {
    this.#tell = tell;
    this.#snapshot = PolicySnapshot.from(
      {
        principals: [],
        memberships: [],
        roleDefinitions: [],
        roleAssignments: [],
        denyAssignments: [],
        version: 0,
      },
      engine,
    );
  }

  change(step: RecordedStep): void {
    this.#pending.push(step);
    if (this.#pending.length >= patience * 2) this.#advance(patience);
  }

  decision(decision: RecordedDecision): void {
    if (!byPolicy.has(decision.outcome.reason)) {
      this.#tell({ kind: 'not-by-policy', decision });
      return;
    }
    if (decision.revision < this.#snapshot.version) {
      this.late.push(decision);
      return;
    }
    const others = this.#waiting.get(decision.revision);
    if (others !== undefined) {
      others.push(decision);
      return;
    }
    this.#waiting.set(decision.revision, [decision]);
    let at = this.#revisions.length;
    while (at > 0 && (this.#revisions[at - 1] ?? 0) > decision.revision) at--;
    this.#revisions.splice(at, 0, decision.revision);
  }

  /** There is no more: what is held back is caught up with. */
  end(): void {
    this.#advance(this.#pending.length);
    this.#decideBefore(Number.POSITIVE_INFINITY);
  }

  #advance(count: number): void {
    for (const step of this.#pending.splice(0, count)) {
      this.#decideBefore(step.sequence);
      this.#snapshot.apply(step);
      if (!step.whole) this.#partly ??= step.sequence;
    }
  }

  /** All that was decided before the change of this sequence. */
  #decideBefore(sequence: number): void {
    let done = 0;
    for (const revision of this.#revisions) {
      if (revision >= sequence) break;
      done++;
      for (const decision of this.#waiting.get(revision) ?? []) this.#tell(this.#again(decision));
      this.#waiting.delete(revision);
    }
    if (done > 0) this.#revisions = this.#revisions.slice(done);
  }

  #again(decision: RecordedDecision): Replayed {
    const { fault, version } = this.#snapshot;
    const unknown = (why: string): Replayed => ({ kind: 'cannot-be-told', decision, why });
    if (fault?.kind === 'behind') return unknown(`the log does not hold all changes after ${fault.after}`);
    if (fault !== null) return unknown(`the change after ${version} cannot be taken in`);
    if (!decision.whole) return unknown('its record holds less than was decided on');
    const { allowed, cause, decidedFor } = decideForAll(
      this.#snapshot,
      decision.authorities,
      decision.access,
    );
    const again = { allowed, reason: cause.kind, policyId: policyIdOf(cause), decidedFor };
    if (isSame(again, decision.outcome)) return { kind: 'same', decision };
    return this.#partly === null
      ? { kind: 'differs', decision, again }
      : unknown(`part of the change ${this.#partly} was withheld from the log, and it would differ`);
  }
}

function isSame(one: RecordedOutcome, other: RecordedOutcome): boolean {
  return (
    one.allowed === other.allowed &&
    one.reason === other.reason &&
    one.policyId === other.policyId &&
    one.decidedFor === other.decidedFor
  );
}
