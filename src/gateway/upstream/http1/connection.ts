import type { Socket } from 'node:net';
import type { TransportRequest, TransportResponse, TransportTimeouts } from '../transport.ts';
import { Deadline } from './deadline.ts';
import { Exchange, type Wire } from './exchange.ts';
import { HeadParser } from './head-parser.ts';
import type { RequestHead } from './request-head.ts';

export interface ConnectionWatch {
  /** Told when its answer was whole, and it is not known yet whether anything came behind it. */
  rests(connection: Connection): void;
  /** Told when nothing did: it may take another request. */
  isFree(connection: Connection): void;
  /** Told when it takes none any more. */
  isGone(connection: Connection): void;
}

/**
 * An open connection: one request at a time, and the next one only when the answer before it was whole and nothing was found
 * behind it. What comes while nothing was asked is never taken for an answer: the connection ends with it.
 */
export class Connection implements Wire {
  readonly socket: Socket;
  readonly timeouts: TransportTimeouts;
  readonly parser = new HeadParser();
  readonly deadline = new Deadline(() => this.#exchange?.isLate());
  /** Whether its answer was whole, and it is not known yet whether anything came behind it. */
  rests = false;
  readonly #keepAlive = new Deadline(() => this.#unlessBusy());
  readonly #watch: ConnectionWatch;
  #exchange: Exchange | null = null;
  #error: Error | null = null;

  constructor(socket: Socket, timeouts: TransportTimeouts, watch: ConnectionWatch) {
    this.socket = socket;
    this.timeouts = timeouts;
    this.#watch = watch;
    socket.on('data', (chunk: Buffer) => {
      if (this.#exchange === null) this.destroy();
      else this.#exchange.take(chunk);
    });
    socket.on('end', () => {
      // TLS tells of an alert first, and then ends as if nothing had been.
      if (this.#error === null) this.#exchange?.ended();
      else this.#exchange?.broken(this.#error);
      this.destroy();
    });
    socket.on('error', (error: Error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#exchange?.broken(this.#error ?? new Error('the connection was closed'));
      this.destroy();
    });
  }

  /** Whether it still stands, for all that is known. */
  get isOpen(): boolean {
    const { destroyed, writable, readableEnded } = this.socket;
    return writable && !destroyed && !readableEnded;
  }

  /** Only of a connection that is free. */
  request(request: TransportRequest, head: RequestHead): Promise<TransportResponse> {
    this.#keepAlive.stop();
    const exchange = new Exchange(this, request);
    this.#exchange = exchange;
    exchange.send(head);
    return exchange.response;
  }

  release(keptMilliseconds: number): void {
    this.#exchange = null;
    this.deadline.stop();
    // Of a request that it answered too early, the upstream may never take the rest.
    if (keptMilliseconds === 0 || !this.isOpen || this.socket.writableLength > 0) {
      this.destroy();
      return;
    }
    // Whoever reads the answer may have held it back; from here on the connection is watched again.
    if (this.socket.isPaused()) this.socket.resume();
    this.#keepAlive.start(keptMilliseconds);
    this.#watch.rests(this);
    // What the system, or TLS, has beside the answer is read within this turn or the next, and ends the connection.
    setImmediate(() => setImmediate(this.#isQuiet));
  }

  readonly #isQuiet = (): void => {
    if (this.isOpen) this.#watch.isFree(this);
    else this.destroy();
  };

  destroy(): void {
    this.deadline.dispose();
    this.#keepAlive.dispose();
    this.#watch.isGone(this);
    this.socket.destroy();
  }

  #unlessBusy(): void {
    if (this.#exchange === null) this.destroy();
  }
}
