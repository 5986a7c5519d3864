import type { IncomingMessage } from 'node:http';

export const headerName = 'x-lockstep-assertion';

/** A request as this server received it. */
export interface Received {
  readonly method: string;
  readonly host: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  /** Every one that came, under whatever spelling somebody might take for the header's. */
  readonly assertions: readonly string[];
}

/** Of node:http, and of what is built on it: Express gives it itself, Fastify as `request.raw`, Koa as `ctx.req`. */
export function received(request: IncomingMessage & { readonly originalUrl?: string }): Received {
  const { rawHeaders, method = '', url = '', originalUrl } = request;
  const assertions: string[] = [];
  const hosts: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const value = rawHeaders[i + 1] ?? '';
    if (folded(name) === headerName) assertions.push(value);
    // HTTP/2, in Node's compatibility API.
    if (name === 'host' || name === ':authority') hosts.push(value);
  }
  const [host = ''] = hosts;
  // Express cuts from `url` where a router is mounted.
  return {
    method,
    host: hosts.every((each) => each === host) ? host : '',
    target: originalUrl ?? url,
    assertions,
  };
}

/**
 * Of servers that give a fetch `Request`: Hono, Remix, Bun. Its URL has been through a parser; what that has rewritten is
 * not what Lockstep has signed, and is refused. A server that knows what it received says so by `target`.
 */
export function receivedByFetch(request: Request, target?: string): Received {
  const { pathname, search, host } = new URL(request.url);
  const assertions: string[] = [];
  for (const [name, value] of request.headers) {
    // A second one has been joined to the first by a comma, which no statement holds.
    if (folded(name) === headerName) assertions.push(...value.split(','));
  }
  return {
    method: request.method,
    host: request.headers.get('host') ?? host,
    target: target ?? `${pathname}${search}`,
    assertions,
  };
}

/** As a framework behind this may read it that takes `_` for `-`. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
