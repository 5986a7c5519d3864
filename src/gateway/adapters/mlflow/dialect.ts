import type { LockstepError } from '../../../lib/errors.ts';
import { policyIdOf } from '../../../policy/types.ts';
import { decisionOf } from '../../denial/decision-of.ts';
import type { Reply, RequestHead } from '../../types.ts';
import type { DeniedRoute } from './denied-routes.ts';

/**
 * Any failure as MLflow's clients take it apart: JSON with `error_code` and `message`, whatever the client accepts,
 * and never a page. Clients repeat 408, 429, 500, 502, 503 and 504, and raise the rest as a RestException.
 */
export function renderMlflowError(
  error: LockstepError,
  head: RequestHead,
  denied: DeniedRoute | null,
): Reply {
  const decision = decisionOf(error);
  const unknown = error.code === 'unknown_route' || error.code === 'method_not_allowed';
  const status = unknown && denied !== null ? 403 : unknown ? 404 : error.status;
  const message =
    unknown && denied !== null
      ? `This route is not let through: ${denied.why}`
      : unknown
        ? `There is no endpoint ${head.method.slice(0, 20)} ${head.path.slice(0, 500)} here; what is not described is denied.`
        : error.publicMessage;
  const named = decision === null || message.includes(decision.id) ? '' : ` (decision ${decision.id})`;
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      error_code: errorCode(status),
      message: `${message}${named}`,
      ...(decision === null
        ? {}
        : { decision: decision.id, reason: decision.cause.kind, policy: policyIdOf(decision.cause) }),
      request_id: head.id,
    }),
  };
}

/** Names of mlflow/protos/databricks.proto. */
function errorCode(status: number): string {
  switch (status) {
    case 401:
      return 'UNAUTHENTICATED';
    case 403:
      return 'PERMISSION_DENIED';
    case 404:
      return 'ENDPOINT_NOT_FOUND';
    case 409:
      return 'RESOURCE_CONFLICT';
    case 429:
      return 'REQUEST_LIMIT_EXCEEDED';
    case 501:
      return 'NOT_IMPLEMENTED';
    case 502:
    case 503:
    case 504:
      return 'TEMPORARILY_UNAVAILABLE';
    default:
      return status >= 500 ? 'INTERNAL_ERROR' : 'INVALID_PARAMETER_VALUE';
  }
}
