import { Pool, type Dispatcher } from 'undici';
import { LockstepError } from '../lib/errors.ts';
import type { Exchange } from './types.ts';
import { announcesBody } from './edge.ts';

export interface UpstreamAddress {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  /** Put before every forwarded path: empty, or `/base` without a slash at its end. */
  readonly basePath: string;
  /** What the upstream sees as Host. */
  readonly authority: string;
}

/** Throws for what is no plain http(s) address: with credentials, a query or a fragment. */
export function upstreamAddress(text: string): UpstreamAddress {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`upstream ${url.protocol}//…: only http and https`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`upstream ${url.origin}: an address has no credentials, query or fragment`);
  }
  const basePath = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname;
  return { origin: url.origin, basePath, authority: url.host };
}

export type UpstreamResponse = Dispatcher.ResponseData;

/** Kept-alive connections to one upstream. Paths and bodies pass byte for byte; redirects are never followed. */
export class Upstream {
  readonly address: UpstreamAddress;
  readonly #pool: Pool;

  constructor(address: UpstreamAddress) {
    this.address = address;
    this.#pool = new Pool(address.origin, {
      connections: 256,
      pipelining: 1,
      connect: { timeout: 5000 },
      headersTimeout: 300_000,
      bodyTimeout: 900_000,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 65_536,
    });
  }

  /**
   * Sends the request on. `headers` is a flat list of names and values. A GET or HEAD whose kept-alive connection
   * turns out to be closed is sent once more; nothing else ever is. Throws `upstream_unreachable`.
   */
  async send(exchange: Exchange, path: string, headers: string[]): Promise<UpstreamResponse> {
    const { head, signal } = exchange;
    const request: Dispatcher.RequestOptions = {
      method: head.method,
      path: this.address.basePath + path,
      headers,
      body: announcesBody(head.headers) ? exchange.stream : null,
      signal,
    };
    try {
      return await this.#pool.request(request);
    } catch (thrown) {
      const again = (head.method === 'GET' || head.method === 'HEAD') && isClosedConnection(thrown);
      if (!again || signal.aborted) throw unreachable(thrown);
    }
    try {
      return await this.#pool.request(request);
    } catch (thrown) {
      throw unreachable(thrown);
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function isClosedConnection(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

function unreachable(thrown: unknown): LockstepError {
  return new LockstepError({
    code: 'upstream_unreachable',
    internalMessage: `the upstream did not answer: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    cause: thrown,
  });
}
