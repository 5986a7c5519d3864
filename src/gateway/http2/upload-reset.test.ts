import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TestGateway, until } from '../testing/gateway.ts';
import { errorCodes, flags, frame, FrameConnection, frameTypes, uint32 } from '../testing/http2-frames.ts';
import { webGateway } from '../testing/web-gateway.ts';
import type { ProxiedSurface } from '../adapters/web/proxied.ts';

let gateway: TestGateway;
let surface: ProxiedSurface;
let server: Server;
let whole: string[];
let received: number;
let gone: number;
const sockets = new Set<Socket>();

function take(request: IncomingMessage | Http2ServerRequest): void {
  let text = '';
  request.on('data', (part: Buffer) => {
    received += part.length;
    text += part.toString();
  });
  request.on('error', () => undefined).on('close', () => gone++);
  request.on('end', () => {
    if ('stream' in request ? !request.stream.aborted : request.complete) whole.push(text);
  });
}

describe.each(['http1', 'h2c'] as const)('an upload to an upstream of %s', (protocol) => {
  beforeEach(async () => {
    whole = [];
    received = 0;
    gone = 0;
    server = protocol === 'http1' ? createServer(take) : createHttp2Server(take);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
    ({ gateway, surface } = await webGateway({
      name: 'web',
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      protocol,
      scope: '/connections/web',
      rules: [{ methods: ['POST'], path: '/*', action: 'Contoso.Web/all/action' }],
    }));
  });
  afterEach(async () => {
    await gateway.close();
    await surface.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(() => resolve(undefined)));
  });

  it.each([errorCodes.noError, errorCodes.cancel])(
    'that its sender resets with the code %i before its end does not look whole',
    async (code) => {
      const connection = await FrameConnection.open(gateway);
      connection.headers(
        1,
        [
          [':method', 'POST'],
          [':scheme', 'https'],
          [':authority', 'localhost'],
          [':path', '/connections/web/file'],
          ['authorization', 'Bearer good'],
        ],
        flags.endHeaders,
      );
      connection.send(frame(frameTypes.data, flags.none, 1, 'half'));
      await until(() => received === 4);
      connection.send(frame(frameTypes.rstStream, 0, 1, uint32(code)));
      await until(() => gone === 1);
      expect(whole).toEqual([]);
      connection.close();
    },
  );
});
