import { z } from 'zod';
import { isGuid, type PrincipalId } from '../../../lib/ids.ts';
import { principalTypeOf } from '../../../policy/grant-request.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import type { RoleAssignment } from '../../../store/changes.ts';
import { conditionOf } from './condition-request.ts';
import type { AuthorizationOptions } from './options.ts';
import { refusal } from './refusals.ts';

const absent = z.union([z.null(), z.undefined(), z.literal('')]);

const body = z.object({
  properties: z.object({
    roleDefinitionId: z.string().max(1_024),
    principalId: z.string(),
    principalType: z.string().nullish(),
    description: z.string().max(2_048).nullish(),
    scope: z.string().nullish(),
    condition: z.string().nullish(),
    conditionVersion: z.string().nullish(),
    delegatedManagedIdentityResourceId: z.string().nullish(),
  }),
});

type Wanted = Pick<
  RoleAssignment,
  'roleDefinitionId' | 'principalId' | 'principalType' | 'description' | 'condition'
>;

/**
 * What a client asks to assign, checked against the directory and the roles. Throws with Azure's codes:
 * BadRequestFormat, RoleDefinitionDoesNotExist, PrincipalNotFound, UnmatchedPrincipalType, InvalidCondition.
 */
export function assignmentRequest(given: unknown, scope: string, options: AuthorizationOptions): Wanted {
  const parsed = body.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refusal(
      'invalid_request',
      'BadRequestFormat',
      `The request was incorrectly formatted: ${issue?.path.join('.')}: ${issue?.message}.`,
    );
  }
  const { properties } = parsed.data;
  const condition = conditionOf(properties.condition, properties.conditionVersion);
  if (!absent.safeParse(properties.delegatedManagedIdentityResourceId).success) {
    throw refusal(
      'invalid_request',
      'InvalidRoleAssignmentRequest',
      'delegatedManagedIdentityResourceId is not supported here.',
    );
  }
  if (properties.scope && normalizeScope(properties.scope) !== scope) {
    throw refusal(
      'invalid_request',
      'InvalidRoleAssignmentRequest',
      `properties.scope names another scope than the address of the request (${scope}).`,
    );
  }
  const role = roleOf(properties.roleDefinitionId, scope, options);
  const principal = options.principal(properties.principalId.toLowerCase() as PrincipalId);
  if (!principal) {
    throw refusal(
      'invalid_request',
      'PrincipalNotFound',
      `Principal ${properties.principalId} does not exist in the directory. Check that you have the object id of a user, group, service principal or managed identity.`,
    );
  }
  const principalType = principalTypeOf(principal.kind);
  if (properties.principalType && properties.principalType.toLowerCase() !== principalType.toLowerCase()) {
    throw refusal(
      'invalid_request',
      'UnmatchedPrincipalType',
      `The PrincipalId '${principal.id}' has type '${principalType}', which is different from specified PrincipalType '${properties.principalType}'.`,
    );
  }
  return {
    roleDefinitionId: role,
    principalId: principal.id,
    principalType,
    description: properties.description ?? '',
    ...(condition === null ? {} : { condition }),
  };
}

function roleOf(path: string, scope: string, { snapshot }: AuthorizationOptions): string {
  const [id = '', type, provider] = path.toLowerCase().split('/').toReversed();
  if (!isGuid(id) || type !== 'roledefinitions' || provider !== 'microsoft.authorization') {
    throw refusal(
      'invalid_request',
      'InvalidRoleDefinitionId',
      `The role definition ID '${path}' is not valid.`,
    );
  }
  const definition = snapshot.roleDefinition(id);
  if (!definition) {
    throw refusal(
      'not_found',
      'RoleDefinitionDoesNotExist',
      `The specified role definition with ID '${id}' does not exist.`,
    );
  }
  const assignable = definition.assignableScopes.some((text) => {
    const within = normalizeScope(text);
    return within !== null && snapshot.isWithin(scope, within);
  });
  if (!assignable) {
    throw refusal(
      'invalid_request',
      'RoleDefinitionNotAssignableAtScope',
      `The role '${definition.roleName}' may be assigned only within ${definition.assignableScopes.join(', ')}.`,
    );
  }
  return definition.id;
}
