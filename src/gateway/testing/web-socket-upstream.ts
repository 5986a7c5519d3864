import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

export interface Opened {
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly webSocket: WebSocket;
  /** What it was sent, `text:` or `binary:` before it. */
  readonly messages: string[];
  /** The close frame that it got; null while it is open. */
  closed: { readonly code: number; readonly reason: string } | null;
}

/** A real WebSocket server that echoes, unless a test says otherwise; it takes the last subprotocol offered. */
export class WebSocketUpstream {
  readonly server: Server;
  readonly opened: Opened[] = [];
  echoes = true;
  /** Answers a handshake in the server's place. */
  answer: ((request: IncomingMessage, socket: Duplex) => void) | null = null;
  readonly #webSockets: WebSocketServer;
  readonly #sockets = new Set<Duplex>();

  private constructor() {
    this.server = createServer((_request, response) => response.end('plain'));
    this.#webSockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
    });
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => undefined);
      if (this.answer !== null) this.answer(request, socket);
      else this.#webSockets.handleUpgrade(request, socket, head, (one) => this.#take(request, one));
    });
  }

  static async start(): Promise<WebSocketUpstream> {
    const upstream = new WebSocketUpstream();
    await new Promise((resolve) => upstream.server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return upstream;
  }

  #take(request: IncomingMessage, webSocket: WebSocket): void {
    const opened: Opened = {
      url: request.url ?? '',
      rawHeaders: request.rawHeaders,
      webSocket,
      messages: [],
      closed: null,
    };
    this.opened.push(opened);
    webSocket.on('error', () => undefined);
    webSocket.on('message', (data: Buffer, binary) => {
      if (data.length < 1000) opened.messages.push(`${binary ? 'binary' : 'text'}:${data.toString()}`);
      if (this.echoes) webSocket.send(data, { binary });
    });
    webSocket.on('close', (code, reason) => {
      opened.closed = { code, reason: reason.toString() };
    });
  }

  get origin(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(() => resolve(undefined)));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
