import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { ConnectionTls } from '../../config/connections.ts';

/** One request as it goes onto the wire, whatever version of HTTP carries it. */
export interface TransportRequest {
  readonly method: string;
  /** Path and query, sent byte for byte. */
  readonly path: string;
  /** Names and values in turn, `host` among them. */
  readonly headers: string[];
  /** A stream is not touched, and never destroyed, before the first byte of the request is sent. */
  readonly body: Readable | Buffer | null;
  readonly signal: AbortSignal;
  /** How long the body of the answer may stand still, in milliseconds; 0 for any time. Default: as was said at opening. */
  readonly idleMilliseconds?: number;
  /** Fields behind a streamed body, names and values in turn; asked for when it has ended. Left out where nothing can carry them. */
  readonly trailers?: () => string[];
  /**
   * Whether a streamed body waits until the upstream wants it (`expect: 100-continue`), for a bounded time: of one that
   * answers before, nothing is read. Left out where nothing can carry it.
   */
  readonly expectsContinue?: boolean;
  /** Told of a 103 (RFC 8297). */
  hinted?(headers: IncomingHttpHeaders): void;
}

/** The head of an answer, and a body that is still to come: one that breaks off ends in an error, never as if whole. */
export interface TransportResponse {
  readonly statusCode: number;
  /** By lower-case names; what came more than once is a list. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** The body, where all of it came with the head and nothing behind it; null where it is still to come. `body` is then to be left alone. */
  readonly whole: Buffer | null;
  /** Whether it is known that there is none: the head was all. */
  readonly endsWithHead: boolean;
  /** Fields behind the body, once that has ended. */
  readonly trailers: () => IncomingHttpHeaders;
}

/** How an upstream is spoken to: HTTP/2 as TLS agrees on it (`http2`), or in clear by prior knowledge (`h2c`). */
export type UpstreamProtocol = 'http1' | 'http2' | 'h2c';

/** Kept-alive connections to one address, in one version of HTTP. Never follows a redirect, never repeats a request. */
export interface Transport {
  /** Rejects with a TransportFault, or with the reason of the signal. */
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Gives up what is in flight. */
  close(): Promise<void>;
}

export interface TransportOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  readonly protocol: UpstreamProtocol;
  readonly tls: ConnectionTls | undefined;
  readonly timeouts: TransportTimeouts;
}

/** In milliseconds; 0 for any time. */
export interface TransportTimeouts {
  /** Until a connection stands, TLS included. */
  readonly connectMilliseconds: number;
  /** From the last byte of the request to the end of the head of its answer, whatever interim answers come before it. */
  readonly headMilliseconds: number;
  /** How long the body of an answer may stand still. */
  readonly idleMilliseconds: number;
}

/**
 * Why there is no answer:
 * - `connect`: no connection came about (refused, unknown host, TLS that does not hold);
 * - `connect-timeout`: none came about in time;
 * - `closed`: the connection ended before an answer began;
 * - `timeout`: the head of the answer did not come in time;
 * - `protocol`: what came is no answer of HTTP, or more than is taken.
 */
export type TransportFaultKind = 'connect' | 'connect-timeout' | 'closed' | 'timeout' | 'protocol';

export class TransportFault extends Error {
  readonly kind: TransportFaultKind;
  /** Whether any byte of the request may have reached the upstream. */
  readonly sent: boolean;

  constructor(kind: TransportFaultKind, sent: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'TransportFault';
    this.kind = kind;
    this.sent = sent;
  }
}
