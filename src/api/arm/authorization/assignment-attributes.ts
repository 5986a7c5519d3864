import type { Access, AttributeSet } from '../../../policy/types.ts';
import type { RoleAssignment } from '../../../store/changes.ts';

type Assigned = Pick<RoleAssignment, 'roleDefinitionId' | 'principalId' | 'principalType'>;

/**
 * What conditions on the right to write or end role assignments may ask: @Request of what is to be assigned, @Resource
 * of what is assigned already. The principal's type is the directory's word, never the caller's.
 * learn.microsoft.com/azure/role-based-access-control/conditions-authorization-actions-attributes
 */
export function withAssignment(access: Access, request: Assigned | null, resource: Assigned | null): Access {
  return {
    ...access,
    attributes: {
      ...(request ? { request: attributesOf(request) } : {}),
      ...(resource ? { resource: attributesOf(resource) } : {}),
    },
  };
}

function attributesOf({ roleDefinitionId, principalId, principalType }: Assigned): AttributeSet {
  return {
    'microsoft.authorization/roleassignments:roledefinitionid': roleDefinitionId,
    'microsoft.authorization/roleassignments:principalid': principalId,
    'microsoft.authorization/roleassignments:principaltype': principalType,
  };
}
