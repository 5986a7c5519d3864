import type { Caller } from '../identity/caller.ts';
import type { RequestId, TenantId } from '../lib/ids.ts';
import type { RequestFact } from '../ledger/events.ts';
import { policyIdOf, type Decision } from '../policy/types.ts';
import type { ActorRef, Attribution } from '../store/changes.ts';
import { boundedText } from './bounded-text.ts';
import type { RequestHead } from './types.ts';

const anonymous: readonly ActorRef[] = [{ kind: 'anonymous', id: 'anonymous', name: 'anonymous' }];

/** To whom, and to which request and decision, everything of this exchange is attributed. */
export function attributionOf(
  tenantId: TenantId,
  requestId: RequestId,
  sourceAddress: string,
  caller: Caller | null,
  decision: Decision,
): Attribution {
  return {
    tenantId,
    chain: caller?.chain ?? anonymous,
    requestId,
    sourceAddress,
    sessionId: caller?.credential.sessionId ?? null,
    leaseId: caller?.credential.leaseId ?? null,
    tokenId: caller?.credential.tokenId ?? null,
    decisionId: decision.id,
    policyId: policyIdOf(decision.cause),
    snapshotVersion: decision.snapshotVersion,
  };
}

export interface DecidedParts {
  readonly attribution: Attribution;
  readonly surface: string;
  readonly operation: string;
  readonly effect: 'read' | 'change';
  readonly decision: Decision;
}

/** The record of a decision. What a stranger may fill is bounded; the query is left out, it can hold secrets. */
export function decidedFact(head: RequestHead, parts: DecidedParts): RequestFact {
  const { decision } = parts;
  return {
    kind: 'request.decided',
    attribution: parts.attribution,
    surface: parts.surface,
    operation: boundedText(parts.operation, 512),
    effect: parts.effect,
    method: boundedText(head.method, 20),
    path: boundedText(head.path, 1024),
    allowed: decision.allowed,
    reason: decision.cause.kind,
    decidedFor: decision.decidedFor,
    authorities: decision.authorities,
    action: decision.access.action,
    dataAction: decision.access.dataAction,
    scope: boundedText(decision.access.scope, 4096),
    userAgent: userAgentOf(head),
  };
}

function userAgentOf(head: RequestHead): string | null {
  const text = head.headers['user-agent'];
  return text === undefined ? null : boundedText(text, 256);
}
