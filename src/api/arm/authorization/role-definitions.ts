import { z } from 'zod';
import type { Described, Exchange, Reply } from '../../../gateway/types.ts';
import { isGuid } from '../../../lib/ids.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { RoleDefinition } from '../../../store/changes.ts';
import { deleteRoleDefinition, putRoleDefinition } from '../../../store/role-definitions.ts';
import { definitionRequest } from './definition-request.ts';
import { guarded, json, jsonBody, requireAlso } from './exchanges.ts';
import { parseFilter, type Filter } from './filter.ts';
import { listPage } from './list-page.ts';
import type { AuthorizationOptions, TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { roleDefinitionBody } from './representations.ts';

/** Of a tenant. learn.microsoft.com/azure/role-based-access-control/custom-roles#custom-role-limits */
const mostCustomRoles = 5_000;

const filters = ['atScope', 'atScopeAndBelow', 'roleName', 'type'] as const;

/** learn.microsoft.com/rest/api/authorization/role-definitions */
export const describeRoleDefinitions: TypeDescriber = (head, { scope, name }, options) => {
  if (name === null) {
    if (head.method !== 'GET') return null;
    return reading(scope, async (exchange) => {
      const filter = parseFilter(head.query.get('$filter'), filters);
      const found = [...matching(options, scope, filter)];
      const shown = (await maySeeAll(exchange, scope, found)) ? found : found.filter(isBuiltIn);
      return listPage(head, shown, (definition) => roleDefinitionBody(definition, scope));
    });
  }
  switch (head.method) {
    case 'GET':
      return reading(scope, async (exchange) => {
        const definition = options.snapshot.roleDefinition(name);
        if (scope === '/' && !(definition && isBuiltIn(definition)))
          await requireAlso(exchange, 'roleDefinitions/read', scope);
        if (!definition || !visibleFrom(options.snapshot, definition, scope)) throw notFound(name);
        return json(200, roleDefinitionBody(definition, scope));
      });
    case 'PUT':
      return guarded('roleDefinitions/write', scope, 'change', jsonBody, async (exchange) =>
        put(exchange, scope, name, options),
      );
    case 'DELETE':
      return guarded('roleDefinitions/delete', scope, 'change', { kind: 'none' }, async (exchange) =>
        remove(exchange, scope, name, options),
      );
    default:
      return null;
  }
};

/**
 * Needs roleDefinitions/read at the scope, but for the root: there Azure shows the roles that it ships to whoever is
 * signed in, and Terraform asks for them there.
 */
function reading(scope: string, serve: (exchange: Exchange) => Promise<Reply>): Described {
  const described = guarded('roleDefinitions/read', scope, 'read', { kind: 'none' }, serve);
  if (scope !== '/') return described;
  return { ...described, guard: { kind: 'authenticated', rule: 'read-built-in-roles', scope } };
}

/** At the root custom roles are for those who may read roles there; elsewhere that was decided already. */
async function maySeeAll(
  exchange: Exchange,
  scope: string,
  found: readonly RoleDefinition[],
): Promise<boolean> {
  if (scope !== '/' || found.every(isBuiltIn)) return true;
  const access = { action: 'Microsoft.Authorization/roleDefinitions/read', dataAction: false, scope };
  return (await exchange.decideAlso(access)).allowed;
}

function isBuiltIn({ type }: RoleDefinition): boolean {
  return type === 'BuiltInRole';
}

/**
 * The roles that can be assigned at the scope; with `atScopeAndBelow()` also those that can only be assigned beneath it.
 * At the root, unless `atScope()` is asked for, every role of the tenant, as Azure has it.
 */
function* matching(
  { snapshot }: AuthorizationOptions,
  scope: string,
  { atScope, atScopeAndBelow, roleName, type }: Filter<(typeof filters)[number]>,
): Generator<RoleDefinition> {
  const below = atScope === undefined && (atScopeAndBelow !== undefined || scope === '/');
  for (const definition of snapshot.roleDefinitions()) {
    const seen = below
      ? visibleFrom(snapshot, definition, scope)
      : definition.assignableScopes.some((assignable) => snapshot.isWithin(scope, assignable));
    if (!seen) continue;
    if (roleName !== undefined && definition.roleName.toLowerCase() !== roleName) continue;
    if (type !== undefined && definition.type.toLowerCase() !== type) continue;
    yield definition;
  }
}

/** Who writes a role must be allowed to at every scope at which it may be, or until now could be, assigned. */
async function put(
  exchange: Exchange,
  scope: string,
  name: string,
  { snapshot, commit, clock }: AuthorizationOptions,
): Promise<Reply> {
  if (!isGuid(name)) {
    throw refusal(
      'invalid_request',
      'InvalidRoleDefinitionId',
      `The role definition ID '${name}' is not valid. The role definition ID must be a GUID.`,
    );
  }
  const existing = snapshot.roleDefinition(name);
  const definition: RoleDefinition = {
    id: name,
    type: 'CustomRole',
    ...definitionRequest(exchange.json(z.unknown()), scope, snapshot),
  };
  if (existing) refuseBuiltIn(existing);
  let custom = 0;
  for (const other of snapshot.roleDefinitions()) {
    if (other.type === 'CustomRole') custom += 1;
    if (other.id === name || !same(other.roleName, definition.roleName)) continue;
    throw refusal(
      'conflict',
      'RoleDefinitionWithSameNameExists',
      `A role named '${definition.roleName}' already exists: ${other.id}.`,
    );
  }
  if (!existing && custom >= mostCustomRoles) {
    throw refusal(
      'conflict',
      'RoleDefinitionLimitExceeded',
      'Role definition limit exceeded. No more role definitions can be created.',
    );
  }
  for (const assignable of new Set([...definition.assignableScopes, ...(existing?.assignableScopes ?? [])])) {
    await requireAlso(exchange, 'roleDefinitions/write', assignable);
  }
  const stored = await commit(exchange.attribution, async (tx, record) => {
    const assigned = await tx
      .selectFrom('role_assignments')
      .select('scope')
      .where('role_definition_id', '=', name)
      .execute();
    const reaches = (at: string) =>
      definition.assignableScopes.some((assignable) => snapshot.isWithin(at, assignable));
    const outside = assigned.find((row) => !reaches(row.scope));
    if (outside) {
      throw refusal(
        'invalid_request',
        'RoleDefinitionHasAssignments',
        `There are existing role assignments outside of the new assignable scopes, such as at ${outside.scope}.`,
      );
    }
    return putRoleDefinition(tx, record, definition, clock.now(), exchange.caller?.subject.id);
  });
  // Azure documents no other status, and its clients take 200 for a failure.
  return json(201, roleDefinitionBody(stored, scope));
}

async function remove(
  exchange: Exchange,
  scope: string,
  name: string,
  { snapshot, commit }: AuthorizationOptions,
): Promise<Reply> {
  const definition = snapshot.roleDefinition(name);
  if (!definition || !visibleFrom(snapshot, definition, scope)) return { status: 204 };
  refuseBuiltIn(definition);
  for (const assignable of definition.assignableScopes) {
    await requireAlso(exchange, 'roleDefinitions/delete', assignable);
  }
  await commit(exchange.attribution, async (tx, record) => {
    const inUse = await tx
      .selectFrom('role_assignments')
      .select('id')
      .where('role_definition_id', '=', name)
      .executeTakeFirst();
    if (inUse) {
      throw refusal(
        'invalid_request',
        'RoleDefinitionHasAssignments',
        'There are existing role assignments referencing this role; delete them first.',
      );
    }
    await deleteRoleDefinition(tx, record, name);
  });
  return json(200, roleDefinitionBody(definition, scope));
}

/** A role is seen from every scope at, above or beneath one at which it may be assigned. */
function visibleFrom(snapshot: PolicySnapshot, definition: RoleDefinition, scope: string): boolean {
  return definition.assignableScopes.some(
    (assignable) => snapshot.isWithin(scope, assignable) || snapshot.isWithin(assignable, scope),
  );
}

function refuseBuiltIn(definition: RoleDefinition): void {
  if (!isBuiltIn(definition)) return;
  throw refusal(
    'conflict',
    'RoleDefinitionUpdateNotPermitted',
    `'${definition.roleName}' is a built-in role and cannot be changed or deleted; define a custom role.`,
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function notFound(name: string): Error {
  return refusal(
    'not_found',
    'RoleDefinitionDoesNotExist',
    `The specified role definition with ID '${name}' does not exist.`,
  );
}
