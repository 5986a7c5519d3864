import type { BodyRule, Exchange, Reply } from '../../gateway/types.ts';
import type { Caller } from '../../identity/caller.ts';
import { failure } from '../../lib/errors.ts';

export const noBody: BodyRule = { kind: 'none' };
export const smallJson: BodyRule = { kind: 'buffered', maxBytes: 65_536, mediaTypes: ['application/json'] };

export function ok(body: unknown): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  };
}

/** Who asks. Throws `authentication_required` under a public guard. */
export function callerOf(exchange: Exchange): Caller {
  if (exchange.caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
  return exchange.caller;
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
