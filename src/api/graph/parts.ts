import type { Directory } from '../../identity/directory/directory.ts';
import { failure, type LockstepError } from '../../lib/errors.ts';
import { isGuid } from '../../lib/ids.ts';
import type { BodyRule, Exchange } from '../../gateway/types.ts';
import type { Caller } from '../../identity/caller.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import type { PrincipalKind, PrincipalRecord } from '../../store/changes.ts';

export interface GraphParts {
  readonly directory: Directory;
  readonly snapshot: PolicySnapshot;
  readonly tenantId: string;
  readonly jsonBytes: number;
}

export const noBody: BodyRule = { kind: 'none' };

export function jsonBody({ jsonBytes }: GraphParts): BodyRule {
  return { kind: 'buffered', maxBytes: jsonBytes, mediaTypes: ['application/json'] };
}

export function callerOf(exchange: Exchange): Caller {
  if (exchange.caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
  return exchange.caller;
}

export function notThere(kind: string, key: string): LockstepError<'not_found'> {
  return failure('not_found', `Resource '${key.slice(0, 200)}' does not exist, or is not a ${kind}.`);
}

/**
 * The principal with this object id if it is of one of these kinds. A path that names a user never reaches a group
 * or an application, whose rights are others. Throws `not_found`.
 */
export async function principalOf(
  { directory }: GraphParts,
  id: string,
  kinds: readonly [PrincipalKind, ...PrincipalKind[]],
): Promise<PrincipalRecord> {
  const found = isGuid(id) ? await directory.byId(id) : null;
  if (found === null || !kinds.includes(found.kind)) throw notThere(kinds[0], id);
  return found;
}
