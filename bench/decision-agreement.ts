import { decide, isAllowed } from '../src/policy/decide.ts';
import { referenceDecide } from '../src/policy/testing/reference-evaluator.ts';
import type { OwnEngine } from './decision-own.ts';
import { questionsOf, uniformStream } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

const ofReference = 2_500_000;
const ofInterfaces = 20_000;

/**
 * Throws unless the engine names the policy that the reference evaluator names, on as many questions as that one
 * answers in some seconds, and unless it answers the same however it is asked.
 */
export function requireAgreement(workload: Workload, engine: OwnEngine): void {
  const { rows } = workload;
  const stream = uniformStream(workload, ofInterfaces, 13);
  const sample = Math.max(4, Math.min(100, Math.floor(ofReference / rows.roleAssignments.length)));
  for (const [i, { principal, access }] of questionsOf(workload, stream, 0, ofInterfaces).entries()) {
    const { allowed, cause } = decide(engine.snapshot, principal, access);
    const id = 'id' in cause ? cause.id : null;
    const numbers = [
      engine.principalHandle(principal),
      engine.actionHandle(access.action),
      engine.place(access.scope),
    ] as const;
    const outcome = engine.decideHandles(...numbers);
    const answers = [engine.allows(...numbers), isAllowed(engine.snapshot, principal, access)];
    const asked = JSON.stringify({ principal, access });
    if (answers.includes(!allowed) || outcome >= 0 !== allowed || engine.policyId(outcome) !== id) {
      throw new Error(`integers and strings disagree on ${asked}`);
    }
    if (i >= sample) continue;
    const reference = referenceDecide(rows, principal, access);
    if (reference.allowed !== allowed || reference.policyId !== id) {
      throw new Error(`the engine disagrees with the reference evaluator on ${asked}`);
    }
  }
}
