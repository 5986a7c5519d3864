import { randomUUID } from 'node:crypto';
import type { Reply, RequestHead } from '../../gateway/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorTable, LockstepError, type ErrorCode } from '../../lib/errors.ts';
import { correlationIdOf, jsonReply, type EntraErrorBody } from './dialect.ts';

/** AADSTS numbers for failures that carry none of their own; clients and their users search for these. */
const numbers: Partial<Record<ErrorCode, number>> = {
  invalid_request: 900_144,
  invalid_resource: 500_011,
  invalid_scope: 70_011,
  invalid_client: 7_000_218,
  invalid_grant: 70_008,
  unauthorized_client: 700_016,
  unsupported_grant_type: 70_003,
  federation_mismatch: 700_213,
  assertion_replayed: 5_000_819,
  too_many_attempts: 50_196,
  unknown_route: 90_002,
  ledger_unavailable: 90_033,
  policy_unavailable: 90_033,
  draining: 90_033,
  internal: 90_033,
};

/** A refusal with the number that Entra gives it. */
export function refusal<Code extends ErrorCode>(
  code: Code,
  aadsts: number,
  publicMessage: string,
  details: Readonly<Record<string, unknown>> = {},
): LockstepError<Code> {
  return new LockstepError({ code, publicMessage, details: { ...details, aadsts } });
}

/**
 * Every failure of the token service as Entra writes it: JSON, never a page. `retryAfterSeconds` in the details
 * becomes Retry-After. learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
export function renderEntraError(error: LockstepError, head: RequestHead, clock: Clock): Reply {
  const { aadsts, retryAfterSeconds } = error.details;
  const number = typeof aadsts === 'number' ? aadsts : (numbers[error.code] ?? 90_014);
  const traceId = randomUUID();
  const sent = head.headers['client-request-id'];
  const correlationId = correlationIdOf(typeof sent === 'string' ? sent : undefined) ?? randomUUID();
  const timestamp = `${new Date(clock.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const body: EntraErrorBody = {
    error: errorTable[error.code].oauth,
    error_description: `AADSTS${number}: ${error.publicMessage} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  };
  const temporary = error.details['temporary'] === true;
  const reply = jsonReply(temporary ? 503 : error.status, body);
  const wait = typeof retryAfterSeconds === 'number' ? retryAfterSeconds : temporary ? 10 : null;
  return wait === null ? reply : { ...reply, headers: { ...reply.headers, 'retry-after': String(wait) } };
}
