import type { Caller } from '../identity/caller.ts';
import type { CutBy } from '../ledger/events.ts';
import type { Change, ChangeKind, CommittedChange } from '../store/changes.ts';

/** Changes after which somebody's rights may be fewer than before. */
const takesRights: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
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
]);

/** Changes by which an identity itself ends. */
const endsIdentity: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  'principal.updated',
  'principal.deleted',
  'session.closed',
  'token.revoked',
  'lease.ended',
]);

/** Whether somebody may hold less than before: no other change can end a stream or a lease. */
export function mayTakeAway(change: Change): boolean {
  return mayTakeRights(change) || endsIdentity.has(change.kind);
}

function mayTakeRights(change: Change): boolean {
  // A condition may ask for tags; most resources have none, and are written often.
  if (change.kind === 'resource.put') return change.tags !== undefined;
  return takesRights.has(change.kind);
}

/** The first of a transaction's changes that can have taken a right; null where none of them can. */
export function rightTakenBy(committed: readonly CommittedChange[]): CutBy | null {
  return named(committed.find(({ change }) => mayTakeRights(change)));
}

/** The change by which the identity of this caller ended; null where it is none of these, as when its time is over. */
export function identityEndedBy(committed: readonly CommittedChange[], caller: Caller): CutBy | null {
  return named(committed.find(({ change }) => isEndOf(caller, change)));
}

function isEndOf({ credential, authorities, chain }: Caller, change: Change): boolean {
  const speaksFor = (id: string): boolean =>
    authorities.some((one) => one === id) || chain.some((one) => one.id === id);
  switch (change.kind) {
    case 'session.closed':
      return change.session.id === credential.sessionId;
    case 'token.revoked':
      return change.tokenId === credential.tokenId;
    case 'lease.ended':
      return change.lease.id === credential.leaseId;
    case 'principal.updated':
      return speaksFor(change.principal.id);
    case 'principal.deleted':
      return speaksFor(change.id);
    default:
      return false;
  }
}

function named(cause: CommittedChange | undefined): CutBy | null {
  return cause === undefined ? null : { kind: 'change', change: cause.change.kind, eventId: cause.event };
}
