import type { Route } from '../../gateway/routes.ts';
import type { UpstreamView } from '../../gateway/upstream/upstream.ts';
import { ownAction } from '../own-actions.ts';
import { isoTime, noBody, ok } from './replies.ts';

export interface ConnectionStatus {
  readonly name: string;
  readonly kind: string;
  readonly scope: string;
  readonly upstream: UpstreamView;
}

export interface ConnectionParts {
  readonly connections: () => readonly ConnectionStatus[];
}

/** How the protected upstreams are. Their addresses are nobody's business who has no right to see them. */
export function connectionRoutes({ connections }: ConnectionParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/connections',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('connections/read'),
      serve: () => Promise.resolve(ok({ value: connections().map(connectionView) })),
    },
  ];
}

/** How many of them have no address that may be asked. */
export function unavailable(connections: readonly ConnectionStatus[]): number {
  return connections.filter(({ upstream }) => upstream.endpoints.every(({ state }) => state !== 'closed'))
    .length;
}

function connectionView({ name, kind, scope, upstream }: ConnectionStatus) {
  const { endpoints, requests, waiting, webSockets } = upstream;
  return {
    name,
    kind,
    scope,
    requests,
    waiting,
    webSockets,
    addresses: endpoints.map(({ address, state, since, why, outstanding }) => ({
      address,
      state,
      since: isoTime(since),
      why,
      outstanding,
    })),
  };
}
