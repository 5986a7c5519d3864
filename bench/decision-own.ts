import type { EngineOptions } from '../src/policy/engine/engine.ts';
import { deniedBase } from '../src/policy/engine/outcomes.ts';
import { PolicySnapshot, type PolicyRows } from '../src/policy/snapshot.ts';
import type { PrincipalId } from '../src/lib/ids.ts';
import type { Access } from '../src/policy/types.ts';

/** What the benchmarks ask of this product's engine; the one file that knows how it is asked. */
export interface OwnEngine {
  readonly snapshot: PolicySnapshot;
  principalHandle(id: PrincipalId): number;
  actionHandle(action: string): number;
  /** Of a scope that stays known to the engine. */
  scopeHandle(scope: string): number;
  /** Where a scope belongs that the engine may never have seen. */
  place(scope: string): number;
  /** The policy that an outcome names; null where none is. */
  policyId(outcome: number): string | null;
  /** Bytes of compiled rights in use. */
  compiledBytes(): number;
  /** Yes or no, by integers. */
  allows(principal: number, action: number, scope: number): boolean;
  /** The same, and the policy that decides: 0 or more: allowed; less: denied. `access` is what conditions may ask. */
  decideHandles(principal: number, action: number, scope: number, access?: Access): number;
}

/** The room for compiled rights is that of a machine that can give it: see EngineOptions. */
export const room = { rightsBytes: 1.2e9, maskBytes: 2e9, compileAfter: 8, cachedDecisions: 2 ** 20 };

export function ownEngine(rows: PolicyRows, options: Partial<EngineOptions> = room): OwnEngine {
  const snapshot = PolicySnapshot.from(rows, options);
  const { engine } = snapshot;
  return {
    snapshot,
    principalHandle: (id) => engine.principalHandle(id),
    actionHandle: (action) => engine.actionHandle(action, false),
    scopeHandle: (scope) => engine.scopeHandle(scope),
    place: (scope) => engine.place(scope),
    policyId: (outcome) => {
      if (outcome >= 0) return engine.assignments.grantAt(outcome).id;
      return outcome <= deniedBase ? engine.assignments.denialAt(deniedBase - outcome).id : null;
    },
    compiledBytes: () => engine.rightsSize,
    allows: (principal, action, scope) => engine.allows(principal, action, scope, null),
    decideHandles: (principal, action, scope, access) =>
      engine.decide(principal, action, scope, access ?? null),
  };
}
