import type { LockstepError } from '../lib/errors.ts';
import { errorTable } from '../lib/errors.ts';
import { policyIdOf, type Decision } from '../policy/types.ts';
import type { Reply, RequestHead, Surface } from './types.ts';

/** Answers where no surface does: plain JSON, never HTML. */
export const genericSurface: Surface = {
  name: 'edge',
  matches: () => true,
  audiences: [],
  acceptsSessionCookie: false,
  describe: () => null,
  renderError: renderJsonError,
};

/** Any failure in plain JSON: what happened, under which decision and policy, in which request. */
export function renderJsonError(error: LockstepError, head: RequestHead): Reply {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: jsonErrorText(error, head),
  };
}

export function jsonErrorText(error: LockstepError, head: RequestHead): string {
  const decision = decisionOf(error);
  return JSON.stringify({
    error: {
      code: errorTable[error.code].azure,
      message: error.publicMessage,
      ...(decision === null
        ? {}
        : { decision: decision.id, reason: decision.cause.kind, policy: policyIdOf(decision.cause) }),
      requestId: head.id,
    },
  });
}

/** The decision that a denial carries, or null. */
export function decisionOf(error: LockstepError): Decision | null {
  const { decision } = error.details;
  return isDecision(decision) ? decision : null;
}

function isDecision(value: unknown): value is Decision {
  return typeof value === 'object' && value !== null && 'cause' in value && 'snapshotVersion' in value;
}
