import { z } from 'zod';
import { isGuid, type PrincipalId } from '../../../lib/ids.ts';
import { everyone } from '../../../policy/snapshot.ts';
import type { DenyAssignment } from '../../../store/changes.ts';
import { conditionOf } from './condition-request.ts';
import { permissionsOf, permissionSchema } from './permission-request.ts';
import type { AuthorizationOptions } from './options.ts';
import { refusal } from './refusals.ts';

const principal = z.object({ id: z.string(), type: z.string().nullish() });

const body = z.object({
  properties: z.object({
    denyAssignmentName: z.string().min(1).max(512),
    description: z.string().max(2_048).nullish(),
    permissions: z.array(permissionSchema).min(1).max(16),
    principals: z.array(principal).min(1).max(1_000),
    excludePrincipals: z.array(principal).max(1_000).nullish(),
    doNotApplyToChildScopes: z.boolean().nullish(),
    condition: z.string().nullish(),
    conditionVersion: z.string().nullish(),
  }),
});

type Wanted = Omit<DenyAssignment, 'id' | 'scope'>;

/**
 * A deny assignment in Azure's form. Everyone is the all-zero GUID, which cannot be excluded. Throws `invalid_request`
 * (InvalidDenyAssignment, PrincipalNotFound, InvalidCondition).
 */
export function denyRequest(given: unknown, options: AuthorizationOptions): Wanted {
  const parsed = body.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { properties } = parsed.data;
  const principals = properties.principals.map(({ id }) => principalOf(id, options));
  const excludePrincipals = (properties.excludePrincipals ?? []).map(({ id }) => principalOf(id, options));
  if (excludePrincipals.some((id) => id === everyone)) throw invalid('everyone cannot be excluded');
  const condition = conditionOf(properties.condition, properties.conditionVersion);
  return {
    name: properties.denyAssignmentName,
    description: properties.description ?? '',
    permissions: permissionsOf(properties.permissions),
    doNotApplyToChildScopes: properties.doNotApplyToChildScopes ?? false,
    principals,
    excludePrincipals,
    ...(condition === null ? {} : { condition }),
  };
}

function principalOf(text: string, options: AuthorizationOptions): PrincipalId {
  const id = text.toLowerCase() as PrincipalId;
  if (id === everyone) return id;
  if (!isGuid(id) || !options.principal(id)) {
    throw refusal(
      'invalid_request',
      'PrincipalNotFound',
      `Principal ${text} does not exist in the directory.`,
    );
  }
  return id;
}

function invalid(what: string): Error {
  return refusal('invalid_request', 'InvalidDenyAssignment', `The deny assignment is not valid: ${what}.`);
}
