import type { Caller } from '../identity/caller.ts';
import type { TenantId } from '../lib/ids.ts';
import type { RequestFact } from '../ledger/events.ts';
import { policyIdOf, type Decision } from '../policy/types.ts';
import type { Json, JsonObject } from '../lib/canonical-json.ts';
import type { AccessAttributes } from '../policy/types.ts';
import type { ActorRef, AttributeValue, Attribution } from '../store/changes.ts';
import { boundedText } from './bounded-text.ts';
import { correlationOf } from './correlation.ts';
import type { RequestHead } from './types.ts';

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
  const attributes = boundedAttributes(access.attributes ?? {});
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
    ...(scope === access.scope && sameAttributes(attributes, access.attributes ?? {})
      ? {}
      : { altered: true }),
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
function boundedAttributes({ request, resource, environment }: AccessAttributes): JsonObject {
  const bounded: Record<string, JsonObject> = {};
  for (const [source, set] of Object.entries({ request, resource, environment })) {
    const entries: [string, AttributeValue][] = Object.entries(set ?? {}).slice(0, mostAttributes);
    if (entries.length === 0) continue;
    bounded[source] = Object.fromEntries(entries.map(([name, value]) => [name, boundedValue(value)]));
  }
  return bounded;
}

function sameAttributes(bounded: JsonObject, asked: AccessAttributes): boolean {
  return (['request', 'resource', 'environment'] as const).every(
    (source) => JSON.stringify(bounded[source] ?? {}) === JSON.stringify(asked[source] ?? {}),
  );
}

function boundedValue(value: AttributeValue): Json {
  if (Array.isArray(value))
    return value.slice(0, mostAttributes).map((each: string | number) => boundedScalar(each));
  return boundedScalar(value);
}

function boundedScalar(value: unknown): Json {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return boundedText(String(value), 1024);
}

function userAgentOf(head: RequestHead): string | null {
  const text = head.headers['user-agent'];
  return text === undefined ? null : boundedText(text, 256);
}
