import { performServerHandshake } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { Http2Request } from './request.ts';
import { Http2Response } from './response.ts';

export interface Http2Limits {
  /** Bytes of a request's fields together that are still looked at; twice as many are taken before a stream is reset. */
  readonly headerBytes: number;
  /** From the handshake to the first request. */
  readonly headMilliseconds: number;
  /** A connection without a request is closed after so long. */
  readonly keepAliveMilliseconds: number;
}

export interface Http2Traffic {
  readonly request: (request: Http2Request, response: Http2Response) => void;
  /** For a connection whose bytes were no HTTP/2; it is closed already. */
  readonly unframed: (error: Error, remoteAddress: string) => void;
}

/** Requests at the same time on one connection; more are refused with REFUSED_STREAM, which is safe to send again. */
export const concurrentStreams = 128;
/** How much a client may send of a body ahead of who reads it, for each stream. */
const windowBytes = 262_144;
/** And for a connection as a whole. */
const connectionWindowBytes = 1_048_576;
/** A connection that is told to go has so long for its last frames. */
const lingerMilliseconds = 1000;

/** One connection, as it can be told to go, and made to. */
interface Departing {
  readonly retire: () => void;
  readonly cut: () => void;
}

/**
 * The HTTP/2 connections of a listener (RFC 9113). Frames are nghttp2's: it checks their form, pairs lengths with data,
 * bounds resets, acknowledgements, continuations and empty frames. `test/security/http2-raw.test.ts` holds it to that.
 */
export class Http2Sessions {
  readonly #connections = new Set<Departing>();
  readonly #limits: Http2Limits;
  readonly #traffic: Http2Traffic;

  constructor(limits: Http2Limits, traffic: Http2Traffic) {
    this.#limits = limits;
    this.#traffic = traffic;
  }

  /** Takes a connection whose handshake chose `h2`. */
  take(socket: TLSSocket): void {
    const { headerBytes, headMilliseconds, keepAliveMilliseconds } = this.#limits;
    const session = performServerHandshake(socket, {
      // Beyond these a stream is reset unseen; the edge refuses, and records, long before.
      maxHeaderListPairs: 512,
      strictSingleValueFields: false,
      settings: {
        maxConcurrentStreams: concurrentStreams,
        maxHeaderListSize: 2 * headerBytes,
        initialWindowSize: windowBytes,
        enableConnectProtocol: false,
      },
    });
    let streams = 0;
    const cut = (): void => {
      session.close();
      setTimeout(() => socket.destroy(), lingerMilliseconds).unref();
    };
    const departing = { retire: () => (streams === 0 ? cut() : session.close()), cut };
    this.#connections.add(departing);
    session.setLocalWindowSize(connectionWindowBytes);
    const connection = Object.freeze({
      remoteAddress: socket.remoteAddress ?? '',
      servername: 'servername' in socket ? socket.servername : undefined,
    });
    let idle = setTimeout(cut, headMilliseconds);
    const onStreamClose = (): void => {
      if (--streams > 0) return;
      clearTimeout(idle);
      if (session.closed) cut();
      else idle = setTimeout(cut, keepAliveMilliseconds);
    };
    session.on('stream', (stream, headers, _flags, rawHeaders) => {
      clearTimeout(idle);
      streams++;
      stream.once('close', onStreamClose);
      const request = new Http2Request(stream, headers, rawHeaders, { connection, headerBytes });
      this.#traffic.request(request, new Http2Response(stream, request));
    });
    session.on('error', (error: Error) => this.#traffic.unframed(error, connection.remoteAddress));
    session.once('close', () => {
      clearTimeout(idle);
      this.#connections.delete(departing);
    });
  }

  /** Tells every client to send nothing more here (GOAWAY). What it has sent until now is served, then it is closed. */
  retire(): void {
    for (const { retire } of this.#connections) retire();
  }

  /** Ends every connection, once the last frames of its streams are out. */
  cut(): void {
    for (const { cut } of this.#connections) cut();
  }
}
