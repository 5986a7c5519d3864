import { signedWith } from '../../testing/proxy-options.ts';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as requestHttps } from 'node:https';
import {
  createServer as createServerHttp2,
  connect,
  constants,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { generateKeyPair } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';
import { alice, allow, callerOf, TestGateway, until } from '../../testing/gateway.ts';
import type { ProxiedSurface } from './proxied.ts';
import { webSurface } from './surface.ts';

// Each version of HTTP on the one side with each on the other.

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly hints: readonly unknown[];
  /** Whether it ended as a whole answer does. */
  readonly whole: boolean;
}

interface Asked {
  readonly method?: string;
  readonly path: string;
  /** Pieces of a body without a length; it never ends without `trailers`. */
  readonly body?: readonly string[];
  readonly trailers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

interface Got {
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
}

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let gateway: TestGateway;
let surface: ProxiedSurface;
let server: NetServer;
let got: Got[] = [];
let gone = 0;
let received = 0;
const sockets = new Set<Socket>();

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

function begin(response: Response): void {
  if ('stream' in response) response.writeHead(200);
  else response.writeHead(200);
}

function take(request: Request, response: Response): void {
  const { url = '' } = request;
  const end = response.end.bind(response) as () => void;
  const write = response.write.bind(response) as (text: string) => void;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  if ('stream' in response) {
    const { stream } = response;
    stream.on('close', () => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) gone++;
    });
  } else {
    response.on('close', () => {
      if (!response.writableFinished) gone++;
    });
  }
  if (url === '/waits') return;
  if (url === '/odd' && !('stream' in response)) {
    response.writeHead(999);
    response.end('odd');
    return;
  }
  if (url === '/settings' && !('stream' in response)) {
    response.writeHead(200, { 'http2-settings': 'AAMAAABk' });
    response.end('settings');
    return;
  }
  if (url === '/settings-behind' && !('stream' in response)) {
    response.writeHead(200);
    response.write('settings');
    response.addTrailers({ 'http2-settings': 'AAMAAABk' });
    response.end();
    return;
  }
  if (url === '/twice' && !('stream' in response)) {
    response.writeHead(200, [
      'content-language',
      'en',
      'content-language',
      'de',
      'etag',
      '"a"',
      'etag',
      '"b"',
    ]);
    response.write('twice');
    response.addTrailers([
      ['content-language', 'en'],
      ['content-language', 'de'],
      ['constructor', 'x'],
    ]);
    response.end();
    return;
  }
  if (url === '/breaks') {
    begin(response);
    write('a piece');
    setTimeout(() => {
      if ('stream' in response) response.stream.destroy(new Error('broken'));
      else response.socket?.destroy();
    }, 50);
    return;
  }
  if (url === '/endless') {
    begin(response);
    const more = (): void => {
      if (!response.destroyed && !('stream' in response && response.stream.destroyed)) {
        write('a'.repeat(1000));
        setTimeout(more, 5);
      }
    };
    more();
    return;
  }
  if (url === '/hints') {
    const hints = { link: '</a.css>; rel=preload', 'set-cookie': 'a=b' };
    if ('stream' in response) response.stream.additionalHeaders({ ':status': 103, ...hints });
    else response.writeEarlyHints(hints);
  }
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => {
    received += part.length;
    parts.push(part);
  });
  request.on('end', () => {
    // Node's server of HTTP/2 says `end` of what was reset too.
    if ('stream' in request && request.stream.aborted) return;
    got.push({
      body: Buffer.concat(parts).toString('utf8'),
      headers: request.headers,
      trailers: request.trailers,
    });
    begin(response);
    write('answer');
    const trailers = {
      'x-checksum': 'abc',
      'set-cookie': 'evil=1',
      'x-lockstep-user': 'root',
      location: 'https://evil',
      'content-type': 'text/html',
    };
    if ('stream' in response)
      for (const [name, value] of Object.entries(trailers)) response.addTrailers({ [name]: value });
    else response.addTrailers(trailers);
    end();
  });
}

async function open(protocol: 'http1' | 'h2c'): Promise<void> {
  server = protocol === 'http1' ? createServer(take) : createServerHttp2(take);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  surface = webSurface(
    {
      name: 'web',
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      protocol,
      scope: '/connections/web',
      credential: { header: 'x-api-key', value: 'upstream-secret' },
      rules: [{ methods: ['GET', 'HEAD', 'POST'], path: '/*', action: 'Contoso.Web/all/action' }],
    },
    {
      hosts: { names: ['localhost'], baseDomain: 'localhost' },
      issuer: 'https://localhost/t/v2.0',
      clock: systemClock,
      sign: signedWith(keys.privateKey),
    },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
    hostnames: ['web.localhost'],
  });
}

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
});
beforeEach(() => {
  got = [];
  gone = 0;
  received = 0;
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(() => resolve(undefined)));
});

/** Without what Node adds in symbols. */
function plain(fields: object = {}): object {
  return Object.fromEntries(Object.entries(fields));
}

const headers = { authorization: 'Bearer good', te: 'trailers' };

async function askHttp1({ method = 'GET', path, body, trailers, signal }: Asked): Promise<Answer> {
  return new Promise((resolve) => {
    const hints: unknown[] = [];
    const broken = (): void => resolve({ status: 0, text: '', trailers: {}, hints, whole: false });
    const request = requestHttps({
      host: '127.0.0.1',
      port: gateway.port,
      servername: 'web.localhost',
      ca: gateway.ca,
      agent: false,
      method,
      path,
      headers: {
        ...headers,
        connection: 'TE',
        host: 'web.localhost',
        ...(body && { 'transfer-encoding': 'chunked' }),
        ...(body && trailers && { trailer: Object.keys(trailers).join(', ') }),
      },
      ...(signal && { signal }),
    });
    request.on('information', (info) => hints.push(info.headers)).on('error', broken);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('error', () => undefined).on('data', (part: Buffer) => parts.push(part));
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(parts).toString('utf8'),
          trailers: response.trailers,
          hints,
          whole: response.complete,
        }),
      );
    });
    for (const part of body ?? []) request.write(part);
    if (trailers !== undefined) request.addTrailers(trailers);
    if (body === undefined || trailers !== undefined) request.end();
  });
}

async function askHttp2({ method = 'GET', path, body, trailers, signal }: Asked): Promise<Answer> {
  const session = connect(`https://127.0.0.1:${gateway.port}`, {
    ca: gateway.ca,
    servername: 'web.localhost',
  });
  session.on('error', () => undefined);
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const hints: unknown[] = [];
  const parts: Buffer[] = [];
  let status = 0;
  let fields: IncomingHttpHeaders = {};
  const stream = session.request(
    {
      ':method': method,
      ':path': path,
      ':authority': 'web.localhost',
      ...headers,
      ...(trailers && { trailer: Object.keys(trailers).join(', ') }),
    },
    { endStream: body === undefined, waitForTrailers: trailers !== undefined, ...(signal && { signal }) },
  );
  stream.on('error', () => undefined).on('data', (part: Buffer) => parts.push(part));
  stream.on('headers', (head) => hints.push(head)).on('response', (head) => (status = head[':status'] ?? 0));
  stream
    .on('trailers', (head: IncomingHttpHeaders) => (fields = head))
    .on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
  stream.on('close', () => {
    const whole = status !== 0 && stream.rstCode === constants.NGHTTP2_NO_ERROR;
    resolve({ status, text: Buffer.concat(parts).toString('utf8'), trailers: fields, hints, whole });
    session.destroy();
  });
  for (const part of body ?? []) stream.write(part);
  if (body !== undefined && trailers !== undefined) stream.end();
  return promise;
}

describe.each([
  ['HTTP/1.1', 'HTTP/1.1', askHttp1, 'http1'],
  ['HTTP/1.1', 'HTTP/2', askHttp1, 'h2c'],
  ['HTTP/2', 'HTTP/1.1', askHttp2, 'http1'],
  ['HTTP/2', 'HTTP/2', askHttp2, 'h2c'],
] as const)('%s in, %s out', (_in, _out, ask, protocol) => {
  beforeEach(async () => open(protocol));

  it('passes the trailers of an answer on, but for those that would be taken for headers', async () => {
    const answer = await ask({ path: '/a' });
    expect(answer).toMatchObject({ status: 200, text: 'answer', whole: true });
    expect(plain(answer.trailers)).toEqual({ 'x-checksum': 'abc' });
  });

  it('passes a body without a length on', async () => {
    await ask({ method: 'POST', path: '/a', body: ['one', 'two'], trailers: {} });
    expect(got).toMatchObject([{ body: 'onetwo' }]);
    expect(got[0]?.headers).not.toHaveProperty('content-length');
  });

  it('keeps credentials and identities out of the trailers of a request', async () => {
    const trailers = {
      authorization: 'Bearer good',
      cookie: '__Host-lockstep=1',
      'x-api-key': 'mine',
      'x-lockstep-assertion': 'forged',
      'x-forwarded-user': 'root',
      host: 'evil',
      'x-checksum': 'abc',
    };
    const { status } = await ask({ method: 'POST', path: '/a', body: ['one'], trailers });
    expect(status).toBe(200);
    expect(plain(got[0]?.trailers)).toEqual({ 'x-checksum': 'abc' });
    expect(got[0]?.headers['trailer']).toBe('x-checksum');
    expect(got[0]?.headers['x-api-key']).toBe('upstream-secret');
  });

  it('passes trailers on whatever they are called', async () => {
    const trailers = { constructor: 'x', 'x-checksum': 'abc' };
    const { status } = await ask({ method: 'POST', path: '/a', body: ['one'], trailers });
    expect(status).toBe(200);
    expect(plain(got[0]?.trailers)).toEqual(trailers);
  });

  it.runIf(protocol === 'http1')('survives statuses and fields that HTTP/2 does not have', async () => {
    expect((await ask({ path: '/odd' })).status).toBe(ask === askHttp2 ? 500 : 999);
    expect(await ask({ path: '/twice' })).toMatchObject({ status: 200, text: 'twice', whole: true });
    expect((await ask({ path: '/a' })).status).toBe(200);
  });

  it.runIf(protocol === 'http1').each(['/settings', '/settings-behind'])(
    'leaves away what is of a connection: %s',
    async (path) => {
      expect(await ask({ path })).toMatchObject({ status: 200, text: 'settings', whole: true });
    },
  );

  it('passes early hints on, and only links', async () => {
    const { status, hints } = await ask({ path: '/hints' });
    expect(status).toBe(200);
    expect(hints).toHaveLength(1);
    expect(hints[0]).toMatchObject({ link: '</a.css>; rel=preload' });
    expect(hints[0]).not.toHaveProperty('set-cookie');
  });

  it.each(['/waits', '/endless'])('ends %s at the upstream when the client goes', async (path) => {
    const leaving = new AbortController();
    const answer = ask({ path, signal: leaving.signal });
    await until(
      () =>
        gateway.sessions.size === 1 &&
        (path === '/waits' || (gateway.sessions.list()[0]?.responseBytes ?? 0) > 0),
    );
    await until(() => sockets.size > 0);
    leaving.abort();
    expect((await answer).whole).toBe(false);
    await until(() => gone === 1 && gateway.sessions.size === 0);
  });

  it('ends an upload at the upstream that breaks off, which never looks whole there', async () => {
    const leaving = new AbortController();
    const answer = ask({ method: 'POST', path: '/upload', body: ['a', 'b'], signal: leaving.signal });
    await until(() => received === 2);
    leaving.abort();
    expect((await answer).whole).toBe(false);
    await until(() => gone === 1 && gateway.sessions.size === 0);
    expect(got).toEqual([]);
  });

  it('breaks off an answer that breaks off at the upstream', async () => {
    expect(await ask({ path: '/breaks' })).toMatchObject({ status: 200, text: 'a piece', whole: false });
  });

  it('answers a HEAD with a head', async () => {
    expect(await ask({ method: 'HEAD', path: '/a' })).toMatchObject({ status: 200, text: '', whole: true });
  });
});
