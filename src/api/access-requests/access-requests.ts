import { failure } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { newAccessRequestId, type DecisionId, type PrincipalId } from '../../lib/ids.ts';
import { decide } from '../../policy/decide.ts';
import { isWithin } from '../../policy/scope.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { closeAccessRequest, openAccessRequest, parseAccessRequest } from '../../store/access-requests.ts';
import type {
  AccessRequestRecord,
  Attribution,
  Change,
  Commit,
  RoleAssignment,
  Tx,
} from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { Offer } from './offer.ts';

const hour = 3_600_000;
/** So long a request waits for an answer. */
const lifeMilliseconds = 30 * 24 * hour;
const mostOpen = 20;
const mostInAnHour = 10;
/** Looked at together; whoever may grant anything sees the newest of them. */
const mostListed = 1_000;
const sweptTogether = 100;

export interface AccessRequestParts {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly snapshot: PolicySnapshot;
}

/** What people ask for. It grants nothing: whoever may grant it sees who asks, and does so, or does not. */
export class AccessRequests {
  readonly #parts: AccessRequestParts;

  constructor(parts: AccessRequestParts) {
    this.#parts = parts;
  }

  /**
   * Records that this person asks for what they were offered. While they ask for it already that stays as it is, and is
   * answered. Throws `too_many_attempts` beyond ten in an hour, or twenty that are open.
   */
  async ask(
    by: Attribution,
    person: PrincipalId,
    offer: Extract<Offer, { kind: 'role' }>,
    reason: string,
  ): Promise<{ readonly request: AccessRequestRecord; readonly isNew: boolean }> {
    const { commit, clock } = this.#parts;
    const { decisionId, access, missing } = offer;
    return commit(by, async (tx, record) => {
      const now = clock.now();
      const wanted = { role: missing.role.id, scope: missing.scope };
      const open = await openOf(tx, person);
      const same = open.find(
        ({ roleDefinitionId, scope }) => roleDefinitionId === wanted.role && scope === wanted.scope,
      );
      if (same !== undefined && same.expiresAt > now) return { request: same, isNew: false };
      await requireModesty(tx, person, open.filter(({ expiresAt }) => expiresAt > now).length, now);
      if (same !== undefined) {
        await closeAccessRequest(tx, record, same, { reason: 'lapsed', assignmentId: null, now });
      }
      const request: AccessRequestRecord = {
        id: newAccessRequestId(now),
        principalId: person,
        roleDefinitionId: wanted.role,
        scope: wanted.scope,
        action: access.action,
        dataAction: access.dataAction,
        decisionId: decisionId as DecisionId,
        reason,
        createdAt: now,
        expiresAt: now + lifeMilliseconds,
      };
      await openAccessRequest(tx, record, request);
      return { request, isNew: true };
    });
  }

  /** What this person asks for and has not got, the newest first. */
  async openOf(person: PrincipalId): Promise<AccessRequestRecord[]> {
    const { store, clock } = this.#parts;
    const open = await openOf(store.db, person);
    return open.filter(({ expiresAt }) => expiresAt > clock.now()).toReversed();
  }

  /** What people ask for who are still there, the newest first. */
  async open(): Promise<AccessRequestRecord[]> {
    const { store, clock, snapshot } = this.#parts;
    const rows = await store.db
      .selectFrom('access_requests')
      .selectAll()
      .where('closed_at', 'is', null)
      .where('expires_at', '>', clock.now())
      .orderBy('created_at', 'desc')
      .limit(mostListed)
      .execute();
    return rows
      .map(parseAccessRequest)
      .filter(({ principalId }) => snapshot.principal(principalId) !== undefined);
  }

  /** Whether the person may by now, in whatever way, what they asked for. */
  isMet({ principalId, action, dataAction, scope }: AccessRequestRecord): boolean {
    return decide(this.#parts.snapshot, principalId, { action, dataAction, scope }).allowed;
  }

  /** Ends what has waited too long, and what is of people who are no more. To be called now and then. */
  async sweep(by: Attribution): Promise<void> {
    const { store, commit, clock } = this.#parts;
    const now = clock.now();
    const due = await store.db
      .selectFrom('access_requests')
      .selectAll()
      .where('closed_at', 'is', null)
      .where((row) =>
        row.or([
          row('expires_at', '<=', now),
          row('principal_id', 'not in', row.selectFrom('principals').select('id')),
        ]),
      )
      .limit(sweptTogether)
      .execute();
    if (due.length === 0) return;
    await commit(by, async (tx, record) => {
      for (const row of due) {
        const request = parseAccessRequest(row);
        await closeAccessRequest(tx, record, request, { reason: 'lapsed', assignmentId: null, now });
      }
    });
  }
}

/** Within the transaction that writes an assignment: what asked for it, or for less of it, has been answered. */
export async function answerAccessRequests(
  tx: Tx,
  record: (change: Change) => void,
  assignment: RoleAssignment,
): Promise<void> {
  if (assignment.condition != null) return;
  for (const request of await openOf(tx, assignment.principalId)) {
    const { roleDefinitionId, scope } = request;
    if (roleDefinitionId !== assignment.roleDefinitionId || !isWithin(scope, assignment.scope)) continue;
    const now = Date.parse(assignment.createdOn);
    await closeAccessRequest(tx, record, request, { reason: 'granted', assignmentId: assignment.id, now });
  }
}

async function openOf(db: Pick<Tx, 'selectFrom'>, person: PrincipalId): Promise<AccessRequestRecord[]> {
  const rows = await db
    .selectFrom('access_requests')
    .selectAll()
    .where('principal_id', '=', person)
    .where('closed_at', 'is', null)
    .orderBy('created_at')
    .execute();
  return rows.map(parseAccessRequest);
}

async function requireModesty(tx: Tx, person: PrincipalId, open: number, now: number): Promise<void> {
  if (open >= mostOpen) {
    throw failure(
      'too_many_attempts',
      `You have asked for ${open} things that nobody has answered yet; wait for some of them.`,
      { retryAfterSeconds: 3_600 },
    );
  }
  const recent = await tx
    .selectFrom('access_requests')
    .select('created_at')
    .where('principal_id', '=', person)
    .where('created_at', '>', now - hour)
    .orderBy('created_at')
    .execute();
  const [first] = recent;
  if (first !== undefined && recent.length >= mostInAnHour) {
    throw failure('too_many_attempts', `You have asked for ${recent.length} things within the hour.`, {
      retryAfterSeconds: Math.ceil((first.created_at + hour - now) / 1000),
    });
  }
}
