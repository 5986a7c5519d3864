import { isWithin, scopeAndAncestors } from '../../../policy/scope.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';

/** How other scopes, all in normal form, lie to one. */
export interface ScopeRelations {
  /** Whether it is the one, or above it. */
  isAbove(other: string): boolean;
  /** Whether it is the one, or beneath it. */
  isBeneath(other: string): boolean;
}

/** The same as `PolicySnapshot.isWithin` both ways, for whoever asks it of a hundred thousand others. */
export function scopeRelations(snapshot: PolicySnapshot, scope: string): ScopeRelations {
  const above = new Set([...snapshot.ancestors(scope), ...scopeAndAncestors(scope)]);
  const hung = new Set<string>();
  for (const placement of snapshot.placements()) {
    if (snapshot.ancestors(placement.scope).includes(scope)) hung.add(placement.scope);
  }
  return {
    isAbove: (other) => above.has(other),
    isBeneath: (other) => isWithin(other, scope) || (hung.size > 0 && pathCrosses(other, hung)),
  };
}

/** Whether the scope, or one that its path passes, is among these. */
function pathCrosses(scope: string, among: ReadonlySet<string>): boolean {
  for (let end = scope.length; end > 0; end = scope.lastIndexOf('/', end - 1)) {
    if (among.has(scope.slice(0, end))) return true;
  }
  return false;
}
