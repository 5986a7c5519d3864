// What the gateway is compared with: the upstream itself, a bare HTTPS relay in front of it, and a bare TCP relay.
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { pipeline } from 'node:stream';
import { Pool } from 'undici';

export const downloadBytes = 256 * 1024 * 1024;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const small = Buffer.from(JSON.stringify({ id: 7, name: 'a small answer', padding: 'x'.repeat(200) }));
const piece = Buffer.alloc(256 * 1024, 7);

/** GET /small answers 250 bytes, GET /large 256 MiB. */
async function upstream(): Promise<number> {
  const server = createHttp((request, response) => {
    if (request.url?.startsWith('/large') !== true) {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': small.length })
        .end(small);
      return;
    }
    response.writeHead(200, { 'content-length': downloadBytes });
    let sent = 0;
    const more = (): void => {
      while (sent < downloadBytes) {
        sent += piece.length;
        if (!response.write(piece)) {
          response.once('drain', more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  server.keepAliveTimeout = 60_000;
  return listening(server);
}

/** node:https in front of undici, headers copied, nothing checked, nothing recorded. */
async function relay(origin: string, key: string, cert: string): Promise<number> {
  const pool = new Pool(origin, { connections: 256 });
  const server = createHttps({ key, cert }, (request, response) => {
    const { host: _host, connection: _connection, ...headers } = request.headers;
    pool
      .request({ method: request.method ?? 'GET', path: request.url ?? '/', headers })
      .then((answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        pipeline(answer.body, response, () => undefined);
      })
      .catch(() => response.writeHead(502).end());
  });
  server.keepAliveTimeout = 60_000;
  return listening(server);
}

/** Bytes back and forth. */
async function tcpRelay(port: number): Promise<number> {
  return listening(
    createTcp((socket) => {
      const onward = connect(port, '127.0.0.1');
      pipeline(socket, onward, () => undefined);
      pipeline(onward, socket, () => undefined);
    }),
  );
}

process.on('message', (message: { role: string; port: number; key: string; cert: string }) => {
  const started =
    message.role === 'upstream'
      ? upstream()
      : message.role === 'relay'
        ? relay(`http://127.0.0.1:${message.port}`, message.key, message.cert)
        : tcpRelay(message.port);
  void started.then((port) => process.send?.({ port }));
});
process.once('disconnect', () => process.exit(0));
