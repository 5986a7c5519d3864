import type { Exchange, Guard, Reply } from '../../../gateway/types.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import type { ScopePlacement } from '../../../store/changes.ts';
import { refusal } from '../authorization/refusals.ts';
import { json, noBody } from '../json-reply.ts';
import { guardAt, param } from '../machine-learning/parts.ts';
import { changePlacement } from './changes.ts';
import type { Hierarchy } from './hierarchy.ts';
import { groupScopeNamed, groupsPath, isGroupScope, nameOf, subscriptionScope } from './names.ts';
import { actions, hierarchyNow, requireGroup, visibleOf, type ManagementGroupParts } from './parts.ts';
import { subscriptionBody } from './representations.ts';

/** learn.microsoft.com/rest/api/managementgroups/management-group-subscriptions */
export function groupSubscriptionRoutes(parts: ManagementGroupParts): Route[] {
  const collection = `${groupsPath}/:group/subscriptions`;
  const path = `${collection}/:subscription`;
  return [
    {
      method: 'GET',
      path: collection,
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(actions.readSubscription, groupOf(params)),
      serve: async (exchange, params) => {
        const hierarchy = hierarchyNow(parts);
        const group = requireGroup(hierarchy, groupOf(params));
        const placed = hierarchy.childrenOf(group.scope).filter(({ scope }) => !isGroupScope(scope));
        const visible = await visibleOf(exchange, placed);
        return json(200, {
          value: visible.map((each) => subscriptionBody(group.scope, each, parts.tenantId)),
          nextLink: null,
        });
      },
    },
    {
      method: 'GET',
      path,
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(actions.readSubscription, groupOf(params)),
      serve: async (exchange, params) => {
        const hierarchy = hierarchyNow(parts);
        const group = requireGroup(hierarchy, groupOf(params));
        const [found] = await visibleOf(exchange, [requirePlaced(hierarchy, params, group.scope)]);
        if (found === undefined) throw notBeneath(params);
        return json(200, subscriptionBody(group.scope, found, parts.tenantId));
      },
    },
    {
      method: 'PUT',
      path,
      effect: 'change',
      body: noBody,
      guard: (params) => guardOf(actions.writeSubscription, params, parts),
      serve: (exchange, params) => moveTo(exchange, params, groupOf(params), parts),
    },
    {
      method: 'DELETE',
      path,
      effect: 'change',
      body: noBody,
      guard: (params) => guardOf(actions.deleteSubscription, params, parts),
      serve: async (exchange, params) => {
        const hierarchy = hierarchyNow(parts);
        const group = requireGroup(hierarchy, groupOf(params));
        const placed = hierarchy.find(subscriptionOf(params));
        if (!placed || hierarchy.parentOf(placed) !== group.scope) return { status: 204 };
        await moveTo(exchange, params, hierarchy.root, parts);
        return { status: 200 };
      },
    },
  ];
}

/** At the root group, where subscriptions land by themselves, the right is that on the subscription. */
function guardOf(action: string, params: Params, parts: ManagementGroupParts): Guard {
  const group = groupOf(params);
  return group === hierarchyNow(parts).root
    ? guardAt(actions.write, subscriptionOf(params))
    : guardAt(action, group);
}

async function moveTo(
  exchange: Exchange,
  params: Params,
  target: string,
  parts: ManagementGroupParts,
): Promise<Reply> {
  const scope = subscriptionOf(params);
  if (!hierarchyNow(parts).find(scope)) {
    throw refusal(
      'not_found',
      'SubscriptionNotFound',
      `The subscription '${nameOf(scope)}' could not be found.`,
    );
  }
  await changePlacement(exchange, parts, scope, { parent: target });
  const hierarchy = hierarchyNow(parts);
  return json(200, subscriptionBody(target, requirePlaced(hierarchy, params, target), parts.tenantId));
}

function groupOf(params: Params): string {
  return groupScopeNamed(param(params, 'group'));
}

function subscriptionOf(params: Params): string {
  return subscriptionScope(param(params, 'subscription'));
}

/** The subscription, if it hangs at this very group. Throws `not_found`. */
function requirePlaced(hierarchy: Hierarchy, params: Params, group: string): ScopePlacement {
  const found = hierarchy.find(subscriptionOf(params));
  if (found && hierarchy.parentOf(found) === group) return found;
  throw notBeneath(params);
}

function notBeneath(params: Params): Error {
  return refusal(
    'not_found',
    'NotFound',
    `The subscription '${param(params, 'subscription')}' is not beneath the management group '${param(params, 'group')}'.`,
  );
}
