import { expect } from 'vitest';
import type { PolicySnapshot } from '../snapshot.ts';
import { decide } from '../decide.ts';
import type { Access, Verdict } from '../types.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { ReferenceAnswer } from './reference-evaluator.ts';

/** A verdict in the words of the reference evaluator. */
export function named({ allowed, cause }: Verdict): ReferenceAnswer {
  return { allowed, reason: cause.kind, policyId: 'id' in cause ? cause.id : null };
}

export function decided(snapshot: PolicySnapshot, principal: PrincipalId, access: Access): ReferenceAnswer {
  return named(decide(snapshot, principal, access));
}

/** The change of this sequence is taken in, whole. */
export function expectTaken(snapshot: PolicySnapshot, sequence: number): void {
  expect(snapshot.fault).toBeNull();
  expect(snapshot.version).toBe(sequence);
}

/** Nothing is left behind of what came and went. */
export function expectSameSize(snapshot: PolicySnapshot, grown: PolicySnapshot | undefined): void {
  expect(snapshot.size).toEqual(grown?.size);
}
