import { accessDenied } from '../gateway/denial/denial.ts';
import type { Exchange } from '../gateway/types.ts';
import { failure } from '../lib/errors.ts';
import type { Access, Decision } from '../policy/types.ts';

/** A further right that this request needs, decided and recorded with it: the decision that allows it. Throws `access_denied`. */
export async function requireAlso(exchange: Exchange, access: Access): Promise<Decision> {
  if (exchange.caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
  const decision = await exchange.decideAlso(access);
  if (!decision.allowed) throw accessDenied(exchange.caller, decision);
  return decision;
}
