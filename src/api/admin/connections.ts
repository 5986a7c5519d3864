import type { Route } from '../../gateway/routes.ts';
import { isUsed, lastErrorOf, type EndpointState } from '../../gateway/upstream/endpoint.ts';
import type { UpstreamView } from '../../gateway/upstream/upstream.ts';
import { ownAction } from '../own-actions.ts';
import { isoTime, noBody, ok } from './replies.ts';

export interface ConnectionStatus {
  readonly name: string;
  readonly kind: string;
  readonly scope: string;
  /** Where people open it. */
  readonly browserUrl: string;
  /** What programs, which send a token, take for its address. */
  readonly programUrl: string;
  readonly upstream: UpstreamView;
}

export interface ConnectionParts {
  readonly connections: () => readonly ConnectionStatus[];
  /** When the file in which they are configured was changed, if that was after the start. */
  readonly configurationChangedAt: () => Promise<number | null>;
}

/** How the protected upstreams are. Their addresses are nobody's business who has no right to see them. */
export function connectionRoutes({
  connections,
  configurationChangedAt,
}: Pick<ConnectionParts, 'connections' | 'configurationChangedAt'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/connections',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('connections/read'),
      async serve() {
        const changedAt = await configurationChangedAt();
        return ok({
          value: connections().map(connectionView),
          configurationChangedAt: changedAt === null ? null : isoTime(changedAt),
        });
      },
    },
  ];
}

/** How many of them have no address that may be asked. */
export function unavailable(connections: readonly ConnectionStatus[]): number {
  return connections.filter(({ upstream }) => !upstream.endpoints.some(({ state }) => isUsed(state))).length;
}

function connectionView({ upstream, ...connection }: ConnectionStatus) {
  const { endpoints, requests, waiting, webSockets } = upstream;
  return {
    ...connection,
    requests,
    waiting,
    webSockets,
    addresses: endpoints.map(({ address, state, since, outstanding }) => ({
      address,
      ...stateView(state),
      since: isoTime(since),
      outstanding,
    })),
  };
}

/** Every member is there in every state: null where it says nothing. */
function stateView(state: EndpointState) {
  const askedAgainAt = state.kind === 'down' ? state.askedAgainAt : null;
  const { failures, limit } = state.kind === 'failing' ? state : { failures: null, limit: null };
  return {
    state: state.kind,
    failures,
    failureLimit: limit,
    askedAgainAt: askedAgainAt === null ? null : isoTime(askedAgainAt),
    lastError: lastErrorOf(state),
  };
}
