import { constants, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { errorCodes, flags, frame, frameTypes, settings, uint32 } from '../testing/http2-frames.ts';
import { upstreamAddress } from './address.ts';
import { Http2Transport } from './http2.ts';
import { defaultUpstreamSettings } from './settings.ts';
import { Upstream } from './upstream.ts';

// What an HTTP/2 upstream, or a caller, can do to a stream that ends it without having said that it is whole.

const closing: (() => Promise<unknown>)[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listen(server: Server): Promise<string> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(() => resolve(undefined)));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const timeouts = { connectMilliseconds: 500, headMilliseconds: 0, idleMilliseconds: 0 };

function transportTo(origin: string): Http2Transport {
  const transport = new Http2Transport({ origin, protocol: 'h2c', tls: undefined, timeouts });
  closing.unshift(() => transport.close());
  return transport;
}

/** Answers the first request with these frames, one after the other. */
function answering(...frames: Buffer[]): Server {
  return createTcpServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.write(settings());
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      // Behind the preface of 24 bytes.
      for (let at = 24; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
        if (bytes[at + 3] !== frameTypes.headers) continue;
        socket.off('data', onData);
        frames.forEach((one, i) => setTimeout(() => socket.write(one), 30 * i));
        return;
      }
    };
    socket.on('data', onData);
  });
}

const head = frame(frameTypes.headers, flags.endHeaders, 1, Buffer.from([0x88]));
const reset = frame(frameTypes.rstStream, 0, 1, uint32(errorCodes.noError));

async function textFrom(origin: string, body: Readable | Buffer | null = null): Promise<string> {
  const answer = await transportTo(origin).request({
    method: 'POST',
    path: '/',
    headers: ['host', 'upstream.test'],
    body,
    signal: new AbortController().signal,
  });
  let text = '';
  for await (const part of answer.body) text += String(part);
  return text;
}

describe('an answer', () => {
  it('that is reset without an error before its end is not whole', async () => {
    const origin = await listen(answering(head, frame(frameTypes.data, flags.none, 1, 'half'), reset));
    await expect(textFrom(origin)).rejects.toThrow();
  });

  // Node says no `close` of such a stream.
  it.each([
    ['before its head', [reset]],
    ['before its body', [head, reset]],
    ['within its body', [head, frame(frameTypes.data, flags.none, 1, 'half'), reset]],
  ])('that is reset %s without an error fails while the request waits for a window', async (_, frames) => {
    const origin = await listen(answering(...frames));
    await expect(textFrom(origin, Buffer.alloc(400_000))).rejects.toMatchObject({
      kind: 'closed',
      sent: true,
    });
  });

  it.each([
    ['at once', [Buffer.concat([head, frame(frameTypes.data, flags.endStream, 1, 'whole'), reset])]],
    ['later', [head, frame(frameTypes.data, flags.endStream, 1, 'whole'), reset]],
  ])('that is whole stays so when a reset without an error follows it %s', async (_, frames) => {
    const origin = await listen(answering(...frames));
    // It was given before all of the request was taken: RFC 9113 §8.1.
    expect(await textFrom(origin, new Readable({ read: () => undefined }))).toBe('whole');
  });
});

describe('a request', () => {
  it.each(['constructor', 'hasownproperty', '__proto__'])(
    'may have a trailer that is called %s',
    async (name) => {
      const server: Http2Server = createServer();
      let got: object = {};
      server.on('stream', (stream) => {
        stream.on('error', () => undefined);
        stream.on('trailers', (trailers) => (got = trailers));
        stream.resume().on('end', () => {
          if (!stream.destroyed) stream.respond({ ':status': 204 }, { endStream: true });
        });
      });
      const origin = await listen(server);
      const answer = await transportTo(origin).request({
        method: 'POST',
        path: '/',
        headers: ['host', 'upstream.test'],
        body: Readable.from([Buffer.from('body')]),
        signal: AbortSignal.timeout(2000),
        trailers: () => [name, 'x'],
      });
      expect(answer.statusCode).toBe(204);
      expect(Object.entries(got)).toEqual([[name, 'x']]);
    },
  );

  it('whose body was begun is not sent again as if it were whole, nor left hanging', async () => {
    const server: Http2Server = createServer();
    const bodies: string[] = [];
    let turn = 0;
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      const isFirst = turn++ === 0;
      let text = '';
      stream.on('data', (part: Buffer) => {
        text += part.toString();
        if (isFirst) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      });
      stream.on('end', () => {
        if (isFirst || stream.destroyed || stream.aborted) return;
        bodies.push(text);
        stream.respond({ ':status': 204 }, { endStream: true });
      });
    });
    const upstream = new Upstream({
      connection: 'tracker',
      addresses: [upstreamAddress(await listen(server))],
      settings: { ...defaultUpstreamSettings, protocol: 'h2c' },
      clock: systemClock,
      healthHeaders: () => [],
      changed: () => undefined,
    });
    closing.unshift(() => upstream.close());
    const body = new Readable({ read: () => undefined });
    body.push('the first half, ');
    setTimeout(() => {
      body.push('the second');
      body.push(null);
    }, 300);
    const answered = upstream.request({
      method: 'POST',
      path: '/',
      headersFor: () => ['host', 'upstream.test'],
      body,
      signal: new AbortController().signal,
    });
    const outcome = await Promise.race([
      answered.then(
        ({ statusCode }) => statusCode,
        (thrown: unknown) => (thrown as { code: string }).code,
      ),
      new Promise((resolve) => setTimeout(() => resolve('hangs'), 2500)),
    ]);
    expect({ outcome, bodies }).toEqual({ outcome: 'upstream_unreachable', bodies: [] });
  });

  it('whose body was not begun is sent again, all of it', async () => {
    const server: Http2Server = createServer();
    let turn = 0;
    let text = '';
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      if (turn++ === 0) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
      stream.on('data', (part: Buffer) => (text += part.toString()));
      stream.on('end', () => stream.respond({ ':status': 204 }, { endStream: true }));
    });
    const upstream = new Upstream({
      connection: 'tracker',
      addresses: [upstreamAddress(await listen(server))],
      settings: { ...defaultUpstreamSettings, protocol: 'h2c' },
      clock: systemClock,
      healthHeaders: () => [],
      changed: () => undefined,
    });
    closing.unshift(() => upstream.close());
    const body = new Readable({ read: () => undefined });
    setTimeout(() => {
      body.push('all of it');
      body.push(null);
    }, 300);
    const { statusCode } = await upstream.request({
      method: 'POST',
      path: '/',
      headersFor: () => ['host', 'upstream.test'],
      body,
      signal: AbortSignal.timeout(3000),
    });
    expect([statusCode, text, turn]).toEqual([204, 'all of it', 2]);
  });
});
