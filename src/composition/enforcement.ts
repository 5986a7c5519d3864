import type { Caller } from '../identity/caller.ts';
import { authoritiesOf, type Leases } from '../identity/leases/leases.ts';
import type { LiveSession } from '../gateway/live-sessions.ts';
import type { LockstepError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { isAllowedForAll } from '../policy/decide.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import type { Access } from '../policy/types.ts';
import type { Change, ChangeKind, LeaseRecord } from '../store/changes.ts';

/** Changes after which somebody may hold less than before; the others cannot end a stream or a lease. */
const takesAway: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  'principal.updated',
  'principal.deleted',
  // A group may be denied something.
  'group.member-added',
  'group.member-removed',
  'role-definition.put',
  'role-definition.deleted',
  'role-assignment.put',
  'role-assignment.deleted',
  'deny-assignment.put',
  'deny-assignment.deleted',
  'scope.placed',
  'scope.removed',
  'resource.deleted',
  'session.closed',
  'token.revoked',
  'lease.ended',
]);

export function mayTakeAway(change: Change): boolean {
  // A condition may ask for tags; most resources have none, and are written often.
  if (change.kind === 'resource.put') return change.tags !== undefined;
  return takesAway.has(change.kind);
}

/** Why a live session may not go on; null if it may. */
export function whyCut(
  session: LiveSession,
  snapshot: PolicySnapshot,
  checkLive: (caller: Caller) => LockstepError | null,
): string | null {
  const { caller, authorities } = session.exchange;
  if (caller === null) return null;
  if (checkLive(caller) !== null) return 'identity-ended';
  const lost = session.accesses.some((access) => !isAllowedForAll(snapshot, authorities, access));
  return lost ? 'policy-changed' : null;
}

/** The right on which a job runs: everyone in whose name it acts, but the job itself, may still submit this job. */
export function mayRunJob(snapshot: PolicySnapshot, lease: LeaseRecord, submission: Access): boolean {
  const people = authoritiesOf(lease).filter((id) => id !== lease.jobId);
  return isAllowedForAll(snapshot, people, submission);
}

/** Ends the leases that have lost their ground. Not waited for: the streams are cut already. */
export function recheckLeases(leases: Leases, log: Log): void {
  for (const lease of leases.list()) {
    leases.recheck(lease).catch((error: unknown) => {
      log.error({ err: error, lease: lease.id }, 'a lease could not be rechecked');
    });
  }
}
