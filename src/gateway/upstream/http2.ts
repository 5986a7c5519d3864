import { connect, constants, type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { Http2Answer, isRefused } from './http2-answer.ts';
import { tlsOptions } from './tls.ts';
import {
  TransportFault,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

/** A connection without a request is closed after so long. */
const keepAliveMilliseconds = 30_000;
/** The network is asked whether the other end is there. */
const probeMilliseconds = 60_000;
/**
 * And so is the other end itself, while requests are under way, which must answer in time. Servers of gRPC take more
 * than one in five minutes for an attack: https://github.com/grpc/grpc/blob/master/doc/keepalive.md
 */
const pingMilliseconds = 330_000;
const pongMilliseconds = 20_000;
/** How much an upstream may send of an answer ahead of its reader, and on one connection altogether. */
const windowBytes = 262_144;
const connectionWindowBytes = 1_048_576;
const headerBytes = 65_536;
/**
 * So many streams of one connection are reset at most. Servers take more for an attack (CVE-2023-44487) and close it,
 * with the requests of everybody on it: Netty at 200 within 30 s, Jetty at 128 within one, Envoy at 500, however slowly
 * they came. So they are counted and not timed; who gives up much and means well pays for a hundred with one handshake.
 */
const mostResets = 100;

/**
 * HTTP/2: over TLS where it agrees on `h2`, or in clear by prior knowledge. Requests share a connection up to the number
 * that the upstream allows, and open another beyond it, or where a connection has had many reset. One that is told to go (GOAWAY) takes no more; what the upstream
 * says it has not looked at fails as not sent.
 */
export class Http2Transport implements Transport {
  readonly #options: TransportOptions;
  readonly #connections = new Set<Connection>();
  #connecting: Promise<Connection> | null = null;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const connection = await this.#enter(request.signal);
    return connection.request(request);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const { session } of this.#connections) session.destroy();
    return Promise.resolve();
  }

  /** A connection with a place for one request, which is taken. */
  async #enter(signal: AbortSignal): Promise<Connection> {
    for (;;) {
      signal.throwIfAborted();
      const free = [...this.#connections].find((connection) => connection.hasRoom);
      if (free !== undefined) {
        free.enter();
        return free;
      }
      this.#connecting ??= this.#connect().finally(() => (this.#connecting = null));
      await unlessAborted(this.#connecting, signal);
    }
  }

  async #connect(): Promise<Connection> {
    const { origin, tls, timeouts } = this.#options;
    if (this.#closed) throw new TransportFault('connect', false, new Error('the connection is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const session = connect(origin, {
      ...tlsOptions(tls),
      ALPNProtocols: ['h2'],
      maxHeaderListPairs: 512,
      settings: { enablePush: false, initialWindowSize: windowBytes, maxHeaderListSize: headerBytes },
    });
    let socket: Socket | undefined;
    let fault: unknown = new Error('the connection was closed');
    const tooLate = setTimeout(
      () => reject(new TransportFault('connect-timeout', false, new Error('no connection in time'))),
      timeouts.connectMilliseconds === 0 ? 2_147_483_647 : timeouts.connectMilliseconds,
    );
    session
      .once('connect', (_session, connected) => (socket = connected))
      .once('remoteSettings', () => {
        if (session.encrypted === true && session.alpnProtocol !== 'h2')
          fault = new Error('it does not speak HTTP/2');
        else if (session.remoteSettings.maxConcurrentStreams === 0) fault = new Error('it takes no requests');
        else if (socket !== undefined) return resolve(socket);
        reject(new TransportFault('connect', false, fault));
      })
      .on('error', (error: Error) => (fault = error))
      .once('close', () => reject(new TransportFault('connect', false, fault)));
    try {
      const connection = new Connection(session, await promise, timeouts);
      this.#connections.add(connection);
      session.once('close', () => this.#connections.delete(connection));
      return connection;
    } catch (thrown) {
      session.destroy();
      throw thrown;
    } finally {
      clearTimeout(tooLate);
    }
  }
}

class Connection {
  readonly session: ClientHttp2Session;
  readonly #timeouts: TransportOptions['timeouts'];
  readonly #ping: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  #open = 0;
  #resets = 0;

  constructor(session: ClientHttp2Session, socket: Socket, timeouts: TransportOptions['timeouts']) {
    this.session = session;
    this.#timeouts = timeouts;
    session.setLocalWindowSize(connectionWindowBytes);
    socket.setNoDelay(true).setKeepAlive(true, probeMilliseconds);
    this.#ping = setInterval(() => this.#probe(), pingMilliseconds);
    this.#ping.unref();
    session.once('close', () => {
      clearInterval(this.#ping);
      clearTimeout(this.#idle);
    });
  }

  get hasRoom(): boolean {
    const { session } = this;
    // Each that is open may come to be reset.
    const most = Math.min(session.remoteSettings.maxConcurrentStreams ?? mostResets, this.#resetsLeft);
    return !session.closed && !session.destroyed && this.#open < most;
  }

  get #resetsLeft(): number {
    return mostResets - this.#resets;
  }

  enter(): void {
    clearTimeout(this.#idle);
    this.#open++;
  }

  /** Of whoever has entered; leaves by itself. */
  request(request: TransportRequest): Promise<TransportResponse> {
    let answer: Http2Answer;
    try {
      answer = new Http2Answer(this.session, request, this.#timeouts);
    } catch (thrown) {
      this.#leave();
      throw new TransportFault(isRefused(thrown) ? 'closed' : 'protocol', false, thrown);
    }
    answer.stream.once('close', () => {
      if (answer.stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#resets++;
      this.#leave();
    });
    return answer.response;
  }

  #leave(): void {
    if (--this.#open > 0 || this.session.closed) return;
    if (this.#resetsLeft === 0) return this.session.close();
    this.#idle = setTimeout(() => this.session.close(), keepAliveMilliseconds);
    this.#idle.unref();
  }

  #probe(): void {
    const { session } = this;
    if (this.#open === 0 || session.destroyed) return;
    const silent = setTimeout(
      () => session.destroy(new Error('it does not answer a ping')),
      pongMilliseconds,
    );
    session.ping(() => clearTimeout(silent));
  }
}

async function unlessAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
