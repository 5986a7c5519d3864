import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, until } from '../../src/gateway/testing/gateway.ts';
import { route, streamText, thingsSurface } from '../../src/gateway/testing/things-surface.ts';

// Bytes on a TLS socket, as no client library would send them.

let gateway: TestGateway;
let served: string[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start({
    surfaces: [
      thingsSurface([
        route({
          method: 'GET',
          path: '/*',
          serve: (exchange) => {
            served.push(`GET ${exchange.head.path}`);
            return Promise.resolve({ status: 200, body: 'got' });
          },
        }),
        ...(['POST', 'DELETE'] as const).map((method) =>
          route({
            method,
            path: '/*',
            body: { kind: 'streamed', maxBytes: 1e6 },
            serve: async (exchange) => {
              const text = await streamText(exchange);
              served.push(`${method} ${exchange.head.path} ${text}`);
              return { status: 200, body: text };
            },
          }),
        ),
      ]),
    ],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
    limits: { headMilliseconds: 1000, handshakeMilliseconds: 1000, connections: 50 },
  });
});
afterAll(async () => gateway.close());

const auth = 'Host: localhost\r\nAuthorization: Bearer good\r\n';

async function send(
  bytes: string | Buffer,
  servername?: string,
): Promise<{ statuses: number[]; text: string }> {
  served = [];
  const text = await gateway.raw(bytes, 3000, servername);
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
  return { statuses, text };
}

async function refused(bytes: string | Buffer, status: number | number[]): Promise<void> {
  const before = gateway.facts.length;
  const { statuses, text } = await send(bytes);
  expect(statuses).toHaveLength(1);
  expect([status].flat()).toContain(statuses[0]);
  expect(served).toEqual([]);
  expect(text.toLowerCase()).toContain('content-type: application/json');
  expect(text.toLowerCase()).not.toContain('<html');
  const facts = gateway.facts.slice(before);
  expect(facts).toHaveLength(1);
  expect(facts[0]).toMatchObject({ kind: 'request.decided', allowed: false });
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\n${auth}Connection: close\r\n\r\n`;

describe('paths', () => {
  it.each(
    [
      '//etc',
      '/a//b',
      '/a/',
      '/.',
      '/..',
      '/a/./b',
      '/a/../b',
      '/a/..',
      '/%2e',
      '/%2e%2e/b',
      '/a/.%2e/b',
      '/a/%2E./b',
      '/a%2fb',
      '/a%2Fb',
      '/a%2f..%2fb',
      '/a%5cb',
      '/a%5Cb',
      '/a\\b',
      '/a\\..\\b',
      '/%00',
      '/a%0d%0aX:y',
      '/a%7f',
      '/a%c2%85',
      '/a%',
      '/a%zz',
      '/a%2',
      '/%c0%af',
      '/%c0%ae%c0%ae/b',
      '/%ff',
      '/%ed%a0%80',
      '/%252e%252e/b',
      '/a%252fb',
      '/a%255cb',
      '/%25252e',
      '/%61dmin',
      '/a%2Db',
      '/a#b',
      '/a?x#y',
      '/a{b}',
      '/a<b',
      '/a"b',
      '/a^b',
      '/a`b',
      '/é',
    ].filter((path) => path !== '/a/'),
  )('refuses %j', async (path) => {
    await refused(Buffer.from(get(path), 'latin1'), 400);
  });

  it.each([
    '/',
    '/a',
    '/a/',
    '/a;p=1',
    '/a/b.c',
    '/...',
    '/a..b',
    '/..a',
    '/.well-known/x',
    '/a%20b',
    '/%E2%82%AC',
    '/a%25b',
    '/a~b',
    '/a%7Eb',
    '/a?x=/../%2e%2e//',
    '/a:b@c',
    "/!$&'()*+,;=",
  ])('serves %j as it stands', async (path) => {
    const { statuses } = await send(get(path));
    expect(statuses).toEqual([200]);
    expect(served).toEqual([`GET ${path.split('?')[0]}`]);
  });

  it.each([
    'http://localhost/a',
    'https://localhost/a',
    'http://evil/a',
    '*',
    'localhost:443',
    'a/b',
    '?a',
    'admin',
  ])('refuses the target %j, which is not origin-form', async (target) => refused(get(target), 400));

  it('refuses a target beyond 8 KiB and headers beyond the bound', async () => {
    await refused(get(`/${'a'.repeat(8192)}`), 400);
    await refused(get(`/a?${'a'.repeat(8192)}`), 400);
    await refused(`GET / HTTP/1.1\r\n${auth}X: ${'a'.repeat(40_000)}\r\n\r\n`, 431);
    await refused(`GET / HTTP/1.1\r\n${auth}${'X: a\r\n'.repeat(150)}\r\n`, 431);
  });
});

describe('hosts', () => {
  it.each([
    '',
    'Host: evil.example\r\n',
    'Host: localhost\r\nHost: localhost\r\n',
    'Host: localhost\r\nHost: evil\r\n',
    'Host: \r\n',
    'Host: localhost.\r\n',
    'Host: localhost.evil\r\n',
    'Host: evillocalhost\r\n',
    'Host: a@localhost\r\n',
    'Host: localhost, evil\r\n',
    'Host: localhost:99999\r\n',
    'Host: localhost:80:80\r\n',
    'Host: localhost/a\r\n',
    'Host: .localhost\r\n',
    'Host: a..localhost\r\n',
    'Host: 127.0.0.1.evil\r\n',
    'Host: 127.1\r\n',
    'Host: 0\r\n',
    'Host: [::1\r\n',
    'Host: loc\u00e4lhost\r\n',
    'Host: a_b.localhost\r\n',
  ])('refuses %j', async (host) => {
    await refused(
      Buffer.from(
        `GET / HTTP/1.1\r\n${host}Authorization: Bearer good\r\nConnection: close\r\n\r\n`,
        'latin1',
      ),
      400,
    );
  });

  it('refuses a Host that is ours but not the one the TLS connection was opened for', async () => {
    await refused('GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n', 421);
  });

  it('takes no other header for the host', async () => {
    const { statuses } = await send(
      `GET /a HTTP/1.1\r\n${auth}X-Forwarded-Host: evil\r\nForwarded: host=evil\r\nX-Original-URL: /b\r\nX-Forwarded-Uri: /b\r\nX-Rewrite-URL: /b\r\nConnection: close\r\n\r\n`,
    );
    expect(statuses).toEqual([200]);
    expect(served).toEqual(['GET /a']);
  });
});

describe('methods', () => {
  it.each(['TRACE', 'TRACK', 'CONNECT', 'PROPFIND', 'PURGE', 'SEARCH', 'get', 'QUERY', 'FOO', 'M-SEARCH'])(
    'refuses %s',
    async (method) => refused(`${method} / HTTP/1.1\r\n${auth}Connection: close\r\n\r\n`, [400, 405]),
  );

  it('refuses a CONNECT to an authority', async () => {
    await refused('CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n', [400, 405]);
  });

  it.each([
    'X-HTTP-Method-Override: DELETE',
    'X-HTTP-Method: DELETE',
    'X-Method-Override: DELETE',
    '_method: DELETE',
  ])('ignores %s', async (header) => {
    await send(`GET /a?_method=DELETE HTTP/1.1\r\n${auth}${header}\r\nConnection: close\r\n\r\n`);
    expect(served).toEqual(['GET /a']);
  });

  it('answers a CORS preflight with no permission and no effect', async () => {
    const { text, statuses } = await send(
      `OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n`,
    );
    expect(statuses).toEqual([405]);
    expect(text.toLowerCase()).not.toContain('access-control');
    expect(served).toEqual([]);
  });
});

describe('framing', () => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n';
  const post = (headers: string, body: string): string => `POST /a HTTP/1.1\r\n${auth}${headers}\r\n${body}`;

  it.each([
    ['CL.TE', post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${smuggled}\r\n0\r\n\r\n`)],
    ['TE.TE', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${smuggled}`)],
    ['a coding after chunked', post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${smuggled}`)],
    ['a coding before chunked', post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['a misspelt chunked', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['a tab before chunked', post('Transfer-Encoding:\u000bchunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['a space before the colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['obs-fold', post('X: a\r\n Transfer-Encoding: chunked\r\n', smuggled)],
    ['a folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${smuggled}`)],
    ['two lengths', post('Content-Length: 0\r\nContent-Length: 5\r\n', 'abcde')],
    ['two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde')],
    ['a list of lengths', post('Content-Length: 5, 5\r\n', 'abcde')],
    ['a signed length', post('Content-Length: +5\r\n', 'abcde')],
    ['a negative length', post('Content-Length: -1\r\n', 'abcde')],
    ['a hexadecimal length', post('Content-Length: 0x5\r\n', 'abcde')],
    ['a huge length', post('Content-Length: 99999999999999999999\r\n', 'abcde')],
    ['a bare LF', `GET /a HTTP/1.1\nHost: localhost\nAuthorization: Bearer good\n\n`],
    ['a bare CR', post('X: a\rTransfer-Encoding: chunked\r\n', smuggled)],
    ['a NUL in a header', post('X: a\u0000b\r\n', smuggled)],
    ['a header without a name', post(': a\r\n', smuggled)],
    ['a body on GET', `GET /a HTTP/1.1\r\n${auth}Content-Length: 5\r\n\r\nabcde`],
    ['a chunked body on GET', `GET /a HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunked in HTTP/1.0', `POST /a HTTP/1.0\r\n${auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['HTTP/3.7', `GET /a HTTP/3.7\r\n${auth}\r\n`],
  ])('refuses %s and serves nothing behind it', async (_, bytes) => {
    const { statuses, text } = await send(Buffer.from(bytes, 'latin1'));
    expect(statuses.every((status) => status >= 400)).toBe(true);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect(served).toEqual([]);
    expect(text).not.toContain('got');
  });

  it.each([
    ['no hexadecimal size', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a size that is too large', 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
    ['more data than its size', '3\r\nabcdef\r\n0\r\n\r\n'],
    ['LF after its size', '3\nabc\r\n0\r\n\r\n'],
    ['LF after its data', '3\r\nabc\n0\r\n\r\n'],
    ['a CR in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
    ['something after the last chunk', '0\r\nX'],
    ['endless extensions', `3;${'a'.repeat(100_000)}\r\nabc\r\n0\r\n\r\n`],
  ])('serves nothing of a chunked body with %s', async (_, body) => {
    const { statuses } = await send(
      post('Transfer-Encoding: chunked\r\nConnection: close\r\n', body) + smuggled,
    );
    expect(statuses).not.toContain(200);
    expect(served).toEqual([]);
  });

  it('reads pipelined requests one by one and answers in their order', async () => {
    const { statuses } = await send(
      `${post('Content-Length: 3\r\n', 'abc')}GET /b HTTP/1.1\r\n${auth}Connection: close\r\n\r\n`,
    );
    expect(statuses).toEqual([200, 200]);
    expect(served.sort()).toEqual(['GET /b', 'POST /a abc']);
  });

  it('never takes what follows a refused request for a request', async () => {
    const { statuses } = await send(
      `POST /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer forged\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    );
    expect(statuses).toEqual([401]);
    expect(served).toEqual([]);
  });

  it('drops trailers', async () => {
    const { statuses } = await send(
      post(
        'Transfer-Encoding: chunked\r\nConnection: close\r\n',
        '3\r\nabc\r\n0\r\nAuthorization: Bearer good\r\nX-Lockstep-User: root\r\n\r\n',
      ),
    );
    expect(statuses).toEqual([200]);
    expect(served).toEqual(['POST /a abc']);
  });
});

describe('upgrades', () => {
  it.each([
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
    'Connection: keep-alive, Upgrade\r\n',
    'Upgrade: TLS/1.2\r\n',
  ])('to anything but a WebSocket are refused: %j', async (headers) => {
    const bytes = `GET /a HTTP/1.1\r\n${auth}${headers}\r\n`;
    const { statuses, text } = await send(bytes);
    expect(statuses).toEqual([501]);
    expect(text).toContain('application/json');
    expect(served).toEqual([]);
  });
});

describe('duplicates', () => {
  it.each([
    'Authorization: Bearer good\r\nAuthorization: Bearer good\r\n',
    'Authorization: Bearer forged\r\nAuthorization: Bearer good\r\n',
    'authorization: Bearer good\r\nAUTHORIZATION: Bearer good\r\n',
    'Authorization: Bearer good\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n',
    'Authorization: Bearer good\r\nOrigin: https://a\r\nOrigin: https://b\r\n',
  ])('are refused: %j', async (headers) => {
    await refused(`GET /a HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`, 400);
  });
});

describe('exemptions', () => {
  it.each([
    'User-Agent: kube-probe/1.30',
    'User-Agent: GoogleHC/1.0',
    'User-Agent: ELB-HealthChecker/2.0',
    'X-Middleware-Subrequest: middleware',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-User: root',
    'X-Lockstep-Assertion: a.b.c',
    'Sec-Purpose: prefetch',
    'Purpose: healthcheck',
  ])('there are none for %s', async (header) => {
    await refused(`GET /a HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`, 401);
  });

  it('takes no token from query or body', async () => {
    await refused('GET /a?access_token=good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 401);
  });
});

describe('slow and broken connections', () => {
  it('closes a connection whose request head does not come', async () => {
    const socket = await gateway.connect();
    const closed = Promise.withResolvers<void>();
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined).on('close', () => closed.resolve());
    socket.write('GET /a HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => socket.write('X: y\r\n'), 100);
    await closed.promise;
    clearInterval(drip);
    expect(text).not.toContain('200 OK');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('closes a connection that never begins TLS, and serves others meanwhile', async () => {
    const socket = connectTcp(gateway.port, '127.0.0.1');
    const closed = Promise.withResolvers<void>();
    socket.on('error', () => undefined).on('close', () => closed.resolve());
    expect((await send(get('/a'))).statuses).toEqual([200]);
    await closed.promise;
  });

  it('serves nothing to plain HTTP, and says in one answer that this is the port of HTTPS', async () => {
    const socket = connectTcp(gateway.port, '127.0.0.1');
    const closed = Promise.withResolvers<void>();
    let bytes = '';
    socket.on('data', (chunk) => (bytes += chunk.toString('latin1')));
    socket.on('error', () => undefined).on('close', () => closed.resolve());
    const before = gateway.facts.length;
    socket.write(`GET /a HTTP/1.1\r\n${auth}\r\n`.repeat(3));
    await closed.promise;
    expect(bytes.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(bytes).toMatch(/^HTTP\/1\.1 400 [\s\S]*https:/);
    expect(gateway.facts.slice(before).filter(({ kind }) => kind === 'request.ended')).toEqual([]);
  });

  it('refuses TLS older than 1.2', async () => {
    const failed = Promise.withResolvers<Error>();
    const socket = connectTls({
      port: gateway.port,
      host: '127.0.0.1',
      ca: gateway.ca,
      servername: 'localhost',
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    socket.on('error', failed.resolve).on('secureConnect', () => failed.resolve(new Error('connected')));
    expect((await failed.promise).message).not.toBe('connected');
    socket.destroy();
  });

  it.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [['h2c', 'http/1.0', 'spdy/3.1'], null],
  ])('agrees with a client that offers %j on %j', async (ALPNProtocols, agreed) => {
    const socket = connectTls({
      port: gateway.port,
      host: '127.0.0.1',
      ca: gateway.ca,
      servername: 'localhost',
      ALPNProtocols,
    });
    await new Promise((resolve) => {
      socket.once('secureConnect', resolve).once('error', resolve).once('close', resolve);
    });
    expect(socket.authorized ? socket.alpnProtocol : null).toBe(agreed);
    socket.destroy();
  });

  it('holds no more connections than its limit', async () => {
    const sockets = Array.from({ length: 80 }, () => connectTcp(gateway.port, '127.0.0.1'));
    let closed = 0;
    for (const socket of sockets) socket.on('error', () => undefined).on('close', () => closed++);
    await until(() => closed >= 30);
    for (const socket of sockets) socket.destroy();
    await until(() => closed === 80);
    expect((await send(get('/a'))).statuses).toEqual([200]);
  });
});
