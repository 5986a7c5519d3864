import type { Caller } from '../../identity/caller.ts';
import type { TenantId } from '../../lib/ids.ts';
import type { RequestFact } from '../../ledger/events.ts';
import { policyIdOf, type AccessAttributes, type Decision } from '../../policy/types.ts';
import type { Json, JsonObject } from '../../lib/canonical-json.ts';
import type { ActorRef, AttributeValue, Attribution } from '../../store/changes.ts';
import type { RequestHead } from '../types.ts';
import { boundedText } from './bounded-text.ts';
import { correlationOf } from './correlation.ts';

const anonymous: readonly ActorRef[] = [{ kind: 'anonymous', id: 'anonymous', name: 'anonymous' }];

/** To whom, and to which request and decision, everything of this exchange is attributed. */
export function attributionOf(
  tenantId: TenantId,
  head: RequestHead,
  caller: Caller | null,
  decision: Decision,
): Attribution {
  return {
    tenantId,
    chain: caller?.chain ?? anonymous,
    requestId: head.id,
    correlationId: correlationOf(head),
    sourceAddress: head.remoteAddress,
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
  const { access } = decision;
  const scope = boundedText(access.scope, 4096);
  const { attributes, isAltered } = boundedAttributes(access.attributes ?? {});
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
    scope,
    attributes,
    subOperation: access.subOperation ?? null,
    ...(access.subtree === undefined ? {} : { subtree: access.subtree }),
    ...(isAltered || scope !== access.scope ? { altered: true } : {}),
    userAgent: userAgentOf(head),
  };
}

export interface ListedParts {
  /** Of the request: its own decision, not those that are counted here. */
  readonly attribution: Attribution;
  readonly surface: string;
  readonly operation: string;
  /** Where the list hangs. */
  readonly scope: string;
  readonly decisions: readonly Decision[];
}

/** How many of the things shown a record names; the others it counts. */
const mostNamed = 100;

/** The one record of all that a list decided on. */
export function listedFact(parts: ListedParts): RequestFact {
  const { decisions } = parts;
  const shown = decisions.filter((decision) => decision.allowed);
  const actions = [...new Set(decisions.map(({ access }) => access.action))].sort();
  return {
    kind: 'request.listed',
    attribution: parts.attribution,
    surface: parts.surface,
    operation: boundedText(parts.operation, 512),
    scope: boundedText(parts.scope, 4096),
    asked: actions.map((action) => {
      const under = decisions.filter(({ access }) => access.action === action);
      return { action, looked: under.length, allowed: under.filter(({ allowed }) => allowed).length };
    }),
    shown: shown.slice(0, mostNamed).map(({ access }) => boundedText(access.scope, 256)),
  };
}

const mostAttributes = 64;

/** As data, never as structure of a caller's choice: names come from adapters, values are bounded. */
function boundedAttributes({ request, resource, environment }: AccessAttributes): {
  readonly attributes: JsonObject;
  readonly isAltered: boolean;
} {
  const attributes: Record<string, JsonObject> = {};
  let isAltered = false;
  const bounded = (value: string | number | boolean): Json => {
    if (typeof value !== 'string') return value;
    const text = boundedText(value, 1024);
    isAltered ||= text !== value;
    return text;
  };
  for (const [source, set] of [
    ['request', request],
    ['resource', resource],
    ['environment', environment],
  ] as const) {
    const entries: [string, AttributeValue][] = Object.entries(set ?? {});
    if (entries.length === 0) continue;
    isAltered ||= entries.length > mostAttributes;
    const of: Record<string, Json> = {};
    for (const [name, value] of entries.slice(0, mostAttributes)) {
      if (!isList(value)) of[name] = bounded(value);
      else {
        isAltered ||= value.length > mostAttributes;
        of[name] = value.slice(0, mostAttributes).map(bounded);
      }
    }
    attributes[source] = of;
  }
  return { attributes, isAltered };
}

function isList(value: AttributeValue): value is Extract<AttributeValue, readonly unknown[]> {
  return Array.isArray(value);
}

function userAgentOf(head: RequestHead): string | null {
  const text = head.headers['user-agent'];
  return text === undefined ? null : boundedText(text, 256);
}
