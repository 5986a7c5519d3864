import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionTls } from '../../../config/connections.ts';
import { tlsOptions } from '../tls.ts';
import { TransportFault } from '../transport.ts';

/** The network is asked whether the other end is there. */
const probeMilliseconds = 60_000;

export interface Dialing {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  readonly tls: ConnectionTls | undefined;
  /** TLS included; 0 for any time. */
  readonly connectMilliseconds: number;
}

/** Opens connections to one address. */
export class Dialer {
  /** What the upstream sees as Host where nothing else is said. */
  readonly authority: string;
  readonly #host: string;
  readonly #port: number;
  readonly #isSecure: boolean;
  readonly #options: Dialing;
  /** Of a connection whose upstream was found to be the right one, to go on from. */
  #session: Buffer | undefined;

  constructor(options: Dialing) {
    const { host, hostname, port, protocol } = new URL(options.origin);
    this.#options = options;
    this.authority = host;
    this.#host = hostname.replace(/^\[(.*)\]$/, '$1');
    this.#isSecure = protocol === 'https:';
    this.#port = port === '' ? (this.#isSecure ? 443 : 80) : Number(port);
  }

  /** Rejects with a TransportFault, or with the reason of the signal. */
  async dial(signal: AbortSignal): Promise<Socket> {
    const { connectMilliseconds } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = this.#isSecure ? this.#openTls(resolve) : this.#openTcp(resolve);
    const onError = (error: Error): void => reject(new TransportFault('connect', false, withMessage(error)));
    const onClose = (): void => onError(new Error('the connection was closed before it stood'));
    const onAbort = (): void => reject(signal.reason);
    const tooLate = (): void =>
      reject(new TransportFault('connect-timeout', false, new Error('no connection in time')));
    socket.on('error', onError).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = connectMilliseconds === 0 ? undefined : setTimeout(tooLate, connectMilliseconds);
    try {
      await promise;
      signal.throwIfAborted();
      socket.off('error', onError).off('close', onClose);
      return socket.setNoDelay(true).setKeepAlive(true, probeMilliseconds);
    } catch (thrown) {
      socket.destroy();
      throw thrown;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #openTcp(opened: (socket: Socket) => void): Socket {
    const socket = connectTcp({ host: this.#host, port: this.#port });
    return socket.once('connect', () => opened(socket));
  }

  #openTls(opened: (socket: Socket) => void): Socket {
    const socket = connectTls({
      host: this.#host,
      port: this.#port,
      ALPNProtocols: ['http/1.1'],
      // Whatever the environment says.
      rejectUnauthorized: true,
      ...(isIP(this.#host) === 0 && { servername: this.#host }),
      ...(this.#session !== undefined && { session: this.#session }),
      ...tlsOptions(this.#options.tls),
    });
    // Node tells of none before the upstream's name and key were checked; who goes on from it is not asked for them again.
    socket.on('session', (session: Buffer) => (this.#session = session));
    return socket.once('secureConnect', () => opened(socket));
  }
}

/** What the system says of several addresses that were tried is a list without words of its own. */
function withMessage(error: Error): Error {
  if (error.message !== '' || !(error instanceof AggregateError)) return error;
  return new Error(
    error.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join('; '),
    {
      cause: error,
    },
  );
}
