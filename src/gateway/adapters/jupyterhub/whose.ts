import type { Caller } from '../../../identity/caller.ts';
import { failure } from '../../../lib/errors.ts';
import type { Described, Guard } from '../../types.ts';

/**
 * A request about a person's server, decided where that lies for who asks: at `…/own/{object id}` for the person whose it
 * is, at `…/users/{object id}` for everybody else. So one role at `…/own` lets each person have a server of their own, and
 * one at `…/users` lets in to everybody's. `at` describes the request at a scope; `id` is whose the server is, null for
 * the caller's. Null where `at` knows no such request.
 */
export function atWhose(
  hubScope: string,
  id: string | null,
  at: (scope: string) => Described | null,
): Described | null {
  // Until it is known who asks, it lies at the hub.
  const somewhere = at(hubScope);
  if (somewhere === null) return null;
  const found = (caller: Caller | null): Described => {
    const described = caller === null ? null : at(scopeFor(hubScope, id, caller));
    if (described === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
    return described;
  };
  const once = remembered(found);
  return {
    ...somewhere,
    guard: guardOf(somewhere.guard, hubScope, once),
    serve: (exchange) => once(exchange.caller).serve(exchange),
  };
}

function scopeFor(hubScope: string, id: string | null, { subject }: Caller): string {
  const root = hubScope === '/' ? '' : hubScope;
  return id === null || id === subject.id ? `${root}/own/${subject.id}` : `${root}/users/${id}`;
}

function guardOf(guard: Guard, hubScope: string, at: (caller: Caller) => Described): Guard {
  if (guard.kind !== 'action') return { ...guard, scope: hubScope };
  return {
    kind: 'action',
    access: { ...guard.access, scope: hubScope },
    locate: async (bytes, signal, caller) => {
      const { guard: placed } = at(caller);
      if (placed.kind !== 'action') throw new Error('a request became another for who asks');
      return placed.locate?.(bytes, signal, caller) ?? placed.access;
    },
  };
}

/** A description may remember what was found out before it is served: of one request there is one. */
function remembered(find: (caller: Caller | null) => Described): (caller: Caller | null) => Described {
  let found: Described | null = null;
  return (caller) => (found ??= find(caller));
}
