import type { RoleDefinition } from '../store/changes.ts';
import { roleIds } from './built-in-roles.ts';
import type { Remedy } from './explanation.ts';
import { isWithin, normalizeScope } from './scope.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access } from './types.ts';

const shown = 5;

/** Given to jobs alone, by the workspace itself: no advice for a person. */
const jobRoles: ReadonlySet<string> = new Set([roleIds.lockstepJobRuntime, roleIds.lockstepJobSelf]);

/** Roles that contain the action and may be assigned at one of the scopes, the least powerful first. */
export function suitableRoles(
  snapshot: PolicySnapshot,
  access: Access,
  scopes: readonly string[],
): Remedy['roles'] {
  const action = access.action.toLowerCase();
  const suitable: RoleDefinition[] = [];
  for (const definition of snapshot.roleDefinitions()) {
    if (jobRoles.has(definition.id)) continue;
    if (!snapshot.permissionsOf(definition.id)?.contains(action, access.dataAction)) continue;
    if (scopes.some((scope) => assignableAt(definition, scope))) suitable.push(definition);
  }
  return suitable
    .sort((a, b) => power(a) - power(b) || a.roleName.localeCompare(b.roleName, 'en'))
    .slice(0, shown)
    .map(({ id, roleName, type }) => ({ id, roleName, type }));
}

function assignableAt(definition: RoleDefinition, scope: string): boolean {
  return definition.assignableScopes.some((text) => {
    const assignable = normalizeScope(text);
    return assignable !== null && isWithin(scope, assignable);
  });
}

/**
 * How much a role gives, for comparing roles only: a plain action counts one; a wildcard counts a thousand for each
 * level that it leaves open, counted down from four, and a tenth of it when it names what it ends in.
 */
function power({ permissions }: RoleDefinition): number {
  let sum = 0;
  for (const { actions, notActions, dataActions, notDataActions } of permissions) {
    for (const pattern of actions) sum += reach(pattern);
    for (const pattern of dataActions) sum += reach(pattern);
    sum -= Math.min(sum, notActions.length + notDataActions.length);
  }
  return sum;
}

function reach(pattern: string): number {
  const star = pattern.indexOf('*');
  if (star < 0) return 1;
  const named = pattern.slice(0, star).split('/').length - 1;
  const open = 10 ** (3 + Math.max(0, 4 - named));
  return pattern.endsWith('*') ? open : open / 10;
}
