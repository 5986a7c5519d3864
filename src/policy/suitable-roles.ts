import type { RoleDefinition } from '../store/changes.ts';
import { roleIds } from './built-in-roles.ts';
import type { Remedy } from './explanation.ts';
import { byPower, givesAccess, powerOf, type RolePower } from './role-power.ts';
import { isWithin, normalizeScope } from './scope.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access } from './types.ts';

const shown = 5;

/** Given to jobs alone, by the workspace itself: no advice for a person. */
const jobRoles: ReadonlySet<string> = new Set([roleIds.lockstepJobRuntime, roleIds.lockstepJobSelf]);

/**
 * Roles that contain the action and may be assigned at one of the scopes, the least powerful first. One that gives
 * access away is among them only where no other is enough.
 */
export function suitableRoles(
  snapshot: PolicySnapshot,
  access: Access,
  scopes: readonly string[],
): Remedy['roles'] {
  const action = access.action.toLowerCase();
  const suitable: Suitable[] = [];
  for (const definition of snapshot.roleDefinitions()) {
    if (jobRoles.has(definition.id)) continue;
    if (!snapshot.permissionsOf(definition.id)?.contains(action, access.dataAction)) continue;
    if (scopes.some((scope) => assignableAt(definition, scope))) {
      suitable.push({ definition, power: powerOf(definition) });
    }
  }
  const modest = suitable.filter(({ power }) => !givesAccess(power));
  return (modest.length > 0 ? modest : suitable)
    .sort(
      (a, b) => byPower(a.power, b.power) || a.definition.roleName.localeCompare(b.definition.roleName, 'en'),
    )
    .slice(0, shown)
    .map(({ definition: { id, roleName, type } }) => ({ id, roleName, type }));
}

interface Suitable {
  readonly definition: RoleDefinition;
  readonly power: RolePower;
}

function assignableAt(definition: RoleDefinition, scope: string): boolean {
  return definition.assignableScopes.some((text) => {
    const assignable = normalizeScope(text);
    return assignable !== null && isWithin(scope, assignable);
  });
}
