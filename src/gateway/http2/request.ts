import type { IncomingHttpHeaders as Http1Headers } from 'node:http';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Connection, Incoming } from '../ends.ts';
import { isGrpc } from '../grpc.ts';
import { fieldsOfCall } from './call-fields.ts';

/** The pseudo-headers of a request besides those that have a place of their own. RFC 9113 §8.3.1. */
export interface PseudoHeaders {
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
}

/** One stream of an HTTP/2 connection as a request. nghttp2 has checked its framing and the form of its fields. */
export class Http2Request implements Incoming {
  readonly httpVersion = '2.0';
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: Http1Headers;
  readonly rawHeaders: readonly string[];
  /** Of a call of gRPC. */
  readonly callHeaders: Http1Headers | undefined;
  readonly socket: Connection;
  readonly pseudo: PseudoHeaders;
  /** Whether the head was all of it. */
  readonly endsWithHead: boolean;
  /** Whether its fields together are more than a head may have. */
  readonly isTooLarge: boolean;
  trailers: IncomingHttpHeaders = {};
  readonly #stream: ServerHttp2Stream;
  #isDismissed = false;
  #isWhole = false;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    { connection, headerBytes }: { readonly connection: Connection; readonly headerBytes: number },
  ) {
    this.#stream = stream;
    this.socket = connection;
    this.isTooLarge = rawHeaders.reduce((sum, text) => sum + text.length, 0) > headerBytes;
    this.rawHeaders = rawHeaders;
    this.endsWithHead = stream.endAfterHeaders;
    if (!this.endsWithHead) stream.once('trailers', (trailers) => (this.trailers = trailers));
    stream.prependOnceListener('end', () => {
      // Node says `end` of a stream that was reset too; with NO_ERROR, only `aborted` tells it from a whole one.
      const { rstCode, aborted } = stream;
      this.#isWhole = !aborted && (rstCode === undefined || rstCode === constants.NGHTTP2_NO_ERROR);
    });
    this.method = headers[':method'];
    this.url = headers[':path'];
    this.pseudo = { scheme: headers[':scheme'], authority: headers[':authority'] };
    this.headers = withoutPseudo(headers);
    this.headers.host ??= headers[':authority'];
    this.callHeaders = isGrpc(this) ? fieldsOfCall(this.headers, rawHeaders) : undefined;
  }

  get complete(): boolean {
    return this.endsWithHead || (this.#isWhole && !this.#isDismissed);
  }

  get readableEnded(): boolean {
    return this.#stream.readableEnded;
  }

  /** Its answer is out, and nobody is left to read the rest: RFC 9113 §8.1. */
  dismiss(): void {
    if (this.#stream.readableEnded || this.#stream.destroyed) return;
    this.#isDismissed = true;
    this.#stream.resume();
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  isPaused(): boolean {
    return this.#stream.isPaused();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  on(event: string, listener: (...values: unknown[]) => void): this {
    this.#stream.on(event, listener);
    return this;
  }

  once(event: string, listener: (...values: unknown[]) => void): this {
    this.#stream.once(event, listener);
    return this;
  }

  off(event: string, listener: (...values: unknown[]) => void): this {
    this.#stream.off(event, listener);
    return this;
  }
}

function withoutPseudo(headers: IncomingHttpHeaders): Http1Headers {
  const plain: Http1Headers = {};
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(':')) plain[name] = headers[name];
  }
  return plain;
}
