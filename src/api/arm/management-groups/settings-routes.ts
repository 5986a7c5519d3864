import { z } from 'zod';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import { refusal } from '../authorization/refusals.ts';
import { json, jsonBody, noBody } from '../json-reply.ts';
import { guardAt, param } from '../machine-learning/parts.ts';
import type { Hierarchy } from './hierarchy.ts';
import { groupScopeNamed, groupsPath, nameOf, parentScope, shownId } from './names.ts';
import { actions, hierarchyNow, requireGroup, type ManagementGroupParts } from './parts.ts';

const settingsBody = z.object({
  properties: z
    .object({
      requireAuthorizationForGroupCreation: z.boolean().nullish(),
      defaultManagementGroup: z.string().max(256).nullish(),
    })
    .nullish(),
});

/**
 * The hierarchy settings of the tenant, at its root group: they say what holds, and hold always. Whoever makes a group needs
 * write on its parent, and what is new hangs beneath the root. To set them to that is answered; to anything else, refused.
 * learn.microsoft.com/rest/api/managementgroups/hierarchy-settings
 */
export function settingsRoutes(parts: ManagementGroupParts): Route[] {
  const list = `${groupsPath}/:group/settings`;
  const one = `${list}/default`;
  const reading = (params: Params) => guardAt(actions.readSettings, scopeOf(params));
  return [
    {
      method: 'GET',
      path: list,
      effect: 'read',
      body: noBody,
      guard: reading,
      serve: async (_exchange, params) => {
        const hierarchy = rootAsked(params, parts);
        return json(200, { value: [settingsOf(hierarchy, parts)], '@nextLink': null });
      },
    },
    {
      method: 'GET',
      path: one,
      effect: 'read',
      body: noBody,
      guard: reading,
      serve: async (_exchange, params) => json(200, settingsOf(rootAsked(params, parts), parts)),
    },
    ...(['PUT', 'PATCH'] as const).map((method): Route => ({
      method,
      path: one,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: (params) => guardAt(actions.writeSettings, scopeOf(params)),
      serve: async (exchange, params) => set(exchange, rootAsked(params, parts), parts),
    })),
    {
      method: 'DELETE',
      path: one,
      effect: 'change',
      body: noBody,
      guard: (params) => guardAt(actions.deleteSettings, scopeOf(params)),
      serve: (_exchange, params) => {
        rootAsked(params, parts);
        throw unsettable(
          'They cannot be deleted: without them anybody could make a management group in Azure.',
        );
      },
    },
  ];
}

function scopeOf(params: Params): string {
  return groupScopeNamed(param(params, 'group'));
}

/** Throws `not_found` for a group that is not there, `invalid_request` for one that is not the root. */
function rootAsked(params: Params, parts: ManagementGroupParts): Hierarchy {
  const hierarchy = hierarchyNow(parts);
  const { scope } = requireGroup(hierarchy, scopeOf(params));
  if (scope === hierarchy.root) return hierarchy;
  throw refusal(
    'invalid_request',
    'BadRequest',
    `Hierarchy settings are of the root management group, ${nameOf(hierarchy.root)}.`,
  );
}

function settingsOf({ root }: Hierarchy, { tenantId }: ManagementGroupParts): object {
  return {
    id: `${shownId(root)}/settings/default`,
    type: 'Microsoft.Management/managementGroups/settings',
    name: 'default',
    properties: {
      tenantId,
      requireAuthorizationForGroupCreation: true,
      defaultManagementGroup: shownId(root),
    },
  };
}

function set(exchange: Exchange, hierarchy: Hierarchy, parts: ManagementGroupParts): Reply {
  const { properties } = exchange.json(settingsBody);
  if (properties?.requireAuthorizationForGroupCreation === false) {
    throw unsettable('Whoever makes a management group needs write on its parent, always.');
  }
  const group = properties?.defaultManagementGroup;
  if (group && parentScope(group) !== hierarchy.root) {
    throw unsettable('What is new hangs beneath the root management group, always: move it from there.');
  }
  return json(200, settingsOf(hierarchy, parts));
}

function unsettable(why: string): Error {
  return refusal('invalid_request', 'HierarchySettingsNotSupported', why);
}
