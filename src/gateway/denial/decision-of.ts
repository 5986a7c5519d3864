import type { LockstepError } from '../../lib/errors.ts';
import type { Decision } from '../../policy/types.ts';

/** The decision that a denial carries, or null. */
export function decisionOf(error: LockstepError): Decision | null {
  const { decision } = error.details;
  return isDecision(decision) ? decision : null;
}

function isDecision(value: unknown): value is Decision {
  return typeof value === 'object' && value !== null && 'cause' in value && 'snapshotVersion' in value;
}
