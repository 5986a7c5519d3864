import type { Guard } from '../gateway/types.ts';
import type { Access } from '../policy/types.ts';

/** Where Lockstep's own operations are decided. */
export const ownScope = '/providers/lockstep.access';

/** One of Lockstep's own operations: `users/read` is `Lockstep.Access/users/read`. */
export function ownAccess(operation: string): Access {
  return { action: `Lockstep.Access/${operation}`, dataAction: false, scope: ownScope };
}

export function ownAction(operation: string): Guard {
  return { kind: 'action', access: ownAccess(operation) };
}

/** Open to whoever is authenticated, on what is their own. */
export function ownRule(rule: string): Guard {
  return { kind: 'authenticated', rule, scope: ownScope };
}
