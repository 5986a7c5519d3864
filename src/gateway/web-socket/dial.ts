import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { ConnectionTls } from '../../config/connections.ts';
import type { UpstreamAddress } from '../upstream/address.ts';
import { tlsOptions } from '../upstream/tls.ts';
import { TransportFault, type TransportFaultKind } from '../upstream/transport.ts';
import { webSocketBounds } from './bounds.ts';

/** An open WebSocket to an upstream; paused, so that nothing it says is lost before somebody listens. */
export interface UpstreamWebSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  /** The one that the upstream chose among those offered. */
  readonly subprotocol: string | null;
}

export type Dialed =
  | {
      readonly kind: 'open';
      readonly upstream: UpstreamWebSocket;
      readonly headers: IncomingMessage['headers'];
    }
  /** The upstream gave an ordinary answer instead; its body is not read yet. */
  | { readonly kind: 'refused'; readonly response: IncomingMessage };

export interface Dialing {
  readonly address: UpstreamAddress;
  readonly tls?: ConnectionTls | undefined;
  /** Path and query, sent byte for byte. */
  readonly target: string;
  /** A flat list of names and values. */
  readonly headers: readonly string[];
  readonly subprotocols: readonly string[];
  readonly signal: AbortSignal;
  readonly handshakeMilliseconds?: number;
}

/**
 * Opens a WebSocket to an upstream, without compression: what is not negotiated here need not be undone before the
 * frames go on. Redirects are not followed. Throws a TransportFault for an upstream that does not answer in time or
 * whose answer is no valid handshake (RFC 6455 §4.1), and whatever `signal` was aborted with.
 */
export async function dialWebSocket(dialing: Dialing): Promise<Dialed> {
  const { address, target, signal, subprotocols } = dialing;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Dialed>();
  let connected = false;
  const webSocket = new WebSocket(address.origin, {
    ...tlsOptions(dialing.tls),
    headers: headersOf(dialing),
    perMessageDeflate: false,
    followRedirects: false,
    autoPong: false,
    maxPayload: webSocketBounds.messageBytes,
    maxFragments: webSocketBounds.fragments,
    handshakeTimeout: dialing.handshakeMilliseconds ?? webSocketBounds.handshakeMilliseconds,
    // A URL would rewrite the path; this is the one that was decided on.
    finishRequest: (request) => {
      request.path = address.basePath + target;
      request.once('socket', (socket) => {
        socket.once(address.origin.startsWith('https:') ? 'secureConnect' : 'connect', () => {
          connected = true;
        });
      });
      request.end();
    },
  });
  const onAbort = (): void => {
    reject(signal.reason);
    webSocket.terminate();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  let answered: IncomingMessage | null = null;
  let subprotocol: string | null = null;
  let unaskedProtocol = false;
  webSocket.on('error', (fault: Error) => {
    reject(new TransportFault(kindOf(fault, connected), connected, fault));
  });
  webSocket.on('upgrade', (answer: IncomingMessage) => {
    answered = answer;
    subprotocol = answer.headers['sec-websocket-protocol'] ?? null;
    unaskedProtocol = subprotocol !== null && !subprotocols.includes(subprotocol);
    // The library would fail an upstream that chooses none; whether to go on without one is for the caller to say.
    delete answer.headers['sec-websocket-protocol'];
  });
  webSocket.on('unexpected-response', (_request, response: IncomingMessage) => {
    resolve({ kind: 'refused', response });
  });
  webSocket.on('open', () => {
    webSocket.pause();
    if (answered === null || unaskedProtocol) {
      webSocket.terminate();
      reject(new TransportFault('protocol', true, 'the upstream chose a subprotocol that was not offered'));
    } else {
      const { socket, headers } = answered;
      resolve({ kind: 'open', upstream: { webSocket, socket, subprotocol }, headers });
    }
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function headersOf({ headers, subprotocols }: Dialing): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const before = out[name];
    out[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  if (subprotocols.length > 0) out['sec-websocket-protocol'] = subprotocols.join(', ');
  return out;
}

/** The library tells its own timer by its words alone. */
function kindOf(fault: Error, connected: boolean): TransportFaultKind {
  const late = fault.message.includes('handshake has timed out');
  if (!connected) return late ? 'connect-timeout' : 'connect';
  if (late) return 'timeout';
  return 'code' in fault && fault.code === 'ECONNRESET' ? 'closed' : 'protocol';
}
