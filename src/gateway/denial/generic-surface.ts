import type { LockstepError } from '../../lib/errors.ts';
import { errorTable } from '../../lib/errors.ts';
import { policyIdOf } from '../../policy/types.ts';
import { isGrpc, renderGrpcError } from '../grpc.ts';
import type { Reply, RequestHead, Surface } from '../types.ts';
import { decisionOf } from './decision-of.ts';

/** Answers where no surface does: plain JSON, never HTML. */
export const genericSurface: Surface = {
  name: 'edge',
  matches: () => true,
  audiences: [],
  acceptsSessionCookie: false,
  describe: () => null,
  renderError: renderJsonError,
};

/** Any failure in plain JSON, or as gRPC has it for a call: what happened, under which decision and policy, in which request. */
export function renderJsonError(error: LockstepError, head: RequestHead): Reply {
  if (isGrpc(head)) return renderGrpcError(error, head);
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
