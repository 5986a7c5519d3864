import type { BodyRule, Described, Exchange, Guard, Reply } from '../../../gateway/types.ts';
import { LockstepError } from '../../../lib/errors.ts';

export const jsonBody: BodyRule = {
  kind: 'buffered',
  maxBytes: 256 * 1024,
  mediaTypes: ['application/json'],
};

/** A request that needs one action of `Microsoft.Authorization` at a scope. */
export function guarded(
  action: string,
  scope: string,
  effect: 'read' | 'change',
  body: BodyRule,
  serve: (exchange: Exchange) => Promise<Reply>,
): Described {
  const operation = `Microsoft.Authorization/${action}`;
  const guard: Guard = { kind: 'action', access: { action: operation, dataAction: false, scope } };
  return { operation, guard, effect, body, serve };
}

export function json(status: number, body: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  };
}

/** Asks for one more right within the same request. Throws `access_denied` with the decision. */
export async function requireAlso(exchange: Exchange, action: string, scope: string): Promise<void> {
  const decision = await exchange.decideAlso({
    action: `Microsoft.Authorization/${action}`,
    dataAction: false,
    scope,
  });
  if (!decision.allowed) throw new LockstepError({ code: 'access_denied', details: { decision } });
}
