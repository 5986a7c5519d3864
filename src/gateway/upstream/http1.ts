import { Connection } from './http1/connection.ts';
import { Dialer } from './http1/dialer.ts';
import { requestHead, type RequestHead } from './http1/request-head.ts';
import {
  TransportFault,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
  type TransportTimeouts,
} from './transport.ts';

/** Beyond so many, one that is not needed any more is closed. */
const mostIdle = 256;

/**
 * HTTP/1.1, one request at a time on each connection, and as many connections as there are requests: how many there may
 * be is bounded before them.
 */
export class Http1Transport implements Transport {
  readonly #dialer: Dialer;
  readonly #timeouts: TransportTimeouts;
  readonly #connections = new Set<Connection>();
  /** The last one to be free is the first to be used: the others may come to their end. */
  readonly #idle: Connection[] = [];
  /** How many have answers that were whole just now: what is behind them may not have been read yet. */
  #resting = 0;
  /** Who may have one of those. */
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new AbortController();

  constructor({ origin, tls, timeouts }: TransportOptions) {
    this.#timeouts = timeouts;
    this.#dialer = new Dialer({ origin, tls, connectMilliseconds: timeouts.connectMilliseconds });
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    let head: RequestHead;
    try {
      request.signal.throwIfAborted();
      this.#mustBeOpen();
      head = requestHead(request, this.#dialer.authority);
    } catch (thrown) {
      return rejected(thrown);
    }
    const free = this.#takeIdle();
    if (free !== null) return free.request(request, head);
    return this.#resting > this.#waiting.length
      ? this.#waitForOne(request, head)
      : this.#connect(request, head);
  }

  close(): Promise<void> {
    this.#closing.abort(new TransportFault('connect', false, new Error('the transport is closed')));
    for (const connection of this.#connections) connection.destroy();
    return Promise.resolve();
  }

  /** For no longer than two turns of the event loop. */
  async #waitForOne(request: TransportRequest, head: RequestHead): Promise<TransportResponse> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    request.signal.throwIfAborted();
    this.#mustBeOpen();
    const free = this.#takeIdle();
    return free === null ? this.#connect(request, head) : free.request(request, head);
  }

  async #connect(request: TransportRequest, head: RequestHead): Promise<TransportResponse> {
    const signal = AbortSignal.any([request.signal, this.#closing.signal]);
    const socket = await this.#dialer.dial(signal);
    const connection = new Connection(socket, this.#timeouts, this.#watch);
    this.#connections.add(connection);
    // It may have been aborted since the connection stood; from here on the exchange hears of it.
    if (signal.aborted) connection.destroy();
    signal.throwIfAborted();
    return connection.request(request, head);
  }

  readonly #watch = {
    rests: (connection: Connection): void => {
      connection.rests = true;
      this.#resting += 1;
    },
    isFree: (connection: Connection): void => {
      this.#rested(connection);
      if (this.#idle.length < mostIdle) this.#idle.push(connection);
      else connection.destroy();
    },
    isGone: (connection: Connection): void => {
      if (!this.#connections.delete(connection)) return;
      this.#rested(connection);
      const at = this.#idle.indexOf(connection);
      if (at !== -1) this.#idle.splice(at, 1);
    },
  };

  #rested(connection: Connection): void {
    if (!connection.rests) return;
    connection.rests = false;
    this.#resting -= 1;
    this.#waiting.shift()?.();
  }

  #takeIdle(): Connection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (connection.isOpen) return connection;
      connection.destroy();
    }
  }

  #mustBeOpen(): void {
    this.#closing.signal.throwIfAborted();
  }
}

// oxlint-disable-next-line typescript/require-await
async function rejected(reason: unknown): Promise<never> {
  throw reason;
}
