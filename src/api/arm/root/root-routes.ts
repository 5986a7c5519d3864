import type { Params, Route } from '../../../gateway/routes.ts';
import { failure } from '../../../lib/errors.ts';
import type { PrincipalId, TenantId } from '../../../lib/ids.ts';
import type { Decision } from '../../../policy/types.ts';
import type { Store } from '../../../store/sqlite.ts';
import { workspaceType } from '../../../workspace/resource-ids.ts';
import { json, noBody } from '../json-reply.ts';
import { guardAt, param } from '../machine-learning/parts.ts';
import { cloudMetadata } from './cloud-metadata.ts';
import { providerList, providerNamed } from './providers.ts';

export interface RootParts {
  readonly store: Store;
  readonly tenantId: TenantId;
  readonly publicUrl: string;
  readonly baseDomain: string;
  /** Whether a role is assigned to the principal, or to a group of theirs, at this scope or beneath it. */
  holdsRoleWithin(id: PrincipalId, scope: string): boolean;
}

const readSubscription = 'Microsoft.Resources/subscriptions/read';
const readGroups = 'Microsoft.Resources/subscriptions/resourceGroups/read';
const readProviders = 'Microsoft.Resources/subscriptions/providers/read';

/** What a client of the resource manager asks before it asks for anything in particular. */
export function rootRoutes(parts: RootParts): Route[] {
  const { store, tenantId } = parts;
  const requireSubscription = async (params: Params): Promise<Subscription> => {
    const id = param(params, 'subscription').toLowerCase();
    const found = (await subscriptions(store)).find((candidate) => candidate.id === id);
    if (found !== undefined) return found;
    throw failure('not_found', `The subscription '${id.slice(0, 80)}' could not be found.`, {
      azureCode: 'SubscriptionNotFound',
    });
  };
  return [
    {
      method: 'GET',
      path: '/tenants',
      operation: 'Microsoft.Resources/tenants/read',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'authenticated', rule: 'list-tenants', scope: '/' }),
      serve: async () =>
        json(200, {
          value: [{ id: `/tenants/${tenantId}`, tenantId, tenantCategory: 'Home', displayName: 'Lockstep' }],
        }),
    },
    {
      method: 'GET',
      path: '/subscriptions',
      operation: readSubscription,
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'authenticated', rule: 'list-own-subscriptions', scope: '/' }),
      serve: async (exchange) => {
        const all = await subscriptions(store);
        const scopes = all.map(({ id }) => `/subscriptions/${id}`);
        const decisions = await exchange.decideEach(
          scopes.map((scope) => ({ action: readSubscription, dataAction: false, scope })),
        );
        const value = all
          .filter((_, index) => {
            const decision = decisions[index];
            return decision !== undefined && (decision.allowed || hasPartIn(parts, decision));
          })
          .map((subscription) => subscriptionView(subscription, tenantId));
        return json(200, { value, count: { type: 'Total', value: value.length } });
      },
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription',
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(readSubscription, `/subscriptions/${param(params, 'subscription')}`),
      serve: async (_exchange, params) =>
        json(200, subscriptionView(await requireSubscription(params), tenantId)),
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/resourceGroups',
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(readGroups, `/subscriptions/${param(params, 'subscription')}`),
      serve: async (_exchange, params) => {
        const subscription = await requireSubscription(params);
        return json(200, { value: subscription.groups.map((name) => groupView(subscription.id, name)) });
      },
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/resourceGroups/:group',
      effect: 'read',
      body: noBody,
      guard: (params) =>
        guardAt(
          readGroups,
          `/subscriptions/${param(params, 'subscription')}/resourceGroups/${param(params, 'group')}`,
        ),
      serve: async (_exchange, params) => {
        const subscription = await requireSubscription(params);
        const wanted = param(params, 'group').toLowerCase();
        const name = subscription.groups.find((group) => group.toLowerCase() === wanted);
        if (name !== undefined) return json(200, groupView(subscription.id, name));
        throw failure('not_found', `Resource group '${wanted}' could not be found.`, {
          azureCode: 'ResourceGroupNotFound',
        });
      },
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/providers/:namespace',
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(readProviders, `/subscriptions/${param(params, 'subscription')}`),
      serve: async (_exchange, params) =>
        json(
          200,
          providerNamed(param(params, 'namespace'), `/subscriptions/${param(params, 'subscription')}`),
        ),
    },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/providers',
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(readProviders, `/subscriptions/${param(params, 'subscription')}`),
      serve: async (_exchange, params) => {
        const { id } = await requireSubscription(params);
        return json(200, { value: providerList(`/subscriptions/${id}`) });
      },
    },
    {
      method: 'GET',
      path: '/providers',
      operation: 'Microsoft.Resources/providers/read',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'authenticated', rule: 'list-providers', scope: '/' }),
      serve: async () => json(200, { value: providerList('') }),
    },
    {
      method: 'GET',
      path: '/providers/:namespace',
      operation: 'Microsoft.Resources/providers/read',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'authenticated', rule: 'list-providers', scope: '/' }),
      serve: async (_exchange, params) => json(200, providerNamed(param(params, 'namespace'), '')),
    },
    {
      method: 'GET',
      path: '/metadata/endpoints',
      operation: 'metadata',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'public', rule: 'cloud-metadata', scope: '/' }),
      serve: async ({ head }) => json(200, cloudMetadata(parts, head.query.get('api-version') ?? '')),
    },
  ];
}

interface Subscription {
  readonly id: string;
  readonly groups: readonly string[];
}

/** There is no list of subscriptions: a subscription is where a workspace is. */
async function subscriptions(store: Store): Promise<Subscription[]> {
  const rows = await store.db
    .selectFrom('resources')
    .select('display_id')
    .where('type', '=', workspaceType)
    .orderBy('created_at')
    .execute();
  const found = new Map<string, Map<string, string>>();
  for (const { display_id } of rows) {
    const [, , subscription = '', , group = ''] = display_id.split('/');
    const groups = found.get(subscription.toLowerCase()) ?? new Map<string, string>();
    groups.set(group.toLowerCase(), groups.get(group.toLowerCase()) ?? group);
    found.set(subscription.toLowerCase(), groups);
  }
  return [...found].map(([id, groups]) => ({ id, groups: [...groups.values()] }));
}

/** As Azure has it, whoever holds a role somewhere in a subscription sees that it is there, unless it is denied them. */
function hasPartIn(parts: RootParts, { cause, authorities, access }: Decision): boolean {
  return cause.kind === 'missing-grant' && authorities.every((id) => parts.holdsRoleWithin(id, access.scope));
}

function subscriptionView({ id }: Subscription, tenantId: TenantId) {
  return {
    id: `/subscriptions/${id}`,
    subscriptionId: id,
    tenantId,
    homeTenantId: tenantId,
    displayName: 'Lockstep',
    state: 'Enabled',
    authorizationSource: 'RoleBased',
    managedByTenants: [],
  };
}

function groupView(subscriptionId: string, name: string) {
  return {
    id: `/subscriptions/${subscriptionId}/resourceGroups/${name}`,
    name,
    type: 'Microsoft.Resources/resourceGroups',
    location: 'local',
    properties: { provisioningState: 'Succeeded' },
  };
}
