import type { PrincipalId } from '../../../lib/ids.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';

/** As whom a principal is named in assignments: itself, also where the directory no longer knows it, and its groups. */
export function identitiesOf(snapshot: PolicySnapshot, id: string): ReadonlySet<string> {
  return new Set<string>([id, ...snapshot.identitiesOf(id as PrincipalId)]);
}
