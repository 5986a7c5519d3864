import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { TransportResponse } from './transport.ts';

/** An answer that came whole: its body is a stream only for whoever wants one. */
export class WholeResponse implements TransportResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly whole: Buffer;
  #body: Readable | null = null;

  constructor(statusCode: number, headers: IncomingHttpHeaders, whole: Buffer) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.whole = whole;
  }

  get endsWithHead(): boolean {
    return this.whole.length === 0;
  }

  get body(): Readable {
    this.#body ??= streamOf(this.whole);
    return this.#body;
  }

  trailers(): IncomingHttpHeaders {
    return {};
  }
}

function streamOf(bytes: Buffer): Readable {
  return new Readable({
    read() {
      if (bytes.length > 0) this.push(bytes);
      this.push(null);
    },
  });
}
