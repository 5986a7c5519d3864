import { hash } from 'node:crypto';
import type { JsonObject } from '../../../lib/canonical-json.ts';
import { epochSeconds, type Clock } from '../../../lib/clock.ts';
import type { Caller } from '../../../identity/caller.ts';
import { assertionSeconds } from '../../../identity/tokens/sign-assertion.ts';
import type { Exchange } from '../../types.ts';

export interface AssertedRequest {
  readonly issuer: string;
  /** Name of the connection. */
  readonly audience: string;
  /** Host header that the upstream receives. */
  readonly host: string;
  /** Path and query exactly as the upstream receives them. */
  readonly target: string;
}

/**
 * Who is calling, for the upstream: claims of a JWT that hold for this one request (method, host, and the SHA-256 of
 * path and query, base64url) and this one connection, for 60 s. `act` nests the actors of RFC 8693 §4.1, the current
 * one outermost; `lockstep_chain` lists them in order.
 */
export function assertionClaims(
  exchange: Exchange,
  caller: Caller,
  request: AssertedRequest,
  clock: Clock,
): JsonObject {
  const act = actorsOf(caller);
  return {
    ...requestClaims(request, exchange.head.method, exchange.head.id, clock),
    sub: caller.subject.id,
    oid: caller.subject.id,
    tid: caller.tenantId,
    name: caller.subject.name,
    lockstep_decision: exchange.decision.id,
    lockstep_chain: caller.chain.map(({ kind, id, name }) => ({ kind, id, name })),
    ...(act === null ? {} : { act }),
  };
}

/** Who the gateway itself is to an upstream that it asks something; no principal has such an id. */
export const gatewaySubject = 'lockstep-gateway';

/** The same statement for what the gateway asks of its own account, to decide on what somebody else wants. */
export function gatewayClaims(
  request: AssertedRequest,
  method: string,
  id: string,
  clock: Clock,
): JsonObject {
  return {
    ...requestClaims(request, method, id, clock),
    sub: gatewaySubject,
    name: 'Lockstep',
    lockstep_chain: [],
  };
}

function requestClaims(request: AssertedRequest, method: string, id: string, clock: Clock): JsonObject {
  const now = epochSeconds(clock);
  return {
    iss: request.issuer,
    aud: request.audience,
    iat: now,
    nbf: now,
    exp: now + assertionSeconds,
    jti: id,
    method,
    host: request.host,
    path_sha256: hash('sha256', Buffer.from(request.target, 'latin1'), 'base64url'),
  };
}

/** Null when the subject acts by itself. */
function actorsOf(caller: Caller): JsonObject | null {
  if (caller.chain.at(-1)?.id === caller.subject.id) return null;
  let act: JsonObject | null = null;
  for (const { id, kind, name } of caller.chain) {
    if (id === caller.subject.id) continue;
    act = { sub: id, kind, name, ...(act === null ? {} : { act }) };
  }
  return act;
}
