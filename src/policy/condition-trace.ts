import type { PrincipalId } from '../lib/ids.ts';
import type { FailingPart } from './conditions/trace.ts';
import { gateOf } from './engine/gate.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access } from './types.ts';

export interface FailingCondition {
  readonly condition: string;
  readonly failing: FailingPart | null;
}

/** The first of these conditions that is not true for this principal and access; null when all are. */
export function failingCondition(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  access: Access,
  conditions: readonly (string | null | undefined)[],
): FailingCondition | null {
  const { engine } = snapshot;
  const context = engine.attributes.contextFor(engine.principalHandle(id), access);
  for (const text of conditions) {
    const gate = gateOf(text);
    if (!gate) continue;
    if (!gate.condition) return { condition: gate.text, failing: null };
    const { truth, failing } = gate.condition.explain(context);
    if (truth !== 'true') return { condition: gate.text, failing };
  }
  return null;
}
