import type { Caller } from '../identity/caller.ts';
import type { Leases } from '../identity/leases/leases.ts';
import { questionAt } from '../gateway/environment.ts';
import type { Cut, LiveSession, LiveSessions } from '../gateway/live-sessions.ts';
import type { Clock } from '../lib/clock.ts';
import type { LockstepError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { decideForAll, isAllowedForAll } from '../policy/decide.ts';
import type { Access, Cause } from '../policy/types.ts';
import type { CommittedChange, Follower, LeaseRecord } from '../store/changes.ts';
import { identityEndedBy, mayTakeAway, rightTakenBy } from './cause-of-cut.ts';
import type { CurrentPolicy } from './current-policy.ts';
import type { JobRights } from './job-access.ts';

export interface EnforcementParts {
  readonly policy: CurrentPolicy;
  readonly live: LiveSessions;
  readonly leases: Pick<Leases, 'list' | 'recheck'>;
  readonly jobRights: JobRights;
  /** Null while what the caller has begun may go on. */
  checkBegun(caller: Caller): LockstepError | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Takes from what is running what it may no longer have: after every change, and when the time for it is over. */
export class Enforcement {
  readonly #parts: EnforcementParts;

  constructor(parts: EnforcementParts) {
    this.#parts = parts;
  }

  /** To be given to `Ledger.follow` after policy and liveness. */
  readonly follower: Follower = (committed) => {
    if (committed.some(({ change }) => mayTakeAway(change))) this.reviewAll(committed);
  };

  /**
   * Every stream and every lease. Where it is not known what policy says, the streams wait for `stop` or an answer.
   * `committed`: the changes that give cause to look, where they are at hand.
   */
  reviewAll(committed: readonly CommittedChange[] = []): void {
    const { policy, live } = this.#parts;
    if (policy.snapshot.fault === null) live.review((session) => this.#whyCut(session, committed));
    else live.review(({ exchange }) => this.#whyDead(exchange.caller, committed));
    this.recheckLeases();
  }

  /** Policy has not been heard of for too long: what rests on it ends, for it may have been taken away. */
  stopStreams(): void {
    this.#parts.live.review(({ exchange }) =>
      exchange.caller === null ? null : { reason: 'policy-unavailable' },
    );
  }

  /** What a condition gave until a certain time: to be called often enough, and costs little where there is none. */
  reviewTimed(): void {
    const { policy, live, leases, jobRights } = this.#parts;
    if (!policy.isCurrent) return;
    live.reviewTimed((session) => this.#whyCut(session, []));
    for (const lease of jobRights.lapsed(leases.list())) this.#recheck(lease);
  }

  /** Ends the leases that have lost their ground. Not waited for: the streams are cut already. */
  recheckLeases(): void {
    if (!this.#parts.policy.isCurrent) return;
    for (const lease of this.#parts.leases.list()) this.#recheck(lease);
  }

  #recheck(lease: LeaseRecord): void {
    const { leases, log } = this.#parts;
    leases.recheck(lease).catch((error: unknown) => {
      log.error({ err: error, lease: lease.id }, 'a lease could not be rechecked');
    });
  }

  /** Why a live session may not go on; null if it may. Notes whether that rests on the time. */
  #whyCut(session: LiveSession, committed: readonly CommittedChange[]): Cut | null {
    const { policy, clock } = this.#parts;
    const { caller, authorities } = session.exchange;
    if (caller === null) return null;
    const dead = this.#whyDead(caller, committed);
    if (dead !== null) return dead;
    const now = clock.now();
    let restsOnTime = false;
    for (const decided of session.accesses) {
      const { access, asked } = questionAt(decided, now);
      if (!isAllowedForAll(policy.snapshot, authorities, access)) {
        const detail = detailOf(decideForAll(policy.snapshot, authorities, access).cause, access);
        return asked()
          ? { reason: 'condition-ended', detail }
          : { reason: 'policy-changed', detail, by: rightTakenBy(committed) };
      }
      restsOnTime ||= asked();
    }
    session.restsOnTime = restsOnTime;
    return null;
  }

  #whyDead(caller: Caller | null, committed: readonly CommittedChange[]): Cut | null {
    if (caller === null || this.#parts.checkBegun(caller) === null) return null;
    return { reason: 'identity-ended', by: identityEndedBy(committed, caller) };
  }
}

/** The policy that is to blame, in the few words that a close frame holds. */
function detailOf(cause: Cause, access: Access): string {
  return cause.kind === 'deny-assignment'
    ? `deny assignment ${cause.name}`
    : `${cause.kind.replaceAll('-', ' ')}, ${access.action}`;
}
