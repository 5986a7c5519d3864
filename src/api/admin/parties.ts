import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';

/** A principal as answers name it. */
export interface Party {
  readonly id: string;
  readonly kind: string;
  readonly displayName: string;
}

/** One that the directory does not know (any more) is named by its id. */
export function party(snapshot: PolicySnapshot, id: string): Party {
  const record = snapshot.principal(id as PrincipalId);
  return { id, kind: record?.kind ?? 'unknown', displayName: record?.displayName ?? id };
}
