import type { Clock } from '../lib/clock.ts';
import { failure, type LockstepError } from '../lib/errors.ts';
import type { LeaseId, PrincipalId, SessionId } from '../lib/ids.ts';
import type { Change, Follower, LeaseRecord, PrincipalRecord, SessionRecord } from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import { toPrincipal } from './directory/principals.ts';
import { toLease } from './leases/lease-row.ts';
import { toSession } from './session-row.ts';
import type { Caller } from './caller.ts';

/** The links of a chain that the directory knows; a CI run is known only through its application. */
const inDirectory = new Set(['user', 'application', 'managed-identity', 'job']);

const sweepMilliseconds = 60_000;

/**
 * Whether the identity behind a credential is still alive, answered from memory on every request. It holds every
 * principal, the open sessions, the leases that have not ended and the tokens revoked before their time, and is fed
 * by the same changes that the ledger records. What it does not know is dead: an unknown session or lease is an
 * ended one.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #principals = new Map<PrincipalId, PrincipalRecord>();
  readonly #sessions = new Map<SessionId, SessionRecord>();
  readonly #leases = new Map<LeaseId, LeaseRecord>();
  /** Token id to the second at which it expires anyway. */
  readonly #revoked = new Map<string, number>();
  #sweepAt = 0;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reads the present state. Follow the ledger before anything else is committed. */
  static async load(store: Store, clock: Clock): Promise<Liveness> {
    const liveness = new Liveness(clock);
    const now = clock.now();
    for (const row of await store.db.selectFrom('principals').selectAll().execute()) {
      const principal = toPrincipal(row);
      liveness.#principals.set(principal.id, principal);
    }
    const sessions = await store.db
      .selectFrom('sessions')
      .selectAll()
      .where('ended_at', 'is', null)
      .where('expires_at', '>', now)
      .execute();
    for (const row of sessions) liveness.#apply({ kind: 'session.opened', session: toSession(row) });
    const leases = await store.db.selectFrom('leases').selectAll().where('state', '<>', 'ended').execute();
    for (const row of leases) liveness.#apply({ kind: 'lease.opened', lease: toLease(row) });
    for (const row of await store.db.selectFrom('revoked_tokens').selectAll().execute())
      liveness.#revoked.set(row.token_id, Math.ceil(row.expires_at / 1000));
    return liveness;
  }

  /** To be given to `Ledger.follow`. */
  readonly follower: Follower = (committed) => {
    for (const { change } of committed) this.#apply(change);
  };

  /**
   * Null while the caller may ask; else `expired_token`, or `revoked_token` saying what ended. Costs a lookup per
   * link of the chain.
   */
  check(caller: Caller): LockstepError | null {
    return this.#expired(caller) ?? this.checkBegun(caller);
  }

  /** The same of what the caller has begun: it outlives a credential that a lease or a sign-in keeps alive. */
  checkBegun(caller: Caller): LockstepError | null {
    const { credential } = caller;
    const now = this.#clock.now();
    this.#sweep(now);
    const isKept = credential.leaseId !== null || credential.sessionId !== null;
    const expired = isKept ? null : this.#expired(caller);
    if (expired !== null) return expired;
    if (this.#revoked.has(credential.tokenId)) return ended('this token was revoked');
    for (const id of caller.authorities) {
      const dead = this.#deadPrincipal(id);
      if (dead !== null) return ended(dead);
    }
    for (const actor of caller.chain) {
      if (!inDirectory.has(actor.kind)) continue;
      const dead = this.#deadPrincipal(actor.id as PrincipalId);
      if (dead !== null) return ended(dead);
    }
    return this.#deadSession(caller, now) ?? this.#deadLease(caller);
  }

  principal(id: string): PrincipalRecord | undefined {
    return this.#principals.get(id as PrincipalId);
  }

  /** A lease that has not ended. */
  lease(id: LeaseId): LeaseRecord | undefined {
    return this.#leases.get(id);
  }

  openLeases(): LeaseRecord[] {
    return [...this.#leases.values()];
  }

  /** Why this principal may not act, for people to read; null if it may. */
  whyDead(id: PrincipalId): string | null {
    return this.#deadPrincipal(id);
  }

  #expired({ credential }: Caller): LockstepError | null {
    if (credential.expiresAt * 1000 > this.#clock.now()) return null;
    return failure('expired_token', 'The credential has expired.');
  }

  #deadPrincipal(id: PrincipalId): string | null {
    const principal = this.#principals.get(id);
    if (principal === undefined) return `the principal ${id} no longer exists`;
    if (!principal.enabled) return `${principal.displayName} is disabled`;
    if (principal.kind === 'user') return null;
    if (principal.sponsorId === null) return `no person answers for ${principal.displayName}`;
    const sponsor = this.#principals.get(principal.sponsorId);
    if (sponsor === undefined) return `the person who answered for ${principal.displayName} no longer exists`;
    if (!sponsor.enabled)
      return `${sponsor.displayName}, who answers for ${principal.displayName}, is disabled`;
    return null;
  }

  #deadSession(caller: Caller, now: number): LockstepError | null {
    const { sessionId } = caller.credential;
    if (sessionId === null) return null;
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.principalId !== caller.subject.id)
      return ended('the sign-in behind it has ended');
    return session.expiresAt <= now ? ended('the sign-in behind it has expired') : null;
  }

  #deadLease(caller: Caller): LockstepError | null {
    const { leaseId } = caller.credential;
    if (leaseId === null) return null;
    const lease = this.#leases.get(leaseId);
    if (lease === undefined || !caller.authorities.includes(lease.jobId)) return ended('its job has ended');
    return lease.state === 'running' ? null : ended('its job is not running');
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case 'principal.created':
      case 'principal.updated':
        this.#principals.set(change.principal.id, change.principal);
        break;
      case 'principal.deleted':
        this.#principals.delete(change.id);
        break;
      case 'session.opened':
        this.#sessions.set(change.session.id, change.session);
        break;
      case 'session.closed':
        this.#sessions.delete(change.session.id);
        break;
      case 'lease.opened':
      case 'lease.started':
        this.#leases.set(change.lease.id, change.lease);
        break;
      case 'lease.ended':
        this.#leases.delete(change.lease.id);
        break;
      case 'token.revoked':
        this.#revoked.set(change.tokenId, this.#revokedUntil(change.expiresAt));
        break;
      case 'group.member-added':
      case 'group.member-removed':
      case 'credential.added':
      case 'credential.removed':
      case 'role-definition.put':
      case 'role-definition.deleted':
      case 'role-assignment.put':
      case 'role-assignment.deleted':
      case 'deny-assignment.put':
      case 'deny-assignment.deleted':
      case 'scope.placed':
      case 'scope.removed':
      case 'assertion.used':
      case 'signing-key.added':
      case 'signing-key.retired':
      case 'ledger-key.announced':
      case 'ledger-key.began':
      case 'ledger-key.ended':
      case 'resource.put':
      case 'resource.deleted':
      case 'job.status':
      case 'container.created':
      case 'container.deleted':
      case 'blob.written':
      case 'blob.deleted':
      case 'configuration.changed':
      case 'access-request.opened':
      case 'access-request.closed':
      case 'person.erased':
        break;
    }
  }

  /** What one that has lapsed has begun is looked at behind this change, and ends. */
  #revokedUntil(expiresAt: number): number {
    return Math.ceil(Math.max(expiresAt, this.#clock.now() + sweepMilliseconds) / 1000);
  }

  /** Once a minute: what has expired by itself need not be remembered. */
  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + sweepMilliseconds;
    for (const [id, session] of this.#sessions) if (session.expiresAt <= now) this.#sessions.delete(id);
    for (const [id, expiresAt] of this.#revoked) if (expiresAt * 1000 <= now) this.#revoked.delete(id);
  }
}

function ended(why: string): LockstepError {
  return failure('revoked_token', `The identity behind this credential has ended: ${why}.`);
}
