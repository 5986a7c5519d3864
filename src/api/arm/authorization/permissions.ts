import { json } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { permissionBody } from './representations.ts';

/**
 * What the caller's own roles permit at a scope; deny assignments are not subtracted, as in Azure. A delegated
 * caller's rights are the intersection of several principals', which this form cannot express, so it is refused.
 * learn.microsoft.com/rest/api/authorization/permissions
 */
export const describePermissions: TypeDescriber = (head, { scope, name }, { snapshot }) => {
  if (head.method !== 'GET' || name !== null) return null;
  return {
    operation: 'Microsoft.Authorization/permissions/read',
    guard: { kind: 'authenticated', rule: 'own-permissions', scope },
    effect: 'read',
    body: { kind: 'none' },
    async serve({ caller }) {
      const [authority, ...others] = caller?.authorities ?? [];
      if (!authority || others.length > 0) {
        throw refusal(
          'invalid_request',
          'DelegatedPermissionsNotSupported',
          'A delegated identity may do what all of its principals may; ask checkaccess about single actions instead.',
        );
      }
      const identities = new Set<string>(snapshot.identitiesOf(authority));
      const roles = new Set<string>();
      for (const { principalId, scope: at, roleDefinitionId } of snapshot.roleAssignments()) {
        if (identities.has(principalId) && snapshot.isWithin(scope, at)) roles.add(roleDefinitionId);
      }
      const value: object[] = [];
      for (const role of roles) {
        for (const permission of snapshot.roleDefinition(role)?.permissions ?? []) {
          value.push(permissionBody(permission));
        }
      }
      return json(200, { value, nextLink: null });
    },
  };
};
