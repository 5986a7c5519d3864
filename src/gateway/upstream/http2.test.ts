import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureLocalAuthority } from '../certificates/local-authority.ts';
import { until } from '../testing/gateway.ts';
import { Http2Transport } from './http2.ts';
import {
  TransportFault,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

let server: Http2Server;
let transport: Http2Transport;
let sessions: ServerHttp2Session[] = [];
let answer: (stream: ServerHttp2Stream, path: string) => void;
const sockets = new Set<Socket>();
const closing: { close(): Promise<void> }[] = [];

const timeouts = { connectMilliseconds: 500, headMilliseconds: 0, idleMilliseconds: 0 };

beforeEach(async () => {
  sessions = [];
  answer = (stream) => {
    stream.respond({ ':status': 200 });
    stream.resume().on('end', () => stream.end('answer'));
  };
  server = createServer({ settings: { maxConcurrentStreams: 10 } });
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    answer(stream, headers[':path'] ?? '');
  });
  transport = open(await listen(server));
});
afterEach(async () => {
  await transport.close();
  for (const one of closing.splice(0)) await one.close();
  for (const socket of sockets) socket.destroy();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
});

async function listen(listener: Server): Promise<number> {
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', () => resolve(undefined)));
  return (listener.address() as AddressInfo).port;
}

function open(port: number, more: Partial<TransportOptions> = {}): Http2Transport {
  const one = new Http2Transport({
    origin: `http://127.0.0.1:${port}`,
    protocol: 'h2c',
    tls: undefined,
    timeouts,
    ...more,
  });
  closing.push(one);
  return one;
}

async function ask(path = '/', more: Partial<TransportRequest> = {}): Promise<TransportResponse> {
  return transport.request({
    method: 'GET',
    path,
    headers: ['host', 'upstream.test'],
    body: null,
    signal: new AbortController().signal,
    ...more,
  });
}

async function text({ body }: TransportResponse): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

async function fault(promise: Promise<unknown>): Promise<TransportFault> {
  const thrown: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof TransportFault)) throw new Error(`not a fault: ${String(thrown)}`);
  return thrown;
}

describe('connections', () => {
  it('are shared up to as many requests as the upstream allows, and no further', async () => {
    const held: ServerHttp2Stream[] = [];
    answer = (stream) => held.push(stream);
    const answers = Array.from({ length: 25 }, () => ask());
    Promise.all(answers).catch(() => undefined);
    await until(() => held.length === 25);
    expect(sessions).toHaveLength(3);
    for (const stream of held) stream.respond({ ':status': 204 }, { endStream: true });
    expect((await Promise.all(answers)).every(({ endsWithHead }) => endsWithHead)).toBe(true);
  });

  it('are used again', async () => {
    for (let i = 0; i < 20; i++) expect(await text(await ask())).toBe('answer');
    expect(sessions).toHaveLength(1);
  });

  it.each([10, undefined])(
    'have no more requests given up on them than any server allows, of %s at a time',
    async (maxConcurrentStreams) => {
      const shared = createServer(
        maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } },
      );
      const resets = new Map<unknown, number>();
      const held: ServerHttp2Stream[] = [];
      shared.on('stream', (stream, headers) => {
        stream.on('error', () => undefined);
        if (headers[':path'] === '/of-another') return void held.push(stream);
        stream.respond({ ':status': 200 });
        const { session } = stream;
        stream.on('aborted', () => resets.set(session, (resets.get(session) ?? 0) + 1));
      });
      transport = open(await listen(shared));
      const ofAnother = ask('/of-another');
      await until(() => held.length === 1);
      const most = maxConcurrentStreams === undefined ? 150 : 10;
      for (let given = 0; given < 300; given += most) {
        const answers = await Promise.all(Array.from({ length: most }, () => ask()));
        for (const { body } of answers) body.destroy();
        await until(() => [...resets.values()].reduce((sum, one) => sum + one, 0) === given + most);
      }
      expect(Math.max(...resets.values())).toBeLessThanOrEqual(100);
      expect(resets.size).toBeLessThan(7);
      held[0]?.respond({ ':status': 200 });
      held[0]?.end('whole');
      expect(await text(await ofAnother)).toBe('whole');
      await transport.close();
      shared.close();
    },
  );

  it('that are told to go take no more requests, and end those that they have', async () => {
    const held: ServerHttp2Stream[] = [];
    answer = (stream, path) =>
      path === '/held' ? held.push(stream) : stream.respond({ ':status': 204 }, { endStream: true });
    const first = ask('/held');
    await until(() => held.length === 1);
    sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, held[0]?.id);
    await until(() => sessions.length === 1);
    await new Promise((resolve) => sessions[0]?.ping(resolve));
    expect((await ask('/next')).statusCode).toBe(204);
    expect(sessions).toHaveLength(2);
    held[0]?.respond({ ':status': 200 });
    held[0]?.end('whole');
    expect(await text(await first)).toBe('whole');
  });

  it('say of what the upstream has not looked at that it was not sent', async () => {
    const held: ServerHttp2Stream[] = [];
    answer = (stream) => held.push(stream);
    const refused = [ask(), ask()];
    await until(() => held.length === 2);
    // Nothing above the first stream is processed: RFC 9113 §6.8.
    sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, held[0]?.id);
    expect(await fault(refused[1] ?? ask())).toMatchObject({ kind: 'closed', sent: false });
    held[0]?.respond({ ':status': 204 }, { endStream: true });
    expect((await refused[0])?.statusCode).toBe(204);
    answer = (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
    expect(await fault(ask())).toMatchObject({ kind: 'closed', sent: false });
  });

  it('that break take their requests with them, which may have been sent', async () => {
    answer = () => sockets.forEach((socket) => socket.destroy());
    expect(await fault(ask())).toMatchObject({ kind: 'closed', sent: true });
    answer = (stream) => stream.respond({ ':status': 204 }, { endStream: true });
    expect((await ask()).statusCode).toBe(204);
  });

  it('that do not come about are a fault of their own', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await fault(ask())).toMatchObject({ kind: 'connect', sent: false });
  });

  it('are not waited for for ever', async () => {
    const silent = createTcpServer(() => undefined);
    transport = open(await listen(silent));
    expect(await fault(ask())).toMatchObject({ kind: 'connect-timeout', sent: false });
    silent.close();
  });

  it('are given up by who waits for them, whose reason is told', async () => {
    const silent = createTcpServer(() => undefined);
    transport = open(await listen(silent));
    const leaving = new AbortController();
    const asked = ask('/', { signal: leaving.signal });
    leaving.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    silent.close();
  });

  it('to what speaks HTTP/1.1 fail', async () => {
    const other = createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    transport = open(await listen(other));
    expect(await fault(ask())).toMatchObject({ kind: 'connect', sent: false });
    other.close();
  });
});

describe('over TLS', () => {
  const authority = ensureLocalAuthority(mkdtempSync(join(tmpdir(), 'lockstep-http2-')), []);

  async function secure(listener: 'h2' | 'http/1.1' | 'other authority'): Promise<void> {
    const { key, cert, caCertificatePath } = await authority;
    const tls = listener === 'http/1.1' ? createTlsServer({ key, cert }) : createSecureServer({ key, cert });
    tls.on('stream', (stream: ServerHttp2Stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    const port = await listen(tls);
    const authorities = listener === 'other authority' ? null : readFileSync(caCertificatePath, 'utf8');
    transport = open(port, {
      origin: `https://localhost:${port}`,
      protocol: 'http2',
      tls: { authorities, certificate: null, key: null, serverName: null, pins: [] },
    });
    closing.push({ close: async () => new Promise((resolve) => tls.close(() => resolve())) });
    closing.push(transport);
  }

  it('is agreed on with who offers it', async () => {
    await secure('h2');
    expect((await ask()).statusCode).toBe(204);
  });

  it.each(['http/1.1', 'other authority'] as const)('is not agreed on with %s', async (listener) => {
    await secure(listener);
    expect(await fault(ask())).toMatchObject({ kind: 'connect', sent: false });
  });
});

describe('requests', () => {
  it('say what they are asked, and nothing of another connection', async () => {
    const heads: unknown[] = [];
    server.on('stream', (_stream, headers) => heads.push({ ...headers }));
    await ask('/a%20b?c=/../', {
      method: 'POST',
      headers: [
        'Host',
        'upstream.test',
        'connection',
        'x',
        'keep-alive',
        'y',
        'te',
        'gzip',
        'transfer-encoding',
        'chunked',
        'X-One',
        '1',
        'x-one',
        '2',
      ],
      body: Buffer.from('abc'),
    });
    expect(Object.fromEntries(Object.entries(heads[0] ?? {}))).toEqual({
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': 'upstream.test',
      ':path': '/a%20b?c=/../',
      te: 'trailers',
      'x-one': '1, 2',
    });
  });

  it.each(['a\0b', 'a\r\nb: c', 'a\nb'])('are not made with the value %j', async (value) => {
    await expect(ask('/', { headers: ['host', 'upstream.test', 'x', value] })).rejects.toThrow();
    expect(await text(await ask())).toBe('answer');
  });

  it('take a body no faster than the upstream reads it', async () => {
    answer = () => undefined;
    let read = 0;
    const body = new Readable({
      read() {
        read += 16_384;
        this.push(Buffer.alloc(16_384));
      },
    });
    const leaving = new AbortController();
    const asked = ask('/', { method: 'POST', body, signal: leaving.signal });
    await until(() => read > 0);
    await new Promise((resolve) => sessions[0]?.ping(resolve));
    await new Promise((resolve) => sessions[0]?.ping(resolve));
    expect(read).toBeLessThan(1_000_000);
    leaving.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });

  it.each(['before the answer', 'within the answer'])(
    'are reset as canceled when they are given up %s',
    async (when) => {
      let reset: ServerHttp2Stream | undefined;
      answer = (stream) => {
        reset = stream;
        if (when === 'within the answer') {
          stream.respond({ ':status': 200 });
          stream.write('a piece');
        }
      };
      const leaving = new AbortController();
      const asked = ask('/', { signal: leaving.signal });
      asked.catch(() => undefined);
      await until(() => reset !== undefined);
      if (when === 'within the answer') (await asked).body.on('error', () => undefined);
      leaving.abort(new Error('enough'));
      await until(() => reset?.closed === true);
      expect(reset?.rstCode).toBe(constants.NGHTTP2_CANCEL);
    },
  );

  it('whose body breaks off are reset, and never end', async () => {
    const body = new PassThrough();
    let ended = false;
    let reset: ServerHttp2Stream | undefined;
    answer = (stream) => {
      reset = stream;
      // Node says `end` of what was reset too.
      stream.resume().on('end', () => (ended = !stream.aborted));
    };
    const asked = ask('/', { method: 'POST', body });
    body.write('a piece');
    await until(() => reset !== undefined);
    body.destroy(new Error('broken off'));
    await fault(asked);
    await until(() => reset?.closed === true);
    expect({ ended, code: reset?.rstCode }).toEqual({ ended: false, code: constants.NGHTTP2_CANCEL });
  });
});

describe('answers', () => {
  it('come no faster than they are read', async () => {
    let written = 0;
    answer = (stream) => {
      stream.respond({ ':status': 200 });
      const source = new Readable({
        read() {
          written += 16_384;
          this.push(Buffer.alloc(16_384));
        },
      });
      stream.on('close', () => source.destroy());
      source.pipe(stream);
    };
    const { body } = await ask();
    body.on('error', () => undefined);
    await once(body, 'readable');
    await new Promise((resolve) => sessions[0]?.ping(resolve));
    await new Promise((resolve) => sessions[0]?.ping(resolve));
    expect(written).toBeLessThan(1_000_000);
    body.resume();
    await until(() => written > 5_000_000);
    body.destroy();
  });

  it.each(['an error', 'a cancellation'])('that are reset by %s break off', async (what) => {
    // Node resets as canceled for an AbortError of its own. `close` would end the stream first.
    const canceled: unknown = await once(server, 'never', { signal: AbortSignal.abort() }).catch(
      (error: unknown) => error,
    );
    answer = (stream) => {
      stream.respond({ ':status': 200 });
      const reason = what === 'an error' ? new Error('broken') : (canceled as Error);
      stream.write('a piece', () => setTimeout(() => stream.destroy(reason), 20));
    };
    await expect(ask().then(text)).rejects.toThrow();
  });

  it('that are shorter than they say break off', async () => {
    answer = (stream) => {
      stream.respond({ ':status': 200, 'content-length': '100' });
      stream.write('a piece', () => stream.close(constants.NGHTTP2_NO_ERROR));
    };
    await expect(ask().then(text)).rejects.toThrow();
  });

  it('end with their trailers', async () => {
    answer = (stream) => {
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }));
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.end('body');
    };
    const response = await ask();
    expect(await text(response)).toBe('body');
    expect(Object.fromEntries(Object.entries(response.trailers()))).toEqual({ 'x-checksum': 'abc' });
  });

  it('must come in time, and go on in time', async () => {
    transport = open((server.address() as AddressInfo).port, {
      timeouts: { ...timeouts, headMilliseconds: 100, idleMilliseconds: 100 },
    });
    answer = () => undefined;
    expect(await fault(ask())).toMatchObject({ kind: 'timeout', sent: true });
    answer = (stream) => {
      stream.respond({ ':status': 200 });
      stream.write('a piece');
    };
    await expect(text(await ask())).rejects.toThrow('did not go on in time');
  });

  it('that tell of themselves without an end are given up', async () => {
    answer = (stream) => {
      for (let i = 0; i < 50; i++) stream.additionalHeaders({ ':status': 102 });
    };
    expect(await fault(ask())).toMatchObject({ kind: 'protocol' });
  });
});
