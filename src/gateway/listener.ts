import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { isIP, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { failure } from '../lib/errors.ts';
import { Http2Sessions } from './http2/sessions.ts';
import type { LiveSessions } from './live-sessions.ts';
import { keepWhatFollows } from './paused-connection.ts';
import type { Pipeline } from './pipeline.ts';
import { answerPlainHttp } from './edge/plain-http.ts';

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

/** In PEM. */
export interface ListenerCertificate {
  readonly key: string;
  readonly cert: string;
  /** In place of these for whoever names a host in the handshake. */
  readonly named?: { readonly key: string; readonly cert: string };
}

export interface ListenerOptions extends ListenerCertificate {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly pipeline: Pipeline;
  /** Exchanges still in flight when the grace of a drain is over are cut here, so that their end is recorded. */
  readonly sessions?: LiveSessions;
  readonly limits?: ListenerLimits;
}

export interface Listener {
  readonly address: AddressInfo;
  /** From now on handshakes use this certificate; connections that stand are not touched. */
  replaceCertificate(certificate: ListenerCertificate): void;
  /**
   * Stops accepting, lets what is in flight end within the grace, then cuts the rest (`draining`). A WebSocket has no
   * end of its own to wait for: it is closed at once (1012), so that its client can come back, here or elsewhere.
   */
  drain(graceMilliseconds: number): Promise<void>;
  close(): Promise<void>;
}

/** Upgraded connections have so long for their closing handshake once they are cut. */
const upgradedMilliseconds = 1000;

const minVersion = 'TLSv1.2';

/** HTTPS with HTTP/2 and HTTP/1.1 (by ALPN) and TLS 1.2 or newer. Rejects when the address cannot be listened on. */
export async function listenTls(options: ListenerOptions): Promise<Listener> {
  const { pipeline, limits = {} } = options;
  const headerBytes = limits.headerBytes ?? 32_768;
  const headMilliseconds = limits.headMilliseconds ?? 20_000;
  const keepAliveMilliseconds = limits.keepAliveMilliseconds ?? 65_000;
  let named = contextOf(options);
  const server = createServer({
    key: options.key,
    cert: options.cert,
    minVersion,
    // Some clients name an address here, which RFC 6066 §3 has no place for.
    SNICallback: (name, done) => done(null, isIP(name) === 0 ? named : undefined),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.handshakeMilliseconds ?? 10_000,
    insecureHTTPParser: false,
    requireHostHeader: false,
    maxHeaderSize: headerBytes,
    headersTimeout: headMilliseconds,
    // Bodies are watched where they are read: an upload may take hours, but may not stand still.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(2000, Math.ceil(headMilliseconds / 2)),
    keepAliveTimeout: keepAliveMilliseconds,
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
  // From here on Node has no part in these connections: they are ended by whoever speaks on them, at the latest here.
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, early) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    pipeline.upgrade(request, socket, early);
  });
  const http2 = new Http2Sessions(
    { headerBytes, headMilliseconds, keepAliveMilliseconds },
    {
      request: (request, response) => pipeline.stream(request, response),
      unframed: (error, remoteAddress) => pipeline.unframed(error, remoteAddress),
    },
  );
  serveByProtocol(server, http2);
  server.on('clientError', (error, socket) => pipeline.unparsed(error, socket));
  server.on('connect', (_request, socket) => {
    pipeline.unparsed(failure('method_not_allowed', 'CONNECT is not served.'), socket);
  });
  server.on('tlsClientError', (error, socket) => {
    if (answerPlainHttp(error, socket)) pipeline.unframed(error, socket.remoteAddress ?? '');
    else socket.destroy();
  });

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
      http2.retire();
    });
    return closed;
  };
  const cutRest = (): void => {
    options.sessions?.cutAll('draining');
    server.closeAllConnections();
    http2.cut();
    const last = setTimeout(() => {
      for (const socket of upgraded) socket.destroy();
    }, upgradedMilliseconds);
    server.once('close', () => clearTimeout(last));
  };
  return {
    address,
    replaceCertificate: (certificate) => {
      const { key, cert } = certificate;
      server.setSecureContext({ key, cert, minVersion });
      named = contextOf(certificate);
    },
    drain: async (graceMilliseconds) => {
      const ended = stopAccepting();
      options.sessions?.review(({ messages }) => (messages === null ? null : { reason: 'draining' }));
      const sweep = setInterval(() => server.closeIdleConnections(), 25);
      const force = setTimeout(() => {
        cutRest();
      }, graceMilliseconds);
      await ended;
      clearInterval(sweep);
      clearTimeout(force);
    },
    close: async () => {
      const ended = stopAccepting();
      cutRest();
      await ended;
    },
  };
}

function contextOf({ named }: ListenerCertificate): SecureContext | undefined {
  return named === undefined ? undefined : createSecureContext({ ...named, minVersion });
}

/** What is negotiated as HTTP/2 goes there; for all else the server stays what it is. */
function serveByProtocol(server: Server, http2: Http2Sessions): void {
  const speakHttp1 = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.take(socket);
    else for (const listener of speakHttp1) listener.call(server, socket);
  });
}
