import type { Reply, RequestHead } from '../../gateway/types.ts';
import type { LockstepError } from '../../lib/errors.ts';
import { denialFacts } from '../denial-facts.ts';

/** `{ error: { code, message, … } }`, with Lockstep's own codes; docs/reference/errors.md lists them. */
export function renderAdminError(error: LockstepError, head: RequestHead): Reply {
  const denial = denialFacts(error);
  const target = error.details['target'] ?? error.details['field'];
  const suggestion = error.details['suggestion'];
  const body = {
    error: {
      code: error.code,
      message: error.publicMessage,
      requestId: head.id,
      ...(typeof target === 'string' && { target }),
      ...(typeof suggestion === 'string' && { suggestion }),
      ...(denial && {
        decisionId: denial.decisionId,
        policyId: denial.policyId,
        action: denial.action,
        dataAction: denial.dataAction,
        scope: denial.scope,
        decidedFor: denial.decidedFor,
      }),
    },
  };
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(denial && { 'x-lockstep-decision-id': denial.decisionId }),
      ...(error.status === 401 && { 'www-authenticate': 'Bearer realm="lockstep"' }),
    },
    body: JSON.stringify(body),
  };
}
