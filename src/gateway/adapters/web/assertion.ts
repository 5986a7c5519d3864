import { createHash } from 'node:crypto';
import type { JsonObject } from '../../../lib/canonical-json.ts';
import { epochSeconds, type Clock } from '../../../lib/clock.ts';
import type { Caller } from '../../../identity/caller.ts';
import type { Exchange } from '../../types.ts';

/** How long an upstream may take it for true. */
export const assertionSeconds = 60;
/** The `typ` of its JOSE header (RFC 8725 §3.11); whoever signs the claims sets it. */
export const assertionType = 'lockstep-assertion+jwt';

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
  const now = epochSeconds(clock);
  const act = actorsOf(caller);
  return {
    iss: request.issuer,
    aud: request.audience,
    sub: caller.subject.id,
    oid: caller.subject.id,
    tid: caller.tenantId,
    name: caller.subject.name,
    iat: now,
    nbf: now,
    exp: now + assertionSeconds,
    jti: exchange.head.id,
    method: exchange.head.method,
    host: request.host,
    path_sha256: createHash('sha256').update(request.target, 'latin1').digest('base64url'),
    lockstep_decision: exchange.decision.id,
    lockstep_chain: caller.chain.map(({ kind, id, name }) => ({ kind, id, name })),
    ...(act === null ? {} : { act }),
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
