import type { Reply, RequestHead } from '../../gateway/types.ts';
import { errorTable, type ErrorCode, type LockstepError } from '../../lib/errors.ts';
import { denialFacts } from '../denial-facts.ts';

/** Codes that Graph's clients know; every other code is the table's Azure code. */
const graphCodes: Partial<Record<ErrorCode, string>> = {
  access_denied: 'Authorization_RequestDenied',
  unknown_route: 'Authorization_RequestDenied',
  not_found: 'Request_ResourceNotFound',
  invalid_request: 'Request_BadRequest',
  invalid_json: 'Request_BadRequest',
  conflict: 'Request_MultipleObjectsWithSameKeyValue',
  authentication_required: 'InvalidAuthenticationToken',
};

export interface Challenge {
  readonly publicUrl: string;
  readonly tenantId: string;
}

/** Graph's error shape. learn.microsoft.com/graph/errors#json-representation */
export function renderGraphError(error: LockstepError, head: RequestHead, challenge: Challenge): Reply {
  const denial = denialFacts(error);
  const code = graphCodes[error.code] ?? errorTable[error.code].azure;
  const named = error.details['graphCode'];
  const body = {
    error: {
      code: typeof named === 'string' ? named : code,
      message: error.publicMessage,
      innerError: {
        'request-id': head.id,
        'client-request-id': head.headers['client-request-id'] ?? head.id,
        ...(denial && {
          decisionId: denial.decisionId,
          policyId: denial.policyId,
          action: denial.action,
          scope: denial.scope,
        }),
      },
    },
  };
  const authorize = `${challenge.publicUrl}/${challenge.tenantId}/oauth2/v2.0/authorize`;
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'request-id': head.id,
      ...(denial && { 'x-lockstep-decision-id': denial.decisionId }),
      ...(error.status === 401 && {
        'www-authenticate': `Bearer realm="", authorization_uri="${authorize}", error="invalid_token"`,
      }),
    },
    body: JSON.stringify(body),
  };
}
