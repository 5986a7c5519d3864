import { z } from 'zod';
import type { Exchange, Reply } from '../../../gateway/types.ts';
import type { Route } from '../../../gateway/routes.ts';
import { failure } from '../../../lib/errors.ts';
import { json, jsonBody, noBody } from '../json-reply.ts';
import { groupScope, isGroupName, isGroupScope } from './names.ts';
import { hierarchyNow, visibleOf, type ManagementGroupParts } from './parts.ts';
import { entityBody, groupType } from './representations.ts';

const provider = '/providers/Microsoft.Management';
const nameRequest = z.object({ name: z.string().max(256), type: z.string().max(256).nullish() });
const views = ['FullHierarchy', 'GroupsOnly', 'SubscriptionsOnly', 'Audit'];
const unsupported = ['$search', '$filter', 'groupName'];

/** learn.microsoft.com/rest/api/managementgroups/entities, …/check-name-availability, …/tenant-backfill-status */
export function tenantRoutes(parts: ManagementGroupParts): Route[] {
  const own = (rule: string) => () => ({ kind: 'authenticated', rule, scope: '/' }) as const;
  /** Every subscription hangs beneath the root group from the start; there is nothing to fill in. */
  const filled = async () => json(200, { tenantId: parts.tenantId, status: 'Completed' });
  return [
    {
      method: 'POST',
      path: `${provider}/getEntities`,
      operation: 'Microsoft.Management/getEntities/action',
      effect: 'read',
      body: noBody,
      guard: own('list-own-entities'),
      serve: (exchange) => listEntities(exchange, parts),
    },
    {
      method: 'POST',
      path: `${provider}/checkNameAvailability`,
      operation: 'Microsoft.Management/checkNameAvailability/action',
      effect: 'read',
      body: jsonBody(parts.jsonBytes),
      guard: own('check-group-name'),
      serve: async (exchange) => json(200, availabilityOf(exchange.json(nameRequest).name, parts)),
    },
    ...(['startTenantBackfill', 'tenantBackfillStatus'] as const).map((name): Route => ({
      method: 'POST',
      path: `${provider}/${name}`,
      operation: `Microsoft.Management/${name}/action`,
      effect: 'read',
      body: noBody,
      guard: own('tenant-backfill'),
      serve: filled,
    })),
  ];
}

function availabilityOf(name: string, parts: ManagementGroupParts): object {
  if (!isGroupName(name)) {
    return {
      nameAvailable: false,
      reason: 'Invalid',
      message: `'${name}' cannot be the id of a ${groupType}.`,
    };
  }
  if (hierarchyNow(parts).find(groupScope(name)) === undefined) return { nameAvailable: true };
  return { nameAvailable: false, reason: 'AlreadyExists', message: `The group '${name}' exists.` };
}

async function listEntities(exchange: Exchange, parts: ManagementGroupParts): Promise<Reply> {
  const { query } = exchange.head;
  for (const name of unsupported) {
    if (query.has(name)) throw failure('invalid_request', `${name} is not supported for entities here.`);
  }
  const view = query.get('$view') ?? 'FullHierarchy';
  if (!views.includes(view)) throw failure('invalid_request', `$view is one of ${views.join(', ')}.`);
  const hierarchy = hierarchyNow(parts);
  const seen = await visibleOf(exchange, hierarchy.all());
  const visible = new Set(seen.map(({ scope }) => scope));
  const shown = seen.filter(({ scope }) => {
    if (view === 'GroupsOnly') return isGroupScope(scope);
    return view !== 'SubscriptionsOnly' || !isGroupScope(scope);
  });
  const skip = countIn(query.get('$skip'), 0);
  const top = countIn(query.get('$top'), shown.length);
  return json(200, {
    value: shown.slice(skip, skip + top).map((each) => entityBody(hierarchy, each, parts.tenantId, visible)),
    count: shown.length,
    nextLink: null,
  });
}

function countIn(text: string | null, absent: number): number {
  if (text === null) return absent;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw failure('invalid_request', '$top and $skip are whole numbers.');
}
