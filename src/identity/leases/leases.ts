import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import {
  newLeaseId,
  newSecret,
  type LeaseId,
  type PrincipalId,
  type Secret,
  type TenantId,
} from '../../lib/ids.ts';
import {
  systemAttribution,
  type ActorRef,
  type Attribution,
  type Change,
  type Commit,
  type LeaseEndReason,
  type LeaseRecord,
  type Tx,
} from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { Liveness } from '../liveness.ts';
import { linkClaim } from '../tokens/claims.ts';
import type { IssuedToken, TokenIssuer } from '../tokens/issue.ts';
import { toLease } from './lease-row.ts';

export interface LeasesOptions {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly tenantId: TenantId;
  readonly liveness: Liveness;
  readonly issuer: TokenIssuer;
  /** Life of a job's access token in seconds. */
  readonly tokenSeconds: number;
  /** Whether tokens for this resource are issued here; the audience echoes it exactly. */
  readonly knowsResource: (resource: string) => boolean;
  /** Policy: whether the base right on which the job runs still stands. */
  readonly stillAllowed: (lease: LeaseRecord) => boolean | Promise<boolean>;
}

export interface NewLease {
  readonly jobId: PrincipalId;
  /** Scope of the job resource, in normal form. */
  readonly jobScope: string;
  readonly ownerId: PrincipalId;
  readonly submitterId: PrincipalId;
  /** First the owner, last the job. */
  readonly chain: readonly ActorRef[];
}

export interface LeaseTokenRequest {
  readonly leaseId: string;
  /** What `start` returned; the secret of the queue is refused. */
  readonly secret: string;
  readonly resource: string;
  /** Asked life of the token in seconds; only ever shortens. */
  readonly lifetimeSeconds?: number;
}

/**
 * The life of a job's identity. A lease is opened with the job, with a secret that proves the submission while it
 * is queued; starting replaces it by one that only the runner's side holds; ending takes everything away with the
 * commit. The secret is no token: it never expires by time, so that a job whose gateway was away for an hour renews
 * like any other, and it is worth nothing once the lease has ended. Only its digest is kept.
 */
export class Leases {
  readonly #options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /** Opens a lease within the transaction that submits the job. */
  async open(
    tx: Tx,
    record: (change: Change) => void,
    wanted: NewLease,
  ): Promise<{ lease: LeaseRecord; secret: Secret }> {
    const now = this.#options.clock.now();
    if (wanted.chain[0]?.id !== wanted.ownerId || wanted.chain.at(-1)?.id !== wanted.jobId)
      throw new RangeError('the chain of a lease begins with its owner and ends with its job');
    const lease: LeaseRecord = {
      id: newLeaseId(now),
      jobId: wanted.jobId,
      jobScope: wanted.jobScope,
      ownerId: wanted.ownerId,
      submitterId: wanted.submitterId,
      chain: wanted.chain,
      state: 'queued',
    };
    const secret = newSecret();
    await tx
      .insertInto('leases')
      .values({
        id: lease.id,
        job_id: lease.jobId,
        job_scope: lease.jobScope,
        owner_id: lease.ownerId,
        submitter_id: lease.submitterId,
        chain_json: JSON.stringify(lease.chain.map(linkClaim)),
        state: lease.state,
        secret_digest: digestOf(secret).toString('base64url'),
        created_at: now,
        started_at: null,
        ended_at: null,
        end_reason: null,
        last_seen_at: null,
      })
      .execute();
    record({ kind: 'lease.opened', lease });
    return { lease, secret };
  }

  /** Queued becomes running; the secret of the queue stops working. Throws `lease_ended`, or `conflict` if it runs. */
  async start(by: Attribution, leaseId: LeaseId): Promise<Secret> {
    return this.#options.commit(by, async (tx, record) => this.startWithin(tx, record, leaseId));
  }

  /**
   * `start` within the caller's transaction. A right that was lost between the submission's decision and its commit is
   * missed by every later recheck, so the ground is looked at once more. Throws `lease_ended` when it is gone.
   */
  async startWithin(tx: Tx, record: (change: Change) => void, leaseId: LeaseId): Promise<Secret> {
    const before = await requireOpen(tx, leaseId);
    if (before.state !== 'queued') throw failure('conflict', `The lease ${leaseId} has been started before.`);
    const lost = await this.#lostBecause(before);
    if (lost !== null) throw endedError(`may not start: ${lost}`);
    const secret = newSecret();
    await tx
      .updateTable('leases')
      .set({
        state: 'running',
        started_at: this.#options.clock.now(),
        secret_digest: digestOf(secret).toString('base64url'),
      })
      .where('id', '=', leaseId)
      .execute();
    record({ kind: 'lease.started', lease: { ...before, state: 'running' } });
    return secret;
  }

  /**
   * A token for the job, if the secret is right, the lease runs, everyone in whose name the job acts is alive and
   * policy still stands behind it. Throws `invalid_client`, `invalid_resource`, or `lease_ended` (403: clients of
   * managed identity endpoints retry 404, 410 and 5xx, and give up on this).
   */
  async issueToken(request: LeaseTokenRequest): Promise<IssuedToken & { readonly lease: LeaseRecord }> {
    const { store, liveness, issuer, clock } = this.#options;
    const row = await this.#requireSecret(request.leaseId, request.secret);
    if (row.state !== 'running') throw endedError(row.state === 'queued' ? 'has not started' : 'has ended');
    if (!this.#options.knowsResource(request.resource))
      throw failure('invalid_resource', `No tokens are issued here for ${request.resource.slice(0, 200)}.`);
    const lease = toLease(row);
    const reason = await this.recheck(lease);
    if (reason !== null) throw endedError(`was ended: ${reason}`);
    const owner = liveness.principal(lease.ownerId);
    if (owner === undefined) throw endedError('has lost its owner');
    const issued = await issuer.issue({
      subject: owner,
      audience: request.resource,
      lifetimeSeconds: Math.min(this.#options.tokenSeconds, request.lifetimeSeconds ?? Infinity),
      chain: lease.chain,
      authorities: authoritiesOf(lease),
      leaseId: lease.id,
      clientId: lease.jobId,
      idType: 'user',
      appidacr: '1',
    });
    await store.db
      .updateTable('leases')
      .set({ last_seen_at: clock.now() })
      .where('id', '=', lease.id)
      .execute();
    return { ...issued, lease };
  }

  /** The lease that this secret is for, whatever its state. Throws `invalid_client`. */
  async authenticate(leaseId: string, secret: string): Promise<LeaseRecord> {
    return toLease(await this.#requireSecret(leaseId, secret));
  }

  async #requireSecret(leaseId: string, secret: string) {
    const row = await this.#options.store.db
      .selectFrom('leases')
      .selectAll()
      .where('id', '=', leaseId)
      .executeTakeFirst();
    const stored = row?.secret_digest ?? digestOf('').toString('base64url');
    const right = timingSafeEqual(digestOf(secret), Buffer.from(stored, 'base64url'));
    if (row === undefined || !right)
      throw failure(
        'invalid_client',
        'The lease secret is wrong; this is not the job that the lease is for.',
      );
    return row;
  }

  /** Ends a lease; every token that was issued under it is refused from the commit on. Ending twice changes nothing. */
  async end(by: Attribution, leaseId: LeaseId, reason: LeaseEndReason): Promise<void> {
    await this.#options.commit(by, async (tx, record) => this.endWithin(tx, record, leaseId, reason));
  }

  /** `end` within the caller's transaction. */
  async endWithin(
    tx: Tx,
    record: (change: Change) => void,
    leaseId: LeaseId,
    reason: LeaseEndReason,
  ): Promise<void> {
    const row = await tx
      .updateTable('leases')
      .set({ state: 'ended', ended_at: this.#options.clock.now(), end_reason: reason })
      .where('id', '=', leaseId)
      .where('state', '<>', 'ended')
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) return;
    record({ kind: 'lease.ended', lease: toLease(row), reason });
  }

  /** Ends every open lease that the predicate picks; answers those. */
  async endAllWhere(
    by: Attribution,
    reason: LeaseEndReason,
    picks: (lease: LeaseRecord) => boolean,
  ): Promise<LeaseRecord[]> {
    const picked = this.list().filter(picks);
    for (const lease of picked) await this.end(by, lease.id, reason);
    return picked;
  }

  /**
   * Ends the lease if someone in whose name the job acts is gone, or policy no longer stands behind it; answers the
   * reason, null if the job may go on. To be called for open leases after every change of policy or principals.
   */
  async recheck(lease: LeaseRecord): Promise<LeaseEndReason | null> {
    const reason = await this.#lostBecause(lease);
    if (reason !== null)
      await this.end(systemAttribution(this.#options.tenantId, 'leases'), lease.id, reason);
    return reason;
  }

  /** The leases that have not ended. */
  list(): LeaseRecord[] {
    return this.#options.liveness.openLeases();
  }

  async #lostBecause(lease: LeaseRecord): Promise<LeaseEndReason | null> {
    const { liveness } = this.#options;
    for (const id of authoritiesOf(lease)) if (liveness.whyDead(id) !== null) return 'owner-disabled';
    return (await this.#options.stillAllowed(lease)) ? null : 'owner-lost-right';
  }
}

/** In whose names a job acts: delegation only narrows, so each must be allowed. */
export function authoritiesOf(lease: LeaseRecord): PrincipalId[] {
  return [...new Set([lease.ownerId, lease.submitterId, lease.jobId])];
}

async function requireOpen(tx: Tx, leaseId: LeaseId): Promise<LeaseRecord> {
  const row = await tx.selectFrom('leases').selectAll().where('id', '=', leaseId).executeTakeFirst();
  if (row === undefined || row.state === 'ended') throw endedError('has ended');
  return toLease(row);
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

function endedError(what: string) {
  return failure('lease_ended', `The job behind this identity ${what}.`);
}
