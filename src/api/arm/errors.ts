import {
  armErrorBody,
  authorizationFailedMessage,
  type ArmError,
} from '../../gateway/adapters/azureml/arm-error.ts';
import type { Reply, RequestHead } from '../../gateway/types.ts';
import { errorTable, type LockstepError } from '../../lib/errors.ts';
import { denialFacts, type DenialFacts } from '../denial-facts.ts';

export interface ArmErrorContext {
  readonly publicUrl: string;
  readonly tenantId: string;
  /** What a principal is called; undefined when it is not known. */
  principalName(id: string): string | undefined;
}

/** Any failure in the resource manager's shape. */
export function renderArmError(error: LockstepError, head: RequestHead, context: ArmErrorContext): Reply {
  return armErrorReply(error, armErrorOf(error, context), head, context);
}

/**
 * What is said of a failure. `details.azureCode` and `details.target` go before the table's code; a denial is in Azure's
 * own words, followed by our decision and the command that explains it.
 */
export function armErrorOf(error: LockstepError, context: ArmErrorContext): ArmError {
  const denial = denialFacts(error);
  const refused = error.code === 'access_denied' ? denial : null;
  const { azureCode, target } = error.details;
  return {
    code: typeof azureCode === 'string' ? azureCode : errorTable[error.code].azure,
    message: refused === null ? error.publicMessage : refusedMessage(error, refused, context),
    ...(typeof target === 'string' && { target }),
    ...(denial && { additionalInfo: [{ type: 'LockstepDecision', info: decisionInfo(denial) }] }),
  };
}

/** `beside` stands in the body next to the member `error`. */
export function armErrorReply(
  error: LockstepError,
  body: ArmError,
  head: RequestHead,
  context: ArmErrorContext,
  beside: object = {},
): Reply {
  const denial = denialFacts(error);
  const { allow } = error.details;
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-ms-request-id': head.id,
      'x-ms-error-code': body.code,
      ...(denial && { 'x-lockstep-decision-id': denial.decisionId }),
      ...(Array.isArray(allow) && { allow: allow.join(', ') }),
      ...(error.status === 401 && { 'www-authenticate': challenge(error, context) }),
    },
    body: armErrorBody(body, beside),
  };
}

function refusedMessage(error: LockstepError, refused: DenialFacts, context: ArmErrorContext): string {
  const objectId = refused.decidedFor ?? '';
  const { action, scope } = refused;
  const clientName = context.principalName(objectId) ?? objectId;
  return `${authorizationFailedMessage({ clientName, objectId, action, scope })} ${error.publicMessage}`;
}

function decisionInfo(denial: DenialFacts) {
  const { decisionId, policyId, action, dataAction, scope, decidedFor } = denial;
  return { decisionId, policyId, action, dataAction, scope, decidedFor };
}

/** RFC 6750 §3, with the `authorization_uri` that Azure's clients look for. */
function challenge(error: LockstepError, { publicUrl, tenantId }: ArmErrorContext): string {
  const code = error.code === 'authentication_required' ? '' : `, error="${errorTable[error.code].oauth}"`;
  return `Bearer authorization_uri="${publicUrl}/${tenantId}/oauth2/authorize"${code}`;
}
