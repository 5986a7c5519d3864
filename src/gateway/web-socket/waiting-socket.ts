import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** How long a refused upgrade's sender gets to read the answer. */
const lingerMilliseconds = 1000;

/**
 * A connection that Node has handed over because its request asked for an upgrade, until it is known what becomes of
 * it. Node reads no more requests from it, so an answer of HTTP is its last. Bytes that come before the answer were
 * meant for nobody yet (RFC 6455 §4.1 forbids them); read as a second request or as frames they could be smuggled past
 * the decision, so they end the connection.
 */
export class WaitingSocket {
  /** Writes an ordinary answer, after which the connection ends. Its `close` is that of the connection. */
  readonly response: ServerResponse;
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly #onEarly = (): void => {
    this.socket.destroy();
  };

  constructor(request: IncomingMessage, socket: Socket) {
    this.request = request;
    this.socket = socket;
    socket.on('error', ignore);
    socket.on('data', this.#onEarly).on('end', this.#onEarly);
    this.response = new ServerResponse(request);
    this.response.shouldKeepAlive = false;
    this.response.assignSocket(socket);
    this.response.once('finish', () => this.#endPolitely());
  }

  /** Hands the connection to whoever speaks on it from now; null when it is gone. Must be taken up in the same tick. */
  release(): Socket | null {
    this.socket.off('data', this.#onEarly).off('end', this.#onEarly);
    return this.socket.destroyed || !this.socket.readable || !this.socket.writable ? null : this.socket;
  }

  /** Closing with unread bytes would reset the connection under the answer. */
  #endPolitely(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    socket.off('data', this.#onEarly).on('data', ignore);
    const enough = setTimeout(() => socket.destroy(), lingerMilliseconds);
    socket.once('close', () => clearTimeout(enough));
    socket.end();
  }
}

function ignore(): void {
  // A broken connection is noticed by its `close`.
}
