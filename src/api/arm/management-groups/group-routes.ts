import { z } from 'zod';
import type { Exchange, Guard, Reply } from '../../../gateway/types.ts';
import type { Params, Route } from '../../../gateway/routes.ts';
import { failure } from '../../../lib/errors.ts';
import type { ScopePlacement } from '../../../store/changes.ts';
import { requireAlso } from '../../also.ts';
import { refusal } from '../authorization/refusals.ts';
import { json, jsonBody, noBody } from '../json-reply.ts';
import { guardAt, param } from '../machine-learning/parts.ts';
import { changePlacement, createGroup, deleteGroup } from './changes.ts';
import type { Hierarchy } from './hierarchy.ts';
import { groupScopeNamed, groupsPath, isGroupScope, nameOf, parentScope } from './names.ts';
import { actions, hierarchyNow, requireGroup, visibleOf, type ManagementGroupParts } from './parts.ts';
import { childBody, descendantBody, groupBody, groupInfo } from './representations.ts';

const displayName = z.string().trim().min(1).max(90);
const parentReference = z.object({ id: z.string().max(256).nullish() });

const putBody = z.object({
  name: z.string().nullish(),
  properties: z
    .object({
      displayName: displayName.nullish(),
      details: z.object({ parent: parentReference.nullish() }).nullish(),
    })
    .nullish(),
});
const patchBody = z.object({
  displayName: displayName.nullish(),
  parentGroupId: z.string().max(256).nullish(),
});

/** learn.microsoft.com/rest/api/managementgroups/management-groups */
export function groupRoutes(parts: ManagementGroupParts): Route[] {
  const path = `${groupsPath}/:group`;
  return [
    {
      method: 'GET',
      path: groupsPath,
      operation: actions.read,
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'authenticated', rule: 'list-own-management-groups', scope: '/' }),
      serve: async (exchange) => {
        const groups = [...hierarchyNow(parts).all()].filter(({ scope }) => isGroupScope(scope));
        const visible = await visibleOf(exchange, groups);
        return json(200, { value: visible.map((group) => groupInfo(group, parts.tenantId)), nextLink: null });
      },
    },
    {
      method: 'GET',
      path,
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(actions.read, scopeOf(params)),
      serve: (exchange, params) => show(exchange, params, parts),
    },
    {
      method: 'PUT',
      path,
      operation: actions.write,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: (params) => guardOfPut(scopeOf(params), hierarchyNow(parts)),
      serve: (exchange, params) => put(exchange, params, parts),
    },
    {
      method: 'PATCH',
      path,
      effect: 'change',
      body: jsonBody(parts.jsonBytes),
      guard: (params) => guardAt(actions.write, scopeOf(params)),
      serve: async (exchange, params) => {
        const wanted = exchange.json(patchBody);
        await changePlacement(exchange, parts, scopeOf(params), {
          displayName: wanted.displayName ?? undefined,
          parent: wanted.parentGroupId ? parentScope(wanted.parentGroupId) : undefined,
        });
        return groupNow(parts, scopeOf(params), 200);
      },
    },
    {
      method: 'DELETE',
      path,
      effect: 'change',
      body: noBody,
      guard: (params) => guardAt(actions.delete, scopeOf(params)),
      serve: async (exchange, params) => {
        const deleted = await deleteGroup(exchange, parts, scopeOf(params));
        if (deleted === null) return { status: 204 };
        return json(200, { ...groupInfo(deleted, parts.tenantId), status: 'Succeeded' });
      },
    },
    {
      method: 'GET',
      path: `${path}/descendants`,
      effect: 'read',
      body: noBody,
      guard: (params) => guardAt(actions.descendants, scopeOf(params)),
      serve: (exchange, params) => listDescendants(exchange, params, parts),
    },
  ];
}

function scopeOf(params: Params): string {
  return groupScopeNamed(param(params, 'group'));
}

/**
 * A group that exists is decided on itself. One that is to be made is decided on the parent that the body names, once the
 * body has been read: see `put`.
 */
function guardOfPut(scope: string, hierarchy: Hierarchy): Guard {
  return hierarchy.find(scope)
    ? guardAt(actions.write, scope)
    : { kind: 'authenticated', rule: 'make-management-group', scope: hierarchy.root };
}

async function put(exchange: Exchange, params: Params, parts: ManagementGroupParts): Promise<Reply> {
  const scope = scopeOf(params);
  const wanted = exchange.json(putBody);
  const parent = parentIn(wanted);
  const named = wanted.properties?.displayName ?? undefined;
  if (wanted.name && wanted.name.toLowerCase() !== nameOf(scope)) {
    throw refusal('invalid_request', 'InvalidGroupName', 'The body names another group than the address.');
  }
  const hierarchy = hierarchyNow(parts);
  if (hierarchy.find(scope)) {
    // It may have been made since the request was let in.
    if (exchange.decision.cause.kind === 'authenticated') await requireToWrite(exchange, scope);
    await changePlacement(exchange, parts, scope, { displayName: named, parent });
    return groupNow(parts, scope, 200);
  }
  const under = parent ?? hierarchy.root;
  await requireToWrite(exchange, under);
  await createGroup(exchange, parts, {
    scope,
    parent: under,
    displayName: named ?? param(params, 'group'),
  });
  return groupNow(parts, scope, 201);
}

async function requireToWrite(exchange: Exchange, scope: string): Promise<void> {
  await requireAlso(exchange, { action: actions.write, dataAction: false, scope });
}

function parentIn({ properties }: z.infer<typeof putBody>): string | undefined {
  const id = properties?.details?.parent?.id;
  return id ? parentScope(id) : undefined;
}

function groupNow(parts: ManagementGroupParts, scope: string, status: 200 | 201): Reply {
  const hierarchy = hierarchyNow(parts);
  const group = requireGroup(hierarchy, scope);
  const { tenantId } = parts;
  return json(
    status,
    groupBody(hierarchy, group, { tenantId, children: null, withAncestors: false, withPath: false }),
  );
}

async function show(exchange: Exchange, params: Params, parts: ManagementGroupParts): Promise<Reply> {
  const hierarchy = hierarchyNow(parts);
  const group = requireGroup(hierarchy, scopeOf(params));
  const { query } = exchange.head;
  const expand = new Set((query.get('$expand') ?? '').split(',').filter((word) => word !== ''));
  for (const word of expand) {
    if (['children', 'ancestors', 'path'].includes(word)) continue;
    throw failure(
      'invalid_request',
      `$expand takes children, ancestors or path, not '${word.slice(0, 40)}'.`,
    );
  }
  const recurse = query.get('$recurse')?.toLowerCase() === 'true';
  if (recurse && !expand.has('children')) {
    throw failure('invalid_request', '$recurse asks for $expand=children beside it.');
  }
  const wanted = childFilter(query.get('$filter'));
  const looked = recurse ? hierarchy.beneath(group.scope) : hierarchy.childrenOf(group.scope);
  const visible = new Set(expand.has('children') ? await visibleOf(exchange, looked) : []);
  const childrenOf = (scope: string): object[] => {
    const out: object[] = [];
    for (const child of hierarchy.childrenOf(scope)) {
      if (!visible.has(child)) continue;
      const own = recurse ? childrenOf(child.scope) : null;
      if (wanted(child)) out.push(childBody(child, own));
    }
    return out;
  };
  return json(
    200,
    groupBody(hierarchy, group, {
      tenantId: parts.tenantId,
      children: expand.has('children') ? childrenOf(group.scope) : null,
      withAncestors: expand.has('ancestors'),
      withPath: expand.has('path'),
    }),
  );
}

/** `children.childType eq Subscription` and the like. Throws `invalid_request` for any other filter. */
function childFilter(text: string | null): (child: ScopePlacement) => boolean {
  if (text === null || text === '') return () => true;
  const found = /^children\.childType (eq|ne) '?(Subscription|ManagementGroup)'?$/i.exec(text);
  if (found === null) {
    throw failure('invalid_request', '$filter takes `children.childType eq Subscription`, or `ne`, here.');
  }
  const [, operator = '', type = ''] = found;
  const groups = type.toLowerCase() === 'managementgroup';
  const equal = operator.toLowerCase() === 'eq';
  return ({ scope }) => (isGroupScope(scope) === groups) === equal;
}

async function listDescendants(
  exchange: Exchange,
  params: Params,
  parts: ManagementGroupParts,
): Promise<Reply> {
  const hierarchy = hierarchyNow(parts);
  const group = requireGroup(hierarchy, scopeOf(params));
  const { query } = exchange.head;
  const visible = await visibleOf(exchange, hierarchy.beneath(group.scope));
  const size = countIn(query.get('$top'), parts.pageSize) || parts.pageSize;
  const from = countIn(query.get('$skiptoken'), 0);
  const value = visible.slice(from, from + size).map((each) => descendantBody(hierarchy, each));
  if (from + size >= visible.length) return json(200, { value, nextLink: null });
  const next = new URLSearchParams(query);
  next.set('$skiptoken', String(from + size));
  return json(200, {
    value,
    nextLink: `${exchange.head.origin}${groupsPath}/${nameOf(group.scope)}/descendants?${next.toString()}`,
  });
}

function countIn(text: string | null, absent: number): number {
  if (text === null) return absent;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw failure('invalid_request', '$top and $skiptoken are whole numbers here.');
}
