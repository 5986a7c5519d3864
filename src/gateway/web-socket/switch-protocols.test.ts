import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { WebSocketUpstream } from '../testing/web-socket-upstream.ts';
import { dialWebSocket } from './dial.ts';
import { switchProtocols } from './switch-protocols.ts';

it('lets go of the upstream when the client cannot be answered', async () => {
  const server = await WebSocketUpstream.start();
  const dialed = await dialWebSocket({
    address: { origin: server.origin, basePath: '', authority: '' },
    target: '/',
    headers: [],
    subprotocols: [],
    signal: new AbortController().signal,
  });
  if (dialed.kind !== 'open') throw new Error('it was refused');
  const { upstream } = dialed;
  const closed = once(upstream.webSocket, 'close');
  const socket = new Socket();
  // No handshake: the edge would have refused it.
  const request = new IncomingMessage(socket);
  const holdings = { client: null, upstream: null };
  const session = { messages: null, requestBytes: 0, responseBytes: 0 };
  expect(() => switchProtocols({ request, socket, upstream, headers: {}, holdings }, session)).toThrow(
    'was not accepted',
  );
  await closed;
  expect(session.messages).toBeNull();
  await server.close();
});
