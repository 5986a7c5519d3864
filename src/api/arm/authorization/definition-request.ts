import { z } from 'zod';
import { isWithin, normalizeScope } from '../../../policy/scope.ts';
import type { RoleDefinition } from '../../../store/changes.ts';
import { refusal } from './refusals.ts';

const pattern = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9.*/_-]*$/, 'is not an action: letters, digits, . / * _ and - only');
const patterns = z.array(pattern).max(1_024).nullish();

const body = z.object({
  properties: z.object({
    roleName: z.string().min(1).max(512),
    description: z.string().max(2_048).nullish(),
    type: z.string().nullish(),
    permissions: z
      .array(
        z.object({
          actions: patterns,
          notActions: patterns,
          dataActions: patterns,
          notDataActions: patterns,
          condition: z.null().optional(),
          conditionVersion: z.null().optional(),
        }),
      )
      .min(1)
      .max(16),
    assignableScopes: z.array(z.string()).min(1).max(2_000),
  }),
});

type Wanted = Pick<RoleDefinition, 'roleName' | 'description' | 'permissions' | 'assignableScopes'>;

/** A custom role as a client defines it. Throws `invalid_request` (InvalidRoleDefinition) naming what is wrong. */
export function definitionRequest(given: unknown, scope: string): Wanted {
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
  if (!scopes.some((assignable) => isWithin(scope, assignable) || isWithin(assignable, scope))) {
    throw invalid('assignableScopes must contain the scope at which the role is defined');
  }
  return {
    roleName,
    description: description ?? '',
    permissions: permissions.map(({ actions, notActions, dataActions, notDataActions }) => ({
      actions: actions ?? [],
      notActions: notActions ?? [],
      dataActions: dataActions ?? [],
      notDataActions: notDataActions ?? [],
    })),
    assignableScopes: scopes,
  };
}

function invalid(what: string): Error {
  return refusal('invalid_request', 'InvalidRoleDefinition', `The role definition is not valid: ${what}.`);
}
