import { z } from 'zod';
import type { LockstepError } from '../lib/errors.ts';
import { policyIdOf, type Decision } from '../policy/types.ts';

/** What a refused request tells about its decision, besides the sentence. */
export interface DenialFacts {
  readonly decisionId: string;
  readonly policyId: string;
  readonly action: string;
  readonly dataAction: boolean;
  readonly scope: string;
  readonly decidedFor: string | null;
}

const carriesDecision = z.object({
  decision: z.custom<Decision>((value) => typeof value === 'object' && value !== null),
});

/** The denial that an error carries in its details; null when no decision refused the request. */
export function denialFacts(error: LockstepError): DenialFacts | null {
  const parsed = carriesDecision.safeParse(error.details);
  if (!parsed.success || parsed.data.decision.allowed) return null;
  const { id, cause, access, decidedFor } = parsed.data.decision;
  return { decisionId: id, policyId: policyIdOf(cause), ...access, decidedFor };
}
