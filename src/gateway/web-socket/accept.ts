import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { webSocketBounds } from './bounds.ts';

export interface Accepting {
  readonly request: IncomingMessage;
  /** Released by whoever waited on it. */
  readonly socket: Socket;
  readonly subprotocol: string | null;
  /** Besides those of the handshake. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Answers `101 Switching Protocols`, without compression. The request was found to be a handshake at the edge. */
export function acceptWebSocket({ request, socket, subprotocol, headers }: Accepting): WebSocket {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: webSocketBounds.messageBytes,
    maxFragments: webSocketBounds.fragments,
    handleProtocols: () => subprotocol ?? false,
  });
  server.on('headers', (lines) => {
    for (const [name, value] of Object.entries(headers)) {
      for (const one of typeof value === 'string' ? [value] : value) {
        if (printable.test(one)) lines.push(`${name}: ${one}`);
      }
    }
  });
  let accepted: WebSocket | null = null;
  server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket) => {
    accepted = webSocket;
  });
  if (accepted === null) throw new Error('a handshake that the edge admitted was not accepted');
  return accepted;
}

/** The head is written as it stands. */
const printable = /^[\x20-\x7e]*$/;
