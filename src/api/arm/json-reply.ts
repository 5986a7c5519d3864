import type { Exchange, Reply } from '../../gateway/types.ts';
import type { ActorRef } from '../../store/changes.ts';
import type { Page, Resource } from '../../workspace/resources.ts';

/** Body rule of every write: JSON of a bounded size. */
export function jsonBody(maxBytes: number) {
  return { kind: 'buffered', maxBytes, mediaTypes: ['application/json'] } as const;
}

export const noBody = { kind: 'none' } as const;

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache', ...headers },
    body: JSON.stringify(value),
  };
}

/** One page in the resource manager's form; the link to the next one keeps every other parameter of the request. */
export function pageReply(exchange: Exchange, page: Page, view: (resource: Resource) => unknown): Reply {
  const value = page.resources.map(view);
  if (page.next === null) return json(200, { value });
  const query = new URLSearchParams(exchange.head.query);
  query.set('$skip', page.next);
  return json(200, { value, nextLink: `${exchange.head.origin}${exchange.head.path}?${query.toString()}` });
}

/** Id, name, type and who made it: what every resource of Azure has. */
export function resourceEnvelope(resource: Resource) {
  return {
    id: resource.displayId,
    name: resource.name,
    type: resource.type,
    etag: resource.etag,
    systemData: {
      ...actor('created', resource.createdBy),
      createdAt: new Date(resource.createdAt).toISOString(),
      ...actor('lastModified', resource.updatedBy),
      lastModifiedAt: new Date(resource.updatedAt).toISOString(),
    },
  };
}

/** Who acted last in the chain, and the whole chain beside it. */
function actor(verb: 'created' | 'lastModified', chain: readonly ActorRef[]): Record<string, unknown> {
  const last = chain.at(-1);
  return {
    [`${verb}By`]: last?.name ?? '',
    [`${verb}ByType`]: actorType(last?.kind),
    [`${verb}ByChain`]: chain.map(({ kind, id, name }) => ({ kind, id, name })),
  };
}

function actorType(kind: ActorRef['kind'] | undefined): string {
  switch (kind) {
    case 'user':
      return 'User';
    case 'managed-identity':
    case 'job':
      return 'ManagedIdentity';
    case 'application':
    case 'group':
    case 'ci-run':
    case 'system':
    case 'anonymous':
    case undefined:
      return 'Application';
  }
}
