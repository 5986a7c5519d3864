import { errorTable, type LockstepError } from '../../../lib/errors.ts';
import { policyIdOf } from '../../../policy/types.ts';
import { decisionOf } from '../../denial/decision-of.ts';
import type { Reply, RequestHead } from '../../types.ts';

/**
 * A failure as jupyter-server's own API tells it, `{"message", "reason"}`, which JupyterLab and other clients show to
 * their user; beside these, what Lockstep's errors name everywhere.
 */
export function renderJupyterError(error: LockstepError, head: RequestHead): Reply {
  const decision = decisionOf(error);
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({
      message: error.publicMessage,
      reason: errorTable[error.code].azure,
      ...(decision === null
        ? {}
        : { decision: decision.id, cause: decision.cause.kind, policy: policyIdOf(decision.cause) }),
      requestId: head.id,
    }),
  };
}
