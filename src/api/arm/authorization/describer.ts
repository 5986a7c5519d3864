import type { Described, RequestHead } from '../../../gateway/types.ts';
import { parseAuthorizationPath } from './authorization-path.ts';
import { describeCheckAccess } from './check-access.ts';
import { describeClassicAdministrators } from './classic-administrators.ts';
import { describeDenyAssignments } from './deny-assignments.ts';
import { describeElevateAccess } from './elevate-access.ts';
import type { AuthorizationOptions, TypeDescriber } from './options.ts';
import { describePermissions } from './permissions.ts';
import { describeProviderOperations } from './provider-operations.ts';
import { describeRoleAssignments } from './role-assignments.ts';
import { describeRoleDefinitions } from './role-definitions.ts';

const types: ReadonlyMap<string, TypeDescriber> = new Map([
  ['roleassignments', describeRoleAssignments],
  ['roledefinitions', describeRoleDefinitions],
  ['denyassignments', describeDenyAssignments],
  ['permissions', describePermissions],
  ['checkaccess', describeCheckAccess],
  ['provideroperations', describeProviderOperations],
  ['classicadministrators', describeClassicAdministrators],
  ['elevateaccess', describeElevateAccess],
]);

/**
 * Microsoft.Authorization at any scope. Null for requests that are not its own; the ARM surface asks it first,
 * since its paths begin with any other path. Throws `invalid_path` where the prefix is not a scope.
 */
export function authorizationDescriber(
  options: AuthorizationOptions,
): (head: RequestHead) => Described | null {
  return (head) => {
    const path = parseAuthorizationPath(head.path);
    return path ? (types.get(path.type)?.(head, path, options) ?? null) : null;
  };
}
