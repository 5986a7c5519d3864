import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/**
 * What the gateway makes use of in a request, whichever version of HTTP brought it: Node's own `IncomingMessage` is one,
 * `Http2Request` the other. Its events are those of the body: `data`, `end`, `close`, `error`.
 */
export interface Incoming extends Emitting {
  readonly httpVersion: string;
  readonly method?: string | undefined;
  /** The target as sent: path and query. */
  readonly url?: string | undefined;
  /** No pseudo-headers: what HTTP/2 says in `:authority` stands as `host`. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, each as often as it was sent. */
  readonly rawHeaders: readonly string[];
  /** Of HTTP/2: whether the head was all of it. HTTP/1.1 says so in the head itself. */
  readonly endsWithHead?: boolean;
  /** Fields behind the body, once that has ended. */
  readonly trailers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Whether its body has arrived to the end. */
  readonly complete: boolean;
  /** Whether `end` was said: of an empty body Node may say it before anybody asks. */
  readonly readableEnded: boolean;
  /** The connection. */
  readonly socket: Connection;
  isPaused(): boolean;
  pause(): unknown;
  resume(): unknown;
}

export interface Connection {
  readonly remoteAddress?: string | undefined;
  /** The name for which a TLS connection was opened. */
  readonly servername?: unknown;
  destroy?(): unknown;
}

/** The answer to it: a `ServerResponse` or an `Http2Response`. Its events: `drain`, `finish`, `close`. */
export interface Outgoing extends Emitting {
  readonly statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly writableNeedDrain: boolean;
  /** What it goes out on; null while it waits behind another answer of its connection. */
  readonly socket: object | null;
  writeContinue(): void;
  /** A 103, before the answer itself. */
  writeEarlyHints(hints: Record<string, string | string[]>): void;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
  write(chunk: string | Uint8Array): boolean;
  /** Says, before anything is written, that trailers may follow the body. HTTP/1.1 needs not know. */
  awaitTrailers?(): void;
  /** Before `end`; where the framing has no place for them they are left out. */
  addTrailers(trailers: OutgoingHttpHeaders): void;
  end(last?: Uint8Array): unknown;
  /** Breaks it off with trailers that say why, in a protocol that has such; absent where they could not be told from a body. */
  breakOff?(trailers: OutgoingHttpHeaders): void;
  /** Breaks it off: whoever reads it must not take it for whole. */
  destroy(): unknown;
}

interface Emitting {
  // The parameters differ from event to event, as in Node's own declarations.
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: string, listener: (...values: any[]) => void): this;
  // oxlint-disable-next-line typescript/no-explicit-any
  once(event: string, listener: (...values: any[]) => void): this;
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: string, listener: (...values: any[]) => void): this;
}

/** What HTTP/1.1 does with its connection (ends it, tells of that) means nothing where others share it. */
export function ownsConnection(request: Incoming): boolean {
  return !request.httpVersion.startsWith('2');
}

/** A client of HTTP/1.0 would take one for the answer. RFC 9110 §15.2. */
export function knowsInterimAnswers(request: Incoming): boolean {
  return request.httpVersion !== '1.0';
}

/**
 * Nothing more of it is told. The connection goes too, where it is this exchange's: a body that breaks off must not look like
 * one that ended. It is taken from the request, since an answer that waits behind another has none yet, and Node would send
 * it when its turn comes.
 */
export function destroyAtOnce(request: Incoming, response: Outgoing): void {
  if (ownsConnection(request)) request.socket.destroy?.();
  response.destroy();
}
