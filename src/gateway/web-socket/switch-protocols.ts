import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { LiveSession } from '../live-sessions.ts';
import { acceptWebSocket } from './accept.ts';
import type { Admit } from './admit.ts';
import type { UpstreamWebSocket } from './dial.ts';
import { joinWebSockets, type Joining, type Joint } from './join.ts';

export interface Switching {
  readonly request: IncomingMessage;
  /** Released by whoever waited on it. */
  readonly socket: Socket;
  readonly upstream: UpstreamWebSocket;
  /** Of the answer, besides those of the handshake. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly admit?: Admit | null;
  readonly holdings: Joining['holdings'];
}

/**
 * Answers an upgrade with 101 and joins the client to the upstream; the session counts what passes. Throws when the
 * handshake cannot be answered, and then has let go of the upstream.
 */
export function switchProtocols(
  { request, socket, upstream, headers, admit = null, holdings }: Switching,
  session: Pick<LiveSession, 'messages' | 'requestBytes' | 'responseBytes'>,
): Joint {
  const { subprotocol } = upstream;
  const client = accepted(() => acceptWebSocket({ request, socket, subprotocol, headers }), upstream);
  const messages = { received: 0, sent: 0, withheld: 0 };
  session.messages = messages;
  return joinWebSockets({
    client: { webSocket: client, socket },
    upstream,
    received: (bytes) => {
      messages.received++;
      session.requestBytes += bytes;
    },
    admit,
    holdings,
    withheld: () => {
      messages.withheld++;
    },
    sent: (bytes) => {
      messages.sent++;
      session.responseBytes += bytes;
    },
  });
}

function accepted<T>(accept: () => T, { webSocket }: UpstreamWebSocket): T {
  try {
    return accept();
  } catch (thrown) {
    webSocket.on('error', () => undefined).terminate();
    throw thrown;
  }
}
