import type { Caller } from '../../../identity/caller.ts';
import type { PrincipalId } from '../../../lib/ids.ts';

export interface Knowledge {
  /** Whether each of them holds a role that reaches the scope or something beneath it: then it may be spoken of. */
  holdRolesTouching?(authorities: readonly PrincipalId[], scope: string): boolean;
}

/** Whether the caller may be told what is at a scope, whatever they may do there. */
export function mayKnowOf(knowledge: Knowledge, { authorities }: Caller, scope: string): boolean {
  return authorities.length > 0 && knowledge.holdRolesTouching?.(authorities, scope) === true;
}
