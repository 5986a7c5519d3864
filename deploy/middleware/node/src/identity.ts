import type { JWTPayload } from 'jose';

export interface Actor {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

/** Who is asking: the person or workload on whose account the request happens. */
export interface Identity {
  /** Object id. Decide by it: names change, ids do not. */
  readonly subject: string;
  readonly tenant: string;
  readonly name: string;
  /** First the person, then each that acts for them, last the one that has sent the request. */
  readonly chain: readonly Actor[];
  /** Under which it is in Lockstep's log. */
  readonly decision: string;
  readonly claims: JWTPayload;
}

export function identityOf(claims: JWTPayload): Identity {
  const links = claims['lockstep_chain'];
  return {
    subject: text(claims.sub),
    tenant: text(claims['tid']),
    name: text(claims['name']),
    chain: (Array.isArray(links) ? (links as unknown[]) : []).flatMap(actorOf),
    decision: text(claims['lockstep_decision']),
    claims,
  };
}

function actorOf(link: unknown): Actor[] {
  if (typeof link !== 'object' || link === null) return [];
  const { kind, id, name } = link as Record<string, unknown>;
  return [{ kind: text(kind), id: text(id), name: text(name) }];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
