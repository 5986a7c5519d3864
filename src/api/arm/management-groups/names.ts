import { failure } from '../../../lib/errors.ts';
import { isGuid } from '../../../lib/ids.ts';
import { refusal } from '../authorization/refusals.ts';

/** As Azure writes it; scopes in normal form are its lower case. */
export const groupsPath = '/providers/Microsoft.Management/managementGroups';
const prefix = `${groupsPath.toLowerCase()}/`;

/** Letters, digits, `-`, `_`, `.` and parentheses, at most 90, no period at the end: Azure's rule for group ids. */
export function isGroupName(name: string): boolean {
  return /^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$/.test(name);
}

export function groupScope(name: string): string {
  return prefix + name.toLowerCase();
}

export function isGroupScope(scope: string): boolean {
  return scope.startsWith(prefix);
}

/** The name in the scope of a group or a subscription. */
export function nameOf(scope: string): string {
  return scope.slice(scope.lastIndexOf('/') + 1);
}

/** The scope of the group that a request names. Throws `invalid_request` for what cannot be a name. */
export function groupScopeNamed(name: string): string {
  if (isGroupName(name)) return groupScope(name);
  throw refusal(
    'invalid_request',
    'InvalidGroupName',
    `'${name.slice(0, 100)}' cannot be the id of a management group: at most 90 letters, digits, '-', '_', '.', '(' ` +
      "and ')', and no '.' at the end.",
  );
}

/** The scope of a group by its id, `/providers/Microsoft.Management/managementGroups/{name}`. Throws `invalid_request`. */
export function parentScope(id: string): string {
  if (id.toLowerCase().startsWith(prefix)) return groupScopeNamed(id.slice(prefix.length));
  throw refusal(
    'invalid_request',
    'InvalidParent',
    `The parent must be the id of a management group: ${groupsPath}/{name}.`,
  );
}

/** Throws `invalid_path` for what is no subscription id. */
export function subscriptionScope(id: string): string {
  if (isGuid(id)) return `/subscriptions/${id.toLowerCase()}`;
  throw failure('invalid_path', 'The id of a subscription is a GUID.');
}

/** A scope as Azure writes it. */
export function shownId(scope: string): string {
  return isGroupScope(scope) ? `${groupsPath}/${nameOf(scope)}` : scope;
}
