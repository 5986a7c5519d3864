import { afterEach, expect, it } from 'vitest';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { systemClock } from '../../lib/clock.ts';
import { dialWebSocket } from '../web-socket/dial.ts';
import { upstreamAddress } from './address.ts';
import { defaultUpstreamSettings } from './settings.ts';
import { Upstream } from './upstream.ts';

let server: Server;
let upstream: Upstream;

afterEach(async () => {
  await upstream.close();
  await new Promise((resolve) => server.close(() => resolve(undefined)));
});

it('an opening handshake that may have been taken is not sent again', async () => {
  let handshakes = 0;
  server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', () => {
        handshakes++;
        socket.destroy();
      });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = server.address() as AddressInfo;
  upstream = new Upstream({
    connection: 'tracker',
    addresses: [upstreamAddress(`http://127.0.0.1:${port}`)],
    settings: defaultUpstreamSettings,
    clock: systemClock,
    healthHeaders: () => [],
    changed: () => undefined,
  });
  const { signal } = new AbortController();
  const opening = upstream.open({ signal }, (address) =>
    dialWebSocket({ address, target: '/start', headers: [], subprotocols: [], signal }),
  );
  await expect(opening).rejects.toMatchObject({ code: 'upstream_unreachable' });
  expect(handshakes).toBe(1);
});
