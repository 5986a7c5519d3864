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

/** The room for compiled rights is that of a machine that has it: a gigabyte and a fifth. */
export function ownEngine(rows: PolicyRows): OwnEngine {
  const snapshot = PolicySnapshot.from(rows, { rightsBytes: 1.2e9, cachedDecisions: 2 ** 20 });
  const { engine } = snapshot;
  return {
    snapshot,
    principalHandle: (id) => engine.principalHandle(id),
    actionHandle: (action) => engine.actionHandle(action, false),
    scopeHandle: (scope) => engine.place(scope),
    decideHandles: (principal, action, scope) => engine.decide(principal, action, scope, null),
  };
}
