import { everyone } from '../../../policy/snapshot.ts';
import type { DenyAssignment, Permission, RoleAssignment, RoleDefinition } from '../../../store/changes.ts';

const provider = 'providers/Microsoft.Authorization';

interface Enveloped {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly properties: object;
}

/**
 * Azure's JSON of a role assignment (api-version 2022-04-01). One above every subscription names its role beneath the
 * subscription that it is `seenFrom`, as the list of roles there does; az finds the role's name by that.
 */
export function roleAssignmentBody(assignment: RoleAssignment, seenFrom = assignment.scope): Enveloped {
  const { createdOn, createdBy, writtenScope: scope = assignment.scope } = assignment;
  return {
    id: `${prefix(scope)}/${provider}/roleAssignments/${assignment.id}`,
    name: assignment.id,
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      roleDefinitionId: roleDefinitionPath(assignment.roleDefinitionId, assignment.scope, seenFrom),
      principalId: assignment.principalId,
      principalType: assignment.principalType,
      scope,
      description: assignment.description === '' ? null : assignment.description,
      condition: assignment.condition ?? null,
      conditionVersion: assignment.condition ? '2.0' : null,
      createdOn,
      updatedOn: assignment.updatedOn ?? createdOn,
      createdBy,
      updatedBy: assignment.updatedBy ?? createdBy,
      delegatedManagedIdentityResourceId: null,
    },
  };
}

export function roleDefinitionBody(definition: RoleDefinition, scope: string): object {
  return {
    id: roleDefinitionPath(definition.id, scope),
    name: definition.id,
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: {
      roleName: definition.roleName,
      description: definition.description,
      type: definition.type,
      permissions: definition.permissions.map(permissionBody),
      assignableScopes: definition.writtenScopes ?? definition.assignableScopes,
      ...definition.history,
    },
  };
}

export function denyAssignmentBody(assignment: DenyAssignment): Enveloped {
  const principal = (id: string): object => (id === everyone ? { id, type: 'SystemDefined' } : { id });
  return {
    id: `${prefix(assignment.scope)}/${provider}/denyAssignments/${assignment.id}`,
    name: assignment.id,
    type: 'Microsoft.Authorization/denyAssignments',
    properties: {
      denyAssignmentName: assignment.name,
      description: assignment.description,
      permissions: assignment.permissions.map(permissionBody),
      condition: assignment.condition ?? null,
      conditionVersion: assignment.condition ? '2.0' : null,
      scope: assignment.scope,
      doNotApplyToChildScopes: assignment.doNotApplyToChildScopes,
      principals: assignment.principals.map(principal),
      excludePrincipals: assignment.excludePrincipals.map(principal),
      isSystemProtected: false,
    },
  };
}

/** What Azure tells of a deny assignment for the export of what is known of a person: no more than its name. */
export function denyAssignmentNameBody({ id, name, description, scope }: DenyAssignment): object {
  return {
    id: `${prefix(scope)}/${provider}/denyAssignments/${id}`,
    name: id,
    type: 'Microsoft.Authorization/denyAssignments',
    properties: { denyAssignmentName: name, description },
  };
}

export function permissionBody({ condition, ...permission }: Permission): object {
  return condition ? { ...permission, condition, conditionVersion: '2.0' } : permission;
}

/** Azure names role definitions beneath the subscription from which they are seen. */
function roleDefinitionPath(id: string, scope: string, seenFrom = scope): string {
  const subscription = subscriptionOf(scope) ?? subscriptionOf(seenFrom) ?? '';
  return `${subscription}/${provider}/roleDefinitions/${id}`;
}

function subscriptionOf(scope: string): string | undefined {
  return /^\/subscriptions\/[^/]+/.exec(scope)?.[0];
}

function prefix(scope: string): string {
  return scope === '/' ? '' : scope;
}
