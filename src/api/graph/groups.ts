import { z } from 'zod';
import { failure } from '../../lib/errors.ts';
import { isGuid, type PrincipalId } from '../../lib/ids.ts';
import type { Route } from '../../gateway/routes.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { ownAction } from '../own-actions.ts';
import { requirePowerToAdmit, requirePowerToDelete, requirePowerToRelease } from '../power-over.ts';
import { created, noContent, one, page } from './odata.ts';
import { directoryObject, groupResource } from './objects.ts';
import { jsonBody, noBody, principalOf, type GraphParts } from './parts.ts';

/** `mailNickname` is asked for by Graph and sent by its clients; there is no mail here. */
const newGroup = z.strictObject({
  mailNickname: z.string().optional(),
  groupTypes: z.array(z.never()).optional(),
  displayName: z.string(),
  mailEnabled: z.literal(false).optional(),
  securityEnabled: z.literal(true).optional(),
});
const reference = z.object({ '@odata.id': z.string().max(2048) });

/** learn.microsoft.com/graph/api/resources/group */
export function groupRoutes(parts: GraphParts): Route[] {
  const { directory, tenantId } = parts;
  return [
    {
      method: 'GET',
      path: '/v1.0/groups',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('groups/read'),
      serve: async (exchange) => page(exchange, (await directory.listGroups()).map(groupResource)),
    },
    {
      method: 'POST',
      path: '/v1.0/groups',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('groups/write'),
      async serve(exchange) {
        const { displayName } = exchange.json(newGroup);
        return created(groupResource(await directory.createGroup(exchange.attribution, { displayName })));
      },
    },
    {
      method: 'GET',
      path: '/v1.0/groups/:id',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('groups/read'),
      serve: async (exchange, { id = '' }) =>
        one(exchange, groupResource(await principalOf(parts, id, ['group']))),
    },
    {
      method: 'DELETE',
      path: '/v1.0/groups/:id',
      effect: 'change',
      body: noBody,
      guard: () => ownAction('groups/delete'),
      async serve(exchange, { id = '' }) {
        const group = await principalOf(parts, id, ['group']);
        await requirePowerToDelete(exchange, parts.snapshot, group.id);
        await directory.deletePrincipal(exchange.attribution, group.id);
        return noContent;
      },
    },
    {
      method: 'GET',
      path: '/v1.0/groups/:id/members',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('groups/read'),
      async serve(exchange, { id = '' }) {
        const group = await principalOf(parts, id, ['group']);
        const members = await directory.membersOf(group.id);
        return page(
          exchange,
          members.map((member) => directoryObject(member, tenantId)),
        );
      },
    },
    {
      method: 'GET',
      path: '/v1.0/groups/:id/transitiveMembers',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('groups/read'),
      async serve(exchange, { id = '' }) {
        const group = await principalOf(parts, id, ['group']);
        const members = await transitiveMembers(parts, group.id);
        return page(
          exchange,
          members.map((member) => directoryObject(member, tenantId)),
        );
      },
    },
    {
      method: 'POST',
      path: '/v1.0/groups/:id/members/$ref',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('groups/write'),
      async serve(exchange, { id = '' }) {
        const group = await principalOf(parts, id, ['group']);
        const member = await memberOf(parts, referredTo(exchange.json(reference)['@odata.id']));
        await requirePowerToAdmit(exchange, parts.snapshot, group.id, member);
        await directory.addMember(exchange.attribution, group.id, member.id);
        return noContent;
      },
    },
    {
      method: 'DELETE',
      path: '/v1.0/groups/:id/members/:member/$ref',
      effect: 'change',
      body: noBody,
      guard: () => ownAction('groups/write'),
      async serve(exchange, { id = '', member = '' }) {
        const group = await principalOf(parts, id, ['group']);
        const { id: memberId } = await memberOf(parts, member);
        await requirePowerToRelease(exchange, parts.snapshot, group.id);
        await directory.removeMember(exchange.attribution, group.id, memberId);
        return noContent;
      },
    },
  ];
}

function memberOf(parts: GraphParts, id: string): Promise<PrincipalRecord> {
  return principalOf(parts, id, ['user', 'group', 'application', 'managed-identity', 'job']);
}

async function transitiveMembers({ directory }: GraphParts, group: PrincipalId): Promise<PrincipalRecord[]> {
  const found = new Map<PrincipalId, PrincipalRecord>();
  const toOpen = [group];
  const opened = new Set<PrincipalId>();
  for (let next = toOpen.pop(); next !== undefined; next = toOpen.pop()) {
    if (opened.has(next)) continue;
    opened.add(next);
    for (const member of await directory.membersOf(next)) {
      found.set(member.id, member);
      if (member.kind === 'group') toOpen.push(member.id);
    }
  }
  return [...found.values()];
}

/** `https://…/v1.0/directoryObjects/{id}` and the like; only the id counts. */
function referredTo(address: string): PrincipalId {
  const id = /\/(?:directoryObjects|users|groups|servicePrincipals)\/([^/?#]+)$/.exec(address)?.[1] ?? '';
  if (!isGuid(id)) throw failure('invalid_request', '@odata.id must end in /directoryObjects/{object id}.');
  return id.toLowerCase() as PrincipalId;
}
