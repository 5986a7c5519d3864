import { z } from 'zod';
import type { LockstepError } from '../lib/errors.ts';
import { policyIdOf, type Cause, type Decision } from '../policy/types.ts';

/** What a denial tells about itself, in every dialect of ours. */
export interface Denial {
  readonly decisionId: string;
  readonly policyId: string;
  readonly action: string;
  readonly dataAction: boolean;
  readonly scope: string;
  readonly decidedFor: string | null;
  readonly message: string;
}

const hasDecision = z.object({ decision: z.custom<Decision>((value) => typeof value === 'object' && value !== null) });

/** The denial that an error carries; null when it is no denial by policy. */
export function denialOf(error: LockstepError): Denial | null {
  const parsed = hasDecision.safeParse(error.details);
  if (!parsed.success || parsed.data.decision.allowed) return null;
  const { id, cause, access, decidedFor } = parsed.data.decision;
  return {
    decisionId: id,
    policyId: policyIdOf(cause),
    ...access,
    decidedFor,
    message: sentence(cause, access.action, access.dataAction, access.scope),
  };
}

function sentence(cause: Cause, action: string, dataAction: boolean, scope: string): string {
  const operation = `${dataAction ? 'data action' : 'action'} '${action}' at '${scope}'`;
  switch (cause.kind) {
    case 'deny-assignment':
      return `The deny assignment '${cause.name}' at '${cause.scope}' forbids the ${operation}.`;
    case 'missing-grant':
      return `No role assignment allows the ${operation}.`;
    case 'unknown-principal':
      return `The caller is not in the directory, so nothing allows the ${operation}.`;
    case 'disabled-principal':
      return 'The identity behind this request is disabled.';
    case 'unknown-route':
      return 'This route is not described, so it is denied.';
    case 'policy-unavailable':
      return 'Policy cannot be evaluated at the moment.';
    case 'role-assignment':
    case 'public':
    case 'authenticated':
    case 'unauthenticated':
    case 'refused-at-edge':
      return 'Policy does not allow this.';
  }
}
