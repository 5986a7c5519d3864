import { z } from 'zod';
import { routeTable } from '../../gateway/route-table.ts';
import type { Params, Route } from '../../gateway/routes.ts';
import type { Exchange, Guard, Reply, Surface } from '../../gateway/types.ts';
import { asLockstepError, failure, type LockstepError } from '../../lib/errors.ts';
import type { LeaseId, TenantId } from '../../lib/ids.ts';
import { epochSeconds, type Clock } from '../../lib/clock.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { LeaseRecord } from '../../store/changes.ts';

export interface WorkloadSurfaceOptions {
  readonly leases: {
    /** Throws `invalid_client`, `invalid_resource` or `lease_ended`. */
    issueToken(request: {
      readonly leaseId: string;
      readonly secret: string;
      readonly resource: string;
      readonly lifetimeSeconds?: number;
    }): Promise<{
      readonly token: string;
      readonly tokenId: string;
      /** Seconds since the epoch. */
      readonly expiresAt: number;
    }>;
    /** The lease that this secret is for. Throws `invalid_client`. */
    authenticate(leaseId: string, secret: string): Promise<LeaseRecord>;
  };
  readonly jobs: { reportExit(leaseId: LeaseId): Promise<void> };
  readonly record: RecordFact;
  readonly clock: Clock;
  readonly tenantId: TenantId;
}

const tokenRequest = z.strictObject({
  resource: z.string().min(1).max(512),
  lifetimeSeconds: z.int().min(5).max(86_400).optional(),
});
const body = { kind: 'buffered', maxBytes: 16_384, mediaTypes: ['application/json'] } as const;

/**
 * Where the runner's side of a job asks for the job's next token and says that the job has ended. The credential is the
 * lease's secret, which only that lease knows, so the routes are open to the pipeline and each checks it by itself,
 * first of all and in constant time.
 */
export function workloadSurface(options: WorkloadSurfaceOptions): Surface {
  const guard = (params: Params): Guard => ({
    kind: 'public',
    rule: 'workload-lease',
    scope: `/providers/lockstep.access/leases/${(params['lease'] ?? '').toLowerCase()}`,
  });
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/lockstep/v1/leases/:lease/token',
      operation: 'renew-job-token',
      effect: 'read',
      body,
      guard,
      serve: (exchange, params) => renew(options, exchange, params['lease'] ?? ''),
    },
    {
      method: 'POST',
      path: '/lockstep/v1/leases/:lease/exit',
      operation: 'report-job-exit',
      effect: 'read',
      body,
      guard,
      serve: async (exchange, params) => {
        const lease = await options.leases.authenticate(params['lease'] ?? '', secretOf(exchange));
        await options.jobs.reportExit(lease.id);
        return { status: 204 };
      },
    },
  ];
  return {
    name: 'workload',
    matches: (head) => head.path.startsWith('/lockstep/v1/leases/'),
    audiences: [],
    acceptsSessionCookie: false,
    describe: routeTable(routes),
    renderError,
  };
}

async function renew(options: WorkloadSurfaceOptions, exchange: Exchange, leaseId: string): Promise<Reply> {
  const { resource, lifetimeSeconds } = exchange.json(tokenRequest);
  const renewal = { options, exchange, leaseId, resource };
  let lease: LeaseRecord | null = null;
  try {
    const secret = secretOf(exchange);
    lease = await options.leases.authenticate(leaseId, secret);
    const issued = await options.leases.issueToken({
      leaseId,
      secret,
      resource,
      ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
    });
    await recordRenewal(renewal, lease, { issued });
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: JSON.stringify({
        token_type: 'Bearer',
        access_token: issued.token,
        expires_on: issued.expiresAt,
        not_before: epochSeconds(options.clock),
        resource,
      }),
    };
  } catch (thrown) {
    const error = asLockstepError(thrown);
    if (error.code !== 'ledger_unavailable') await recordRenewal(renewal, lease, { error });
    throw error;
  }
}

interface Renewal {
  readonly options: WorkloadSurfaceOptions;
  readonly exchange: Exchange;
  readonly leaseId: string;
  readonly resource: string;
}

interface RenewalOutcome {
  readonly issued?: { readonly tokenId: string; readonly expiresAt: number };
  readonly error?: LockstepError;
}

/**
 * A renewal, granted or refused, is an event of its own: under the job's chain once the secret has proved which job
 * it is, though its lease may have ended.
 */
async function recordRenewal(
  { options, exchange, leaseId, resource }: Renewal,
  lease: LeaseRecord | null,
  { issued, error }: RenewalOutcome,
): Promise<void> {
  const job = lease?.chain.at(-1);
  await options.record({
    kind: 'authentication',
    attribution: {
      ...exchange.attribution,
      ...(lease === null ? {} : { chain: lease.chain, leaseId: lease.id }),
      ...(issued === undefined ? {} : { tokenId: issued.tokenId }),
    },
    activity: 'token-renewal',
    succeeded: issued !== undefined,
    failureCode: error?.code ?? null,
    principalId: job?.id ?? null,
    principalName: job?.name ?? null,
    method: 'lease-secret',
    audience: issued === undefined ? null : resource,
    tokenId: issued?.tokenId ?? null,
    expiresAt: issued?.expiresAt ?? null,
    // A stranger may ask, for anything: that is typed text, which the detail may hold.
    detail: { lease: leaseId.slice(0, 64), ...(issued === undefined && { resource }) },
  });
}

/** RFC 6750 §2.1. */
function secretOf(exchange: Exchange): string {
  const match = /^Bearer ([A-Za-z0-9_-]{16,128})$/i.exec(exchange.head.headers.authorization ?? '');
  if (match?.[1] === undefined) {
    throw failure('invalid_client', 'Send the secret of the lease as a bearer token.');
  }
  return match[1];
}

/** A wrong secret is 403, not 401: there is nobody to sign in, and the runner's side must not try again. */
function renderError(error: LockstepError): Reply {
  const status = error.status === 401 ? 403 : error.status;
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ error: { code: error.code, message: error.publicMessage } }),
  };
}
