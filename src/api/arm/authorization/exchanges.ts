import type { BodyRule, Described, Exchange, Guard, Reply } from '../../../gateway/types.ts';
import { failure, LockstepError } from '../../../lib/errors.ts';
import type { Access } from '../../../policy/types.ts';

export const jsonBody: BodyRule = {
  kind: 'buffered',
  maxBytes: 256 * 1024,
  mediaTypes: ['application/json'],
};

/** The same request, decided with what more is known of the access; `fromBody` adds what only the body tells. */
export function decidedWith(
  described: Described,
  more: (access: Access) => Access,
  fromBody?: (access: Access, body: unknown) => Access,
): Described {
  const { guard } = described;
  if (guard.kind !== 'action') return described;
  const access = more(guard.access);
  return {
    ...described,
    guard: {
      ...guard,
      access,
      ...(fromBody ? { accessFromBody: (bytes: Buffer) => fromBody(access, jsonOf(bytes)) } : {}),
    },
  };
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw Object.assign(failure('invalid_json', 'The body is not JSON.'), { cause });
  }
}

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
