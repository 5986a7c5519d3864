import { asLockstepError, type ErrorCode } from '../../lib/errors.ts';
import type { RequestId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { TransportFault } from '../upstream/transport.ts';

/** Failures that are no fault of ours. What an upstream does to many requests is told once, when its state changes. */
const notOurs: ReadonlySet<ErrorCode> = new Set([
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_unavailable',
  'server_busy',
  'draining',
  'not_implemented',
  'not_witnessed',
]);

/** Of what is told about a failure of others. */
const longest = 300;

export interface FailedRequest {
  readonly request: RequestId;
  readonly surface: string;
}

/**
 * A request that failed with 5xx: our own fault whole, with its stack; an answer that an upstream began and broke off
 * in one line, for no change of state tells of it; any other in one short line for who debugs.
 */
export function logFailure(
  log: Log,
  thrown: unknown,
  { request, surface }: FailedRequest,
  what: string,
): void {
  const error = asLockstepError(thrown);
  const { code, cause } = error;
  if (code === 'internal' && cause instanceof TransportFault) {
    log.warn({ request, surface, why: cause.message.slice(0, longest) }, 'an upstream broke off its answer');
    return;
  }
  if (!notOurs.has(code)) {
    log.error({ err: error, request, surface, code }, what);
    return;
  }
  if (!log.isLevelEnabled('debug')) return;
  const why = cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
  log.debug({ request, surface, code, why: why.slice(0, longest) }, what);
}
