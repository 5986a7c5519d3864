import { decide } from '../src/policy/decide.ts';
import { PolicySnapshot, type PolicyRows } from '../src/policy/snapshot.ts';
import type { PrincipalId } from '../src/lib/ids.ts';

/** What the benchmarks ask of this product's engine; the one file that knows how it is asked. */
export interface OwnEngine {
  readonly snapshot: PolicySnapshot;
  principalHandle(id: PrincipalId): number;
  actionHandle(action: string): number;
  /** Of a scope in any spelling, known to the engine or not. */
  scopeHandle(scope: string): number;
  /** 0 or more: allowed; less: denied. */
  decideHandles(principal: number, action: number, scope: number): number;
}

export function ownEngine(rows: PolicyRows): OwnEngine {
  const snapshot = PolicySnapshot.from(rows);
  // The engine takes strings only as yet: a handle is a place in a table of them.
  const texts: string[] = [];
  const places = new Map<string, number>();
  const place = (text: string): number => {
    let at = places.get(text);
    if (at === undefined) places.set(text, (at = texts.push(text) - 1));
    return at;
  };
  return {
    snapshot,
    principalHandle: place,
    actionHandle: place,
    scopeHandle: place,
    decideHandles(principal, action, scope) {
      const access = { action: texts[action]!, dataAction: false, scope: texts[scope]! };
      return decide(snapshot, texts[principal]! as PrincipalId, access).allowed ? 0 : -1;
    },
  };
}
