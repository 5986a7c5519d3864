import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { failure } from '../lib/errors.ts';
import type { LiveSessions } from './live-sessions.ts';
import { keepWhatFollows } from './paused-connection.ts';
import type { Pipeline } from './pipeline.ts';

export interface ListenerLimits {
  /** Connections at the same time; more are closed at once. */
  readonly connections?: number;
  /** Bytes of a request's target and headers together. */
  readonly headerBytes?: number;
  /** From the first byte of a request to the end of its head. */
  readonly headMilliseconds?: number;
  /** An idle kept-alive connection is closed after so long. */
  readonly keepAliveMilliseconds?: number;
  readonly handshakeMilliseconds?: number;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly pipeline: Pipeline;
  /** Exchanges still in flight when the grace of a drain is over are cut here, so that their end is recorded. */
  readonly sessions?: LiveSessions;
  readonly limits?: ListenerLimits;
}

export interface Listener {
  readonly address: AddressInfo;
  /** From now on handshakes use this certificate; connections that stand are not touched. */
  replaceCertificate(pem: { readonly key: string; readonly cert: string }): void;
  /** Stops accepting, lets what is in flight end within the grace, then cuts the rest (`draining`). */
  drain(graceMilliseconds: number): Promise<void>;
  close(): Promise<void>;
}

/** HTTPS with HTTP/1.1 and TLS 1.2 or newer. Rejects when the address cannot be listened on. */
export async function listenTls(options: ListenerOptions): Promise<Listener> {
  const { pipeline, limits = {} } = options;
  const server = createServer({
    key: options.key,
    cert: options.cert,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.handshakeMilliseconds ?? 10_000,
    insecureHTTPParser: false,
    requireHostHeader: false,
    maxHeaderSize: limits.headerBytes ?? 32_768,
    headersTimeout: limits.headMilliseconds ?? 20_000,
    // Bodies are watched where they are read: an upload may take hours, but may not stand still.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(2000, Math.ceil((limits.headMilliseconds ?? 20_000) / 2)),
    keepAliveTimeout: limits.keepAliveMilliseconds ?? 65_000,
    noDelay: true,
  });
  // Beyond a count Node drops headers silently; the edge counts them and refuses.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections ?? 10_000;
  const take: RequestListener = (request, response) => {
    keepWhatFollows(request);
    pipeline(request, response);
  };
  server.on('request', take);
  server.on('checkContinue', take);
  server.on('checkExpectation', take);
  server.on('clientError', (error, socket) => pipeline.unparsed(error, socket));
  server.on('connect', (_request, socket) => {
    pipeline.unparsed(failure('method_not_allowed', 'CONNECT is not served.'), socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());

  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen({ host: options.host, port: options.port }, () => listening.resolve());
  await listening.promise;
  server.off('error', listening.reject);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no TCP address');

  let closed: Promise<void> | null = null;
  const stopAccepting = (): Promise<void> => {
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
    });
    return closed;
  };
  return {
    address,
    replaceCertificate: (pem) => server.setSecureContext({ ...pem, minVersion: 'TLSv1.2' }),
    drain: async (graceMilliseconds) => {
      const ended = stopAccepting();
      const sweep = setInterval(() => server.closeIdleConnections(), 25);
      const force = setTimeout(() => {
        options.sessions?.cutAll('draining');
        server.closeAllConnections();
      }, graceMilliseconds);
      await ended;
      clearInterval(sweep);
      clearTimeout(force);
    },
    close: async () => {
      const ended = stopAccepting();
      options.sessions?.cutAll('draining');
      server.closeAllConnections();
      await ended;
    },
  };
}
