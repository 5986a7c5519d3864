import { guarded } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';

/**
 * Nobody stands above policy here, so there is nothing that a caller could be elevated by. Whoever lacks the action is
 * denied by policy; whoever holds it is told to assign the role instead. learn.microsoft.com/rest/api/authorization/global-administrator
 */
export const describeElevateAccess: TypeDescriber = (head, { scope, name }) => {
  if (head.method !== 'POST' || name !== null || scope !== '/') return null;
  return guarded('elevateAccess/action', '/', 'change', { kind: 'none' }, async () => {
    throw refusal(
      'not_implemented',
      'ElevateAccessNotSupported',
      'There is no directory role above Azure RBAC here. Assign User Access Administrator at / instead.',
    );
  });
};
