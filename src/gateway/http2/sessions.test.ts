import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, until } from '../testing/gateway.ts';
import { route, streamText, thingsSurface } from '../testing/things-surface.ts';

let gateway: TestGateway;
let client: ClientHttp2Session;
let aborted: string[] = [];
let produced = 0;
let endings: string[] = [];

/** Gives without end; `produced` tells how far its reader let it come. */
function endless(): Readable {
  return new Readable({
    read() {
      produced += 16_384;
      this.push(Buffer.alloc(16_384, 'a'));
    },
  });
}

async function start(): Promise<TestGateway> {
  return TestGateway.start({
    surfaces: [
      thingsSurface([
        route({
          method: 'GET',
          path: '/endless',
          serve: (exchange) => {
            exchange.signal.addEventListener('abort', () => aborted.push(exchange.head.path));
            return Promise.resolve({ status: 200, body: endless() });
          },
        }),
        route({
          method: 'GET',
          path: '/waits',
          serve: async (exchange) => {
            await once(exchange.signal, 'abort');
            aborted.push(exchange.head.path);
            throw exchange.signal.reason;
          },
        }),
        route({
          method: 'GET',
          path: '/breaks',
          serve: () =>
            Promise.resolve({
              status: 200,
              body: Readable.from(
                (async function* () {
                  yield 'a piece';
                  await new Promise((resolve) => setImmediate(resolve));
                  throw new Error('broken off');
                })(),
              ),
            }),
        }),
        route({
          method: 'HEAD',
          path: '/sized',
          serve: () => Promise.resolve({ status: 200, headers: { 'content-length': '5' } }),
        }),
        route({ method: 'GET', path: '/empty', serve: () => Promise.resolve({ status: 204 }) }),
        route({
          method: 'GET',
          path: '/injected',
          serve: () => Promise.resolve({ status: 200, headers: { location: 'a\0b\r\nc: d' } }),
        }),
        route({
          method: 'GET',
          path: '/connection-headers',
          serve: () =>
            Promise.resolve({
              status: 200,
              headers: { connection: 'close', 'keep-alive': 'timeout=1' },
              body: 'fine',
            }),
        }),
        route({
          method: 'GET',
          path: '/*',
          serve: ({ head }) => Promise.resolve({ status: 200, body: `${head.authority}${head.path}` }),
        }),
        route({
          method: 'POST',
          path: '/echo',
          body: { kind: 'streamed', maxBytes: 1e9 },
          serve: (exchange) => Promise.resolve({ status: 200, body: exchange.stream }),
        }),
        route({
          method: 'POST',
          path: '/unread',
          body: { kind: 'streamed', maxBytes: 1e9 },
          serve: async (exchange) => {
            await once(exchange.signal, 'abort');
            throw exchange.signal.reason;
          },
        }),
        route({
          method: 'POST',
          path: '/early',
          body: { kind: 'streamed', maxBytes: 1e9 },
          serve: (exchange) => {
            exchange.stream.on('data', () => undefined);
            exchange.stream.on('end', () => endings.push('end')).on('error', () => endings.push('error'));
            return Promise.resolve({ status: 200, body: 'enough' });
          },
        }),
        route({
          method: 'POST',
          path: '/early-but-waits',
          body: { kind: 'streamed', maxBytes: 1e9 },
          serve: async (exchange) => {
            exchange.stream.once('data', () => endings.push('began'));
            exchange.stream.on('end', () => endings.push('end')).on('error', () => endings.push('error'));
            await once(exchange.signal, 'abort');
            throw exchange.signal.reason;
          },
        }),
        route({
          method: 'POST',
          path: '/buffered',
          body: { kind: 'buffered', maxBytes: 100, mediaTypes: ['*/*'] },
          serve: ({ bytes }) => Promise.resolve({ status: 200, body: bytes }),
        }),
        route({
          method: 'POST',
          path: '/created',
          body: { kind: 'buffered', maxBytes: 100, mediaTypes: ['*/*'] },
          serve: () => Promise.resolve({ status: 201, body: 'made' }),
        }),
        route({
          method: 'POST',
          path: '/small',
          body: { kind: 'streamed', maxBytes: 10 },
          serve: async (exchange) => ({ status: 200, body: await streamText(exchange) }),
        }),
      ]),
    ],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
}

beforeAll(async () => {
  gateway = await start();
});
afterAll(async () => gateway.close());
beforeEach(() => {
  aborted = [];
  produced = 0;
  endings = [];
  client = connectTo(gateway);
});
afterEach(() => client.destroy());

function connectTo({ port, ca }: TestGateway): ClientHttp2Session {
  return connect(`https://localhost:${port}`, { ca }).on('error', () => undefined);
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** How the stream ended. */
  readonly code: number | undefined;
}

function ask(headers: OutgoingHttpHeaders, session = client): ClientHttp2Stream {
  return session
    .request(
      { authorization: 'Bearer good', ...headers },
      { endStream: (headers[':method'] ?? 'GET') === 'GET' || headers[':method'] === 'HEAD' },
    )
    .on('error', () => undefined);
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
  const chunks: Buffer[] = [];
  stream.on('response', (head) => (headers = head)).on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!stream.destroyed) await new Promise((resolve) => stream.once('close', resolve));
  return {
    status: headers[':status'],
    headers,
    text: Buffer.concat(chunks).toString('utf8'),
    code: stream.rstCode,
  };
}

const get = async (path: string): Promise<Answer> => answerOf(ask({ ':path': path }));

describe('requests over HTTP/2', () => {
  it('serves many on one connection, each with what every answer carries', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => get(`/a/${i}`)));
    for (const [i, { status, headers, text, code }] of answers.entries()) {
      expect({ status, text, code }).toEqual({
        status: 200,
        text: `localhost:${gateway.port}/a/${i}`,
        code: 0,
      });
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      expect(headers).toHaveProperty('x-request-id');
    }
  });

  it('records each, from the decision to its end', async () => {
    const before = gateway.facts.length;
    const { headers } = await get('/recorded');
    await until(() => gateway.facts.length === before + 2);
    expect(gateway.facts.slice(before)).toMatchObject([
      { kind: 'request.decided', allowed: true },
      { kind: 'request.ended', status: 200, ending: 'completed' },
    ]);
    const ids = gateway.facts.slice(before).map(({ attribution }) => attribution.requestId);
    expect(ids).toEqual([headers['x-request-id'], headers['x-request-id']]);
  });

  it('answers a HEAD, and what has no body, with a head alone', async () => {
    const { status, headers, text, code } = await answerOf(ask({ ':method': 'HEAD', ':path': '/sized' }));
    expect({ status, text, code }).toEqual({ status: 200, text: '', code: 0 });
    expect(headers['content-length']).toBe('5');
    expect(await get('/empty')).toMatchObject({ status: 204, text: '', code: 0 });
  });

  it('says nothing of a connection that is not its own', async () => {
    const { status, headers, text } = await get('/connection-headers');
    expect({ status, text }).toEqual({ status: 200, text: 'fine' });
    expect(headers).not.toHaveProperty('connection');
    expect(headers).not.toHaveProperty('keep-alive');
  });

  it('sends no header that would be read as two', async () => {
    const { headers, status } = await get('/injected');
    expect(headers).not.toHaveProperty('c');
    expect(headers).not.toHaveProperty('location');
    expect(status ?? 500).toBe(500);
    expect((await get('/after')).status).toBe(200);
  });

  it.each(['/small', '/echo', '/buffered', '/created'])(
    'records one with a body as ended well: %s',
    async (path) => {
      for (const body of ['abcdef', '']) {
        const before = gateway.facts.length;
        const stream = ask({ ':method': 'POST', ':path': path, 'content-type': 'text/plain' });
        stream.end(body);
        const { status, code } = await answerOf(stream);
        expect({ status, code }).toEqual({ status: path === '/created' ? 201 : 200, code: 0 });
        await until(() => gateway.facts.length === before + 2);
        expect(gateway.facts.at(-1)).toMatchObject({ kind: 'request.ended', ending: 'completed' });
      }
    },
  );

  it('tells who expects it to go on, once somebody will read', async () => {
    const stream = ask({ ':method': 'POST', ':path': '/echo', expect: '100-continue' });
    const answer = answerOf(stream);
    await once(stream, 'continue');
    stream.end('now');
    expect(await answer).toMatchObject({ status: 200, text: 'now' });
  });

  it('carries a body both ways at once', async () => {
    const stream = ask({ ':method': 'POST', ':path': '/echo' });
    const chunks: string[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString('utf8')));
    for (const word of ['one', 'two', 'three']) {
      stream.write(word);
      await until(() => chunks.join('').endsWith(word));
    }
    stream.end();
    expect((await answerOf(stream)).code).toBe(0);
    expect(chunks.join('')).toBe('onetwothree');
  });

  it('answers who sends too much, and reads no more of it', async () => {
    const stream = ask({ ':method': 'POST', ':path': '/small' });
    stream.write(Buffer.alloc(100_000));
    const { status, text, code } = await answerOf(stream);
    expect(status).toBe(413);
    expect(text).toContain('RequestBodyTooLarge');
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    expect((await get('/after')).status).toBe(200);
  });
});

describe('backpressure', () => {
  it('lets a body come no faster than its client reads', async () => {
    const stream = ask({ ':path': '/endless' });
    await once(stream, 'response');
    await until(() => produced > 0);
    await get('/meanwhile');
    const held = produced;
    await get('/meanwhile');
    expect(produced).toBe(held);
    expect(produced).toBeLessThan(2_000_000);
    stream.resume();
    await until(() => produced > 10_000_000);
    stream.close(constants.NGHTTP2_CANCEL);
  });

  it('takes a body no faster than it is read here', async () => {
    const stream = ask({ ':method': 'POST', ':path': '/unread' });
    let sent = 0;
    const write = (): void => {
      while (stream.write(Buffer.alloc(16_384), () => (sent += 16_384))) continue;
    };
    stream.on('drain', write);
    write();
    await until(() => gateway.sessions.size === 1 && sent > 100_000);
    for (let i = 0; i < 20; i++) await get('/meanwhile');
    expect(sent).toBeLessThanOrEqual(2 * 262_144);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => gateway.sessions.size === 0);
  });
});

describe('cancellation', () => {
  it.each(['/waits', '/endless'])(
    'ends what is done at %s for a client that goes, and nothing beside it',
    async (path) => {
      const sibling = ask({ ':method': 'POST', ':path': '/echo' });
      const unharmed = answerOf(sibling);
      const stream = ask({ ':path': path });
      await until(() => gateway.sessions.size === 2);
      stream.close(constants.NGHTTP2_CANCEL);
      await until(() => aborted.includes(path));
      await until(() => gateway.facts.at(-1)?.kind === 'request.ended');
      expect(gateway.facts.at(-1)).toMatchObject({ ending: 'client-gone' });
      sibling.end('unharmed');
      expect(await unharmed).toMatchObject({ status: 200, text: 'unharmed', code: 0 });
    },
  );

  it('resets an answer that breaks off: it never looks whole', async () => {
    const { status, text, code } = await get('/breaks');
    expect({ status, text, code }).toEqual({
      status: 200,
      text: 'a piece',
      code: constants.NGHTTP2_INTERNAL_ERROR,
    });
    expect((await get('/after')).status).toBe(200);
  });

  it('cuts one of several streams within a second, and only that one', async () => {
    const sibling = ask({ ':method': 'POST', ':path': '/echo' });
    const unharmed = answerOf(sibling);
    await until(() => gateway.sessions.size === 1);
    const stream = ask({ ':path': '/endless' });
    const answer = answerOf(stream);
    await until(() => produced > 0);
    const [victim] = gateway.sessions.list().filter(({ path }) => path === '/endless');
    const cutAt = Date.now();
    gateway.sessions.cut(victim?.id ?? ('' as never), 'assignment-removed');
    expect((await answer).code).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect(Date.now() - cutAt).toBeLessThan(1000);
    sibling.end('unharmed');
    expect(await unharmed).toMatchObject({ status: 200, text: 'unharmed', code: 0 });
  });

  it('cuts a stream whose client reads nothing', async () => {
    const stream = ask({ ':path': '/endless' });
    await once(stream, 'response');
    stream.pause();
    const [victim] = gateway.sessions.list();
    gateway.sessions.cut(victim?.id ?? ('' as never), 'assignment-removed');
    await until(() => stream.closed);
    expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect(gateway.sessions.size).toBe(0);
  });

  it('answers a stream that is cut before its answer began', async () => {
    const answer = answerOf(ask({ ':path': '/waits' }));
    await until(() => gateway.sessions.size === 1);
    gateway.sessions.cutAll('assignment-removed');
    expect(await answer).toMatchObject({ status: 403, code: 0 });
  });
});

describe('a body', () => {
  it('that nobody waits for any more never looks whole', async () => {
    const stream = ask({ ':method': 'POST', ':path': '/early' });
    stream.write('a piece');
    expect(await answerOf(stream)).toMatchObject({ status: 200, text: 'enough' });
    await until(() => endings.length > 0);
    expect(endings).toEqual(['error']);
  });

  it.each(['an error', 'a cancellation'])('that is reset by %s never looks whole', async (what) => {
    const stream = ask({ ':method': 'POST', ':path': '/early-but-waits' });
    stream.write('a piece');
    await until(() => endings.includes('began'));
    // Node resets as canceled for an AbortError of its own. `close` would end the stream first.
    const canceled: unknown = await once(client, 'never', { signal: AbortSignal.abort() }).catch(
      (error: unknown) => error,
    );
    stream.destroy(what === 'an error' ? new Error('broken') : (canceled as Error));
    await until(() => endings.length > 1);
    expect(endings).toEqual(['began', 'error']);
  });
});

describe('a drain', () => {
  it('lets what is in flight end, takes no more, and closes the connection', async () => {
    const other = await start();
    const session = connectTo(other);
    const stream = ask({ ':method': 'POST', ':path': '/echo' }, session);
    const answer = answerOf(stream);
    await until(() => other.sessions.size === 1);
    const idle = connectTo(other);
    await once(idle, 'remoteSettings');
    const goaway = once(session, 'goaway');
    const drained = other.listener.drain(10_000);
    expect((await goaway).slice(0, 2)).toEqual([constants.NGHTTP2_NO_ERROR, stream.id]);
    stream.end('to the end');
    expect(await answer).toMatchObject({ status: 200, text: 'to the end', code: 0 });
    await drained;
    expect(session.closed).toBe(true);
    await other.close();
  });

  it('cuts what is left when its time is over', async () => {
    const other = await start();
    const session = connectTo(other);
    const stream = ask({ ':path': '/endless' }, session);
    const answer = answerOf(stream);
    await until(() => produced > 0);
    await other.listener.drain(50);
    expect((await answer).code).not.toBe(constants.NGHTTP2_NO_ERROR);
    await until(() => other.facts.at(-1)?.kind === 'request.ended');
    expect(other.facts.at(-1)).toMatchObject({ ending: 'draining' });
    await other.close();
  });

  it('is over at once for a client that says nothing', async () => {
    const other = await start();
    const session = connectTo(other);
    await once(session, 'remoteSettings');
    const began = Date.now();
    await other.listener.drain(60_000);
    expect(Date.now() - began).toBeLessThan(30_000);
    await other.close();
  });
});
