// The upstream of gateway.bench.ts for what is not small, and what Node.js can do at most in front of one: `node
// gateway-upstream.ts upstream`, `… relay PORT`, `… tls-relay PORT DIRECTORY`, `… http-relay PORT DIRECTORY`, with the
// certificate in that directory. Sends its port to its parent, and ends with it.
import { readFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, createServer as createTcp, type Server } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createServer as createTls } from 'node:tls';
import { Pool } from 'undici';
import { WebSocketServer } from 'ws';

const piece = Buffer.alloc(256 * 1024, 7);

/** GET /large?BYTES answers so many bytes, POST /large swallows them, /events says something at once and ends, /socket is an echo. */
function upstream(): Server {
  const server = createHttp((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      setTimeout(() => response.end(), 2);
      return;
    }
    if (request.method === 'POST') {
      request.resume().once('end', () => response.writeHead(200, { 'content-length': 0 }).end());
      return;
    }
    const length = Number(url.search.slice(1));
    response.writeHead(200, { 'content-length': length });
    let left = length;
    const more = (): void => {
      while (left > 0) {
        const next = left >= piece.length ? piece : piece.subarray(0, left);
        left -= next.length;
        if (!response.write(next)) {
          response.once('drain', more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  server.keepAliveTimeout = 60_000;
  const sockets = new WebSocketServer({ server, path: '/socket', perMessageDeflate: false });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  return server;
}

function relay(port: number): Server {
  return createTcp((socket) => {
    const onward = connect(port, '127.0.0.1');
    pipeline(socket, onward, () => undefined);
    pipeline(onward, socket, () => undefined);
  });
}

/** Bytes back and forth, TLS on one side. */
function tlsRelay(port: number, directory: string): Server {
  return createTls(certificateIn(directory), (socket) => {
    socket.setNoDelay(true);
    const onward = connect({ port, host: '127.0.0.1', noDelay: true });
    pipeline(socket, onward, () => undefined);
    pipeline(onward, socket, () => undefined);
  });
}

/** The libraries that a gateway on Node.js would take, and nothing else. */
function httpRelay(port: number, directory: string): Server {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 256 });
  return createHttps(certificateIn(directory), (request, response) => {
    const { host: _host, connection: _connection, ...headers } = request.headers;
    pool
      .request({ method: request.method ?? 'GET', path: request.url ?? '/', headers })
      .then((answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        pipeline(answer.body, response, () => undefined);
      })
      .catch(() => response.writeHead(502).end());
  });
}

function certificateIn(directory: string): { readonly key: Buffer; readonly cert: Buffer } {
  return { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'cert.pem')) };
}

const roles: Readonly<Record<string, (port: number, directory: string) => Server>> = {
  upstream,
  relay,
  'tls-relay': tlsRelay,
  'http-relay': httpRelay,
};
const [role = '', port, directory = ''] = process.argv.slice(2);
const server = roles[role]?.(Number(port), directory) ?? upstream();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    process.send?.({ port: address.port, pid: process.pid });
  }
});
process.once('disconnect', () => process.exit(0));
