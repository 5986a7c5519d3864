import { z } from 'zod';
import { normalizeScope } from '../../../policy/scope.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { RoleDefinition } from '../../../store/changes.ts';
import { permissionSchema, permissionsOf } from './permission-request.ts';
import { refusal } from './refusals.ts';

const body = z.object({
  properties: z.object({
    roleName: z.string().min(1).max(512),
    description: z.string().max(2_048).nullish(),
    type: z.string().nullish(),
    permissions: z.array(permissionSchema).min(1).max(16),
    assignableScopes: z.array(z.string()).min(1).max(2_000),
  }),
});

const managementGroups = '/providers/microsoft.management/managementgroups/';

type Wanted = Pick<
  RoleDefinition,
  'roleName' | 'description' | 'permissions' | 'assignableScopes' | 'writtenScopes'
>;

/** A custom role as a client defines it. Throws `invalid_request` (InvalidRoleDefinition) naming what is wrong. */
export function definitionRequest(given: unknown, scope: string, snapshot: PolicySnapshot): Wanted {
  const parsed = body.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { roleName, description, type, permissions, assignableScopes } = parsed.data.properties;
  if (type && type.toLowerCase() !== 'customrole') throw invalid('properties.type must be CustomRole');
  const scopes = assignableScopes.map((text) => {
    const assignable = normalizeScope(text);
    if (assignable === null) throw invalid(`'${text}' in assignableScopes is not a scope`);
    return assignable;
  });
  const related = (a: string, b: string) => snapshot.isWithin(a, b) || snapshot.isWithin(b, a);
  if (!scopes.some((assignable) => related(scope, assignable))) {
    throw invalid('assignableScopes must contain the scope at which the role is defined');
  }
  const groups = scopes.filter((assignable) => assignable.startsWith(managementGroups));
  if (groups.length > 1) throw invalid('assignableScopes may contain one management group only');
  if (groups.length === 1 && permissions.some(({ dataActions }) => (dataActions ?? []).length > 0)) {
    throw invalid('a role that is assignable at a management group may not contain dataActions');
  }
  return {
    roleName,
    description: description ?? '',
    permissions: permissionsOf(permissions),
    assignableScopes: scopes,
    ...(scopes.every((normal, at) => normal === assignableScopes[at])
      ? {}
      : { writtenScopes: assignableScopes }),
  };
}

function invalid(what: string): Error {
  return refusal('invalid_request', 'InvalidRoleDefinition', `The role definition is not valid: ${what}.`);
}
