import type { Exchange } from '../gateway/types.ts';
import { LockstepError } from '../lib/errors.ts';
import type { Access, Decision } from '../policy/types.ts';

/** The denial of a decision, for the surface to render. */
export function denied(decision: Decision, publicMessage?: string): LockstepError<'access_denied'> {
  return new LockstepError({
    code: 'access_denied',
    ...(publicMessage === undefined ? {} : { publicMessage }),
    details: { decision },
  });
}

/** A further right that this request needs, decided and recorded with it. Throws `access_denied`. */
export async function requireAlso(exchange: Exchange, access: Access): Promise<void> {
  const decision = await exchange.decideAlso(access);
  if (!decision.allowed) throw denied(decision);
}
