import { isOnwardPath, type ConnectionSignIns } from '../../identity/signin/connection-sign-ins.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { Destination } from '../entra/interactive.ts';
import { signedInPath } from './connection-surface.ts';

/** Where a connection sends a browser that has not signed in there. */
export const connectionPath = '/signin/connection';

export interface BrowserConnections {
  readonly signIns: Pick<ConnectionSignIns, 'code'>;
  /** Of a connection's own host; null for a name that is none. */
  originOf(name: string): string | null;
}

/** A place to go on to after the sign-in: a connection. */
export interface ConnectionDestination extends Destination {
  /** Where the browser goes, with a code for this sign-in. */
  addressFor(session: SessionId): string;
}

/** What an address that a connection has made leads to, rebuilt from its parts; null for any other. */
export function connectionDestination(
  url: URL,
  connections: BrowserConnections,
): ConnectionDestination | null {
  if (url.pathname !== connectionPath) return null;
  const value = (key: string): string => url.searchParams.get(key) ?? '';
  const [name, state] = [value('name'), value('state')];
  const path = isOnwardPath(value('path')) ? value('path') : '/';
  const origin = connections.originOf(name);
  if (origin === null || !/^[\w-]{43}$/.test(state)) return null;
  return {
    path: `${connectionPath}?${new URLSearchParams({ name, state, path }).toString()}`,
    clientName: name,
    loginHint: null,
    formAction: origin,
    addressFor: (session) => {
      const code = connections.signIns.code(session, name, state, path);
      return `${origin}${signedInPath}?${new URLSearchParams({ code }).toString()}`;
    },
  };
}
