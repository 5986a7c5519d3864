import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, until } from '../../src/gateway/testing/gateway.ts';
import {
  block,
  errorCodes,
  flags,
  frame,
  FrameConnection,
  frameTypes,
  integer,
  preface,
  settings,
  uint32,
  type Field,
} from '../../src/gateway/testing/http2-frames.ts';
import { route, streamText, thingsSurface } from '../../src/gateway/testing/things-surface.ts';

// Frames on a TLS connection, as no client library would send them. RFC 9113, RFC 7541.

let gateway: TestGateway;
let connection: FrameConnection;
let served: string[] = [];
let seen: object = {};
const large = Buffer.alloc(1_000_000, 'a');

beforeAll(async () => {
  gateway = await TestGateway.start({
    surfaces: [
      thingsSurface([
        route({ method: 'GET', path: '/large', serve: () => Promise.resolve({ status: 200, body: large }) }),
        route({
          method: 'GET',
          path: '/*',
          serve: ({ head }) => {
            served.push(`GET ${head.path} ${head.headers.cookie ?? ''}`.trim());
            seen = head.headers;
            return Promise.resolve({ status: 200, body: 'got' });
          },
        }),
        route({
          method: 'POST',
          path: '/*',
          body: { kind: 'streamed', maxBytes: 1e6 },
          serve: async (exchange) => {
            const text = await streamText(exchange);
            served.push(`POST ${exchange.head.path} ${text}`);
            return { status: 200, body: text };
          },
        }),
      ]),
    ],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
    limits: {
      headMilliseconds: 1000,
      keepAliveMilliseconds: 1500,
      handshakeMilliseconds: 1000,
      connections: 50,
    },
  });
});
afterAll(async () => gateway.close());
beforeEach(async () => {
  served = [];
  connection = await FrameConnection.open(gateway);
});
afterEach(() => connection.close());

const token: Field = ['authorization', 'Bearer good'];

/** A sound request, and what differs in it; null takes a field away. */
function request(method: string, path: string, ...more: readonly Field[]): Field[] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'localhost'],
    [':path', path],
    token,
    ...more,
  ];
}

function without(fields: readonly Field[], ...names: readonly string[]): Field[] {
  return fields.filter(([name]) => !names.includes(name));
}

/** The next one of the same connection is served as if nothing had been. */
async function mustServeOn(stream: number): Promise<void> {
  connection.headers(stream, request('GET', '/after'));
  expect(await connection.body(stream)).toBe('got');
}

/** Refused by the edge: told why, recorded, and its siblings untouched. */
async function refused(fields: readonly Field[], code: string): Promise<void> {
  const before = gateway.facts.length;
  connection.headers(1, fields);
  expect(JSON.parse(await connection.body(1))).toMatchObject({ error: { code } });
  expect(served).toEqual([]);
  expect(gateway.facts.slice(before)).toMatchObject([{ kind: 'request.decided', allowed: false }]);
  await mustServeOn(3);
}

/** Refused before it is a request: its stream is reset, and its siblings untouched. */
async function refusedByReset(fields: readonly Field[], code: number = errorCodes.protocol): Promise<void> {
  connection.headers(1, fields);
  expect(await connection.reset(1)).toBe(code);
  expect(served).toEqual([]);
  await mustServeOn(3);
}

/** The whole connection is given up, and nothing of it was served. */
async function refusedAltogether(code: number, ...bytes: readonly Uint8Array[]): Promise<void> {
  connection.send(...bytes);
  expect(await connection.goaway()).toBe(code);
  await until(() => connection.closed);
  expect(served).toEqual([]);
}

describe('paths', () => {
  it.each([
    '//etc/..',
    '/a//b',
    '/.',
    '/a/../b',
    '/%2e%2e/b',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/%00',
    '/%252e%252e/b',
    '/%61dmin',
    '/a#b',
    '/a?x#y',
    '/a{b}',
  ])('refuses %j', async (path) => refused(request('GET', path), 'InvalidUri'));

  it.each(['a', 'Package.Service/Method', '?a', 'https://localhost/a', '*', ''])(
    'refuses the path %j, which has no slash at its beginning',
    async (path) => {
      connection.headers(1, request('POST', path));
      const answer = await connection.next(
        ({ type, stream }) => stream === 1 && type !== frameTypes.windowUpdate,
      );
      if (answer?.type === frameTypes.rstStream)
        expect(answer.payload.readUInt32BE(0)).toBe(errorCodes.protocol);
      else expect(await connection.body(1)).toContain('InvalidUri');
      expect(served).toEqual([]);
      await mustServeOn(3);
    },
  );

  it('serves a path as it stands', async () => {
    connection.headers(1, request('GET', '/a;p=1/b%20c?x=/../'));
    expect(await connection.body(1)).toBe('got');
    expect(served).toEqual(['GET /a;p=1/b%20c']);
  });

  it('refuses a path beyond 8 KiB', async () =>
    refused(request('GET', `/${'a'.repeat(8192)}`), 'InvalidUri'));
});

describe('hosts', () => {
  const named = (authority: string): Field[] => [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', '/'],
    token,
  ];

  it.each(['evil.example', 'localhost.', 'localhost:99999', '127.1', 'localhost.evil', 'a_b.localhost'])(
    'refuses the authority %j',
    async (authority) => refused(named(authority), 'InvalidRequest'),
  );

  it('refuses userinfo in the authority', async () => {
    connection.headers(1, named('a@localhost'));
    await connection.next(({ stream }) => stream === 1);
    expect(served).toEqual([]);
    await mustServeOn(3);
  });

  it('sends a request for another host than that of the connection to one of its own', async () =>
    refused(named('other.localhost'), 'MisdirectedRequest'));

  it('refuses a host beside the authority that says something else', async () => {
    await refused(request('GET', '/', ['host', 'evil']), 'InvalidRequest');
  });

  it('takes a host that says the same, and one in place of the authority', async () => {
    connection.headers(1, request('GET', '/', ['host', 'localhost']));
    expect(await connection.body(1)).toBe('got');
    connection.headers(3, [...without(request('GET', '/'), ':authority'), ['host', 'localhost']]);
    expect(await connection.body(3)).toBe('got');
  });

  it('refuses a request that names no host', async () => {
    connection.headers(1, without(request('GET', '/'), ':authority'));
    await connection.next(({ stream }) => stream === 1);
    expect(served).toEqual([]);
    await mustServeOn(3);
  });

  it.each(['http', 'ftp', 'wss'])('refuses the scheme %s', async (scheme) => {
    await refused([[':scheme', scheme], ...without(request('GET', '/'), ':scheme')], 'InvalidRequest');
  });
});

describe('methods', () => {
  it.each(['TRACE', 'PROPFIND', 'get', 'PRI', 'FOO'])('refuses %s', async (method) => {
    await refused(request(method, '/'), 'MethodNotAllowed');
  });

  it('refuses CONNECT', async () => {
    await refused([[':method', 'CONNECT'], [':authority', 'localhost:22'], token], 'MethodNotAllowed');
  });

  it('refuses a CONNECT that would become a WebSocket, which it never offered', async () => {
    await refusedByReset([[':protocol', 'websocket'], ...request('CONNECT', '/')]);
  });

  it('refuses a body where there is none', async () => {
    connection.headers(1, request('GET', '/a'), flags.endHeaders);
    expect(await connection.body(1)).toContain('InvalidRequest');
    expect(served).toEqual([]);
    await mustServeOn(3);
  });
});

describe('fields', () => {
  it.each<[string, Field[]]>([
    ['connection', request('GET', '/', ['connection', 'close'])],
    ['keep-alive', request('GET', '/', ['keep-alive', 'timeout=5'])],
    ['proxy-connection', request('GET', '/', ['proxy-connection', 'close'])],
    ['transfer-encoding', request('POST', '/', ['transfer-encoding', 'chunked'])],
    ['upgrade', request('GET', '/', ['upgrade', 'websocket'])],
    ['te other than trailers', request('GET', '/', ['te', 'gzip'])],
    ['a name in upper case', request('GET', '/', ['X-Upper', 'a'])],
    ['two methods', [[':method', 'POST'], ...request('GET', '/')]],
    ['two paths', [[':path', '/b'], ...request('GET', '/')]],
    ['two authorities', [[':authority', 'evil'], ...request('GET', '/')]],
    ['an empty path', [[':path', ''], ...without(request('GET', '/'), ':path')]],
    ['no path', without(request('GET', '/'), ':path')],
    ['no scheme', without(request('GET', '/'), ':scheme')],
    ['no method', without(request('GET', '/'), ':method')],
    ['a pseudo-header of answers', [[':status', '200'], ...request('GET', '/')]],
    ['an unknown pseudo-header', [[':evil', 'a'], ...request('GET', '/')]],
    ['a pseudo-header behind a field', [...without(request('GET', '/'), ':path'), [':path', '/']]],
    ['CR LF in the path', request('GET', '/a HTTP/1.1\r\nhost: evil')],
    ['CR LF in the method', request('GET / HTTP/1.1\r\nx:', '/')],
    ['two lengths', request('POST', '/', ['content-length', '0'], ['content-length', '5'])],
    ['a signed length', request('POST', '/', ['content-length', '+5'])],
    ['a length without its data', request('POST', '/', ['content-length', '5'])],
  ])('resets a stream with %s', async (_, fields) => refusedByReset(fields));

  it.each<[string, Field[]]>([
    ['two authorizations', request('GET', '/', ['authorization', 'Bearer good'])],
    ['two origins', request('POST', '/', ['origin', 'https://a'], ['origin', 'https://b'])],
    ['an expectation it does not know', request('POST', '/', ['expect', 'miracles'])],
  ])('refuses %s', async (_, fields) => refused(fields, 'InvalidRequest'));

  // The frame layer takes such a field away before anybody can ask for it, where RFC 9113 §8.2.1 would have a reset.
  it.each<Field>([
    ['x', 'a\0b'],
    ['x', 'a\r\nhost: evil'],
    ['x', 'a\nb'],
    ['x', 'a\rb'],
    ['x', 'a '],
    ['x', '\ta'],
    ['x y', 'a'],
    ['x:y', 'a'],
    ['x\r\ny', 'a'],
    ['x\0y', 'a'],
    ['', 'a'],
  ])('sees and forwards nothing of the field %j: %j', async (name, value) => {
    connection.headers(1, request('GET', '/seen', [name, value], ['y', 'whole']));
    expect(await connection.body(1)).toBe('got');
    expect(seen).toEqual({ host: 'localhost', authorization: 'Bearer good', y: 'whole' });
  });

  it.each(['Bearer good\0', 'Bearer good\r\n', ' Bearer good'])('recognises nobody by %j', async (value) => {
    connection.headers(1, [...without(request('GET', '/'), 'authorization'), ['authorization', value]]);
    expect(await connection.body(1)).toContain('AuthenticationFailed');
    expect(served).toEqual([]);
  });

  it('joins the crumbs of a cookie', async () => {
    connection.headers(1, request('GET', '/', ['cookie', 'a=1'], ['cookie', 'b=2'], ['cookie', 'c=3']));
    expect(await connection.body(1)).toBe('got');
    expect(served).toEqual(['GET / a=1; b=2; c=3']);
  });

  it('takes a cookie in a hundred crumbs, and refuses a hundred fields besides', async () => {
    const crumbs = Array.from({ length: 150 }, (_, i): Field => ['cookie', `c${i}=1`]);
    connection.headers(1, request('GET', '/', ...crumbs));
    expect(await connection.body(1)).toBe('got');
    served = [];
    const many = Array.from({ length: 100 }, (_, i): Field => [`x-${i}`, '1']);
    connection.headers(3, request('GET', '/', ...many));
    expect(await connection.body(3)).toContain('RequestHeaderFieldsTooLarge');
    expect(served).toEqual([]);
  });

  it('tells who sends too large a head, and resets who sends more still', async () => {
    const sized = (bytes: number): Field[] =>
      request('GET', '/', ...Array.from({ length: 10 }, (_, i): Field => [`x-${i}`, 'a'.repeat(bytes / 10)]));
    const chunks = (stream: number, fields: Field[]): Buffer[] => {
      const whole = block(fields);
      const parts: Buffer[] = [];
      for (let at = 0; at < whole.length; at += 16_000) {
        const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
        const last = at + 16_000 >= whole.length ? flags.endHeaders : 0;
        const end = at === 0 ? flags.endStream : 0;
        parts.push(frame(type, last | end, stream, whole.subarray(at, at + 16_000)));
      }
      return parts;
    };
    connection.send(...chunks(1, sized(40_000)));
    expect(await connection.body(1)).toContain('RequestHeaderFieldsTooLarge');
    connection.send(...chunks(3, sized(80_000)));
    expect(await connection.reset(3)).toBe(errorCodes.enhanceYourCalm);
    expect(served).toEqual([]);
    await mustServeOn(5);
  });
});

describe('bodies', () => {
  it('serves nothing of a body that is less than its length', async () => {
    connection.headers(1, request('POST', '/', ['content-length', '5']), flags.endHeaders);
    connection.send(frame(frameTypes.data, flags.endStream, 1, 'abc'));
    expect(await connection.reset(1)).toBe(errorCodes.protocol);
    expect(served).toEqual([]);
    await mustServeOn(3);
  });

  it('serves nothing of a body that is more than its length, and gives up its sender', async () => {
    connection.headers(1, request('POST', '/', ['content-length', '5']), flags.endHeaders);
    await refusedAltogether(errorCodes.internal, frame(frameTypes.data, flags.endStream, 1, 'abcdefgh'));
  });

  it('serves a body without a length', async () => {
    connection.headers(1, request('POST', '/a'), flags.endHeaders);
    connection.send(
      frame(frameTypes.data, flags.none, 1, 'abc'),
      frame(frameTypes.data, flags.endStream, 1, 'def'),
    );
    expect(await connection.body(1)).toBe('abcdef');
  });

  it('takes trailers for no headers', async () => {
    connection.headers(1, request('POST', '/a'), flags.endHeaders);
    connection.send(frame(frameTypes.data, flags.none, 1, 'abc'));
    connection.headers(1, [
      ['authorization', 'Bearer forged'],
      ['x-lockstep-user', 'root'],
    ]);
    expect(await connection.body(1)).toBe('abc');
  });

  it.each<[string, Field[]]>([
    ['a pseudo-header', [[':path', '/evil']]],
    ['a connection field', [['transfer-encoding', 'chunked']]],
  ])('serves nothing of a body whose trailers hold %s', async (_, trailers) => {
    connection.headers(1, request('POST', '/a'), flags.endHeaders);
    connection.send(frame(frameTypes.data, flags.none, 1, 'abc'));
    connection.headers(1, trailers);
    expect(await connection.reset(1)).toBe(errorCodes.protocol);
    expect(served).toEqual([]);
    await mustServeOn(3);
  });

  it('answers who is refused without waiting for the body, and lets its siblings be', async () => {
    connection.headers(1, without(request('POST', '/a'), 'authorization'), flags.endHeaders);
    connection.send(frame(frameTypes.data, flags.none, 1, 'abc'));
    expect(await connection.body(1)).toContain('AuthenticationFailed');
    expect(await connection.reset(1)).toBe(errorCodes.noError);
    await mustServeOn(3);
  });
});

describe('connections', () => {
  it.each<[string, () => Uint8Array[]]>([
    ['DATA on stream 0', () => [frame(frameTypes.data, 0, 0, 'a')]],
    [
      'HEADERS on stream 0',
      () => [frame(frameTypes.headers, flags.endHeaders, 0, block(request('GET', '/')))],
    ],
    [
      'HEADERS on a stream of the server',
      () => [frame(frameTypes.headers, 5, 2, block(request('GET', '/')))],
    ],
    ['DATA on an idle stream', () => [frame(frameTypes.data, flags.endStream, 1, 'a')]],
    ['a pushed promise', () => [frame(frameTypes.pushPromise, flags.endHeaders, 1, uint32(2))]],
    ['CONTINUATION out of place', () => [frame(frameTypes.continuation, flags.endHeaders, 1, 'a')]],
    ['SETTINGS with a stream', () => [frame(frameTypes.settings, 0, 1)]],
    ['a window of nothing', () => [frame(frameTypes.windowUpdate, 0, 0, uint32(0))]],
    [
      'another frame inside a header block',
      () => [
        frame(frameTypes.headers, 1, 1, block(request('GET', '/'))),
        frame(frameTypes.ping, 0, 0, Buffer.alloc(8)),
      ],
    ],
    [
      'padding longer than its frame',
      () => [
        frame(
          frameTypes.headers,
          5 | flags.padded,
          1,
          Buffer.concat([Buffer.from([255]), block(request('GET', '/'))]),
        ),
      ],
    ],
  ])('ends with %s', async (_, bytes) => refusedAltogether(errorCodes.protocol, ...bytes()));

  it('ends with a window beyond its bounds', async () =>
    refusedAltogether(errorCodes.flowControl, frame(frameTypes.windowUpdate, 0, 0, uint32(0x7fff_ffff))));

  it('ends with a frame beyond the size that it allows', async () =>
    refusedAltogether(errorCodes.frameSize, frame(frameTypes.data, 0, 1, Buffer.alloc(16_385))));

  it('ends with a header block that cannot be decoded', async () =>
    refusedAltogether(errorCodes.compression, frame(frameTypes.headers, 5, 1, integer(200, 7, 0x80))));

  it('ends with a compression table larger than it allows', async () =>
    refusedAltogether(
      errorCodes.compression,
      frame(
        frameTypes.headers,
        5,
        1,
        Buffer.concat([integer(1_000_000, 5, 0x20), block(request('GET', '/'))]),
      ),
    ));

  it('ends with HTTP/1.1 where HTTP/2 was agreed on, and records that', async () => {
    const before = gateway.facts.length;
    const other = await FrameConnection.open(gateway, { silent: true });
    other.send(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n'));
    await until(() => other.closed);
    expect(served).toEqual([]);
    expect(gateway.facts.slice(before)).toMatchObject([{ kind: 'request.decided', allowed: false }]);
  });

  it('closes one that says nothing, and one that says nothing more', async () => {
    const silent = await FrameConnection.open(gateway, { silent: true });
    const prefaced = await FrameConnection.open(gateway);
    connection.headers(1, request('GET', '/'));
    await connection.body(1);
    await until(() => silent.closed && prefaced.closed && connection.closed);
    expect(await connection.goaway()).toBe(errorCodes.noError);
  });

  it('closes one that never ends its first head', async () => {
    connection.send(frame(frameTypes.headers, flags.endStream, 1, block(request('GET', '/'))));
    await until(() => connection.closed);
    expect(served).toEqual([]);
  });
});

describe('floods', () => {
  it('gives up who opens more streams than it was told it may', async () => {
    const allowed = await connection.next(
      ({ type, flags: flag }) => type === frameTypes.settings && flag === 0,
    );
    const entries = new Map<number, number>();
    for (let at = 0; at < (allowed?.payload.length ?? 0); at += 6) {
      entries.set(allowed?.payload.readUInt16BE(at) ?? 0, allowed?.payload.readUInt32BE(at + 2) ?? 0);
    }
    const most = entries.get(3) ?? 0;
    expect(most).toBe(128);
    await until(() =>
      connection.frames.some(({ type, flags: flag }) => type === frameTypes.settings && flag === 1),
    );
    for (let i = 0; i < most; i++) connection.headers(2 * i + 1, request('POST', `/${i}`), flags.endHeaders);
    connection.send(frame(frameTypes.data, flags.endStream, 1, 'abc'));
    expect(await connection.body(1)).toBe('abc');
    for (let i = most; i < 2 * most; i++) {
      connection.headers(2 * i + 1, request('POST', `/${i}`), flags.endHeaders);
    }
    expect(await connection.goaway()).toBe(errorCodes.protocol);
    await until(() => connection.closed && gateway.sessions.size === 0);
    expect(served).toEqual(['POST /0 abc']);
  });

  it('gives up who resets its requests as fast as it sends them', async () => {
    for (let i = 0; i < 3000; i++) {
      const stream = 2 * i + 1;
      connection.headers(stream, request('POST', '/reset'), flags.endHeaders);
      connection.send(frame(frameTypes.rstStream, 0, stream, uint32(errorCodes.cancel)));
    }
    await until(() => connection.closed);
    expect(gateway.sessions.size).toBe(0);
    expect((await gateway.fetch('/still', { headers: { authorization: 'Bearer good' } })).status).toBe(200);
  });

  it('gives up who makes it reset streams as fast', async () => {
    for (let i = 0; i < 3000; i++)
      connection.headers(2 * i + 1, request('GET', '/', ['connection', 'close']));
    await until(() => connection.closed);
    expect(served).toEqual([]);
  });

  it('gives up an endless head', async () => {
    const part = block([['x', 'a'.repeat(1000)]]);
    connection.send(frame(frameTypes.headers, flags.endStream, 1, block(request('GET', '/'))));
    for (let i = 0; i < 1000; i++) connection.send(frame(frameTypes.continuation, 0, 1, part));
    await until(() => connection.closed);
    expect(served).toEqual([]);
  });

  it('gives up an endless head of empty frames', async () => {
    connection.send(frame(frameTypes.headers, flags.endStream, 1, block(request('GET', '/'))));
    for (let i = 0; i < 1000; i++) connection.send(frame(frameTypes.continuation, 0, 1));
    await until(() => connection.closed);
    expect(served).toEqual([]);
  });

  it('gives up a body of empty frames', async () => {
    connection.headers(1, request('POST', '/'), flags.endHeaders);
    for (let i = 0; i < 5000; i++) connection.send(frame(frameTypes.data, 0, 1));
    await until(() => connection.closed);
    expect(served).toEqual([]);
  });

  it.each<[string, Uint8Array]>([
    ['pings', frame(frameTypes.ping, 0, 0, Buffer.alloc(8))],
    ['settings', settings()],
  ])('gives up who sends %s without reading what is said to them', async (_, bytes) => {
    const { socket } = connection;
    socket.pause();
    const many = Buffer.concat(Array.from({ length: 1000 }, () => bytes));
    for (let i = 0; i < 2000 && !socket.destroyed; i++) {
      if (socket.write(many)) continue;
      await new Promise((resolve) => {
        socket.once('drain', resolve).once('close', resolve);
      });
    }
    expect(socket.destroyed).toBe(true);
  });

  it('holds no more of a body than its window for who does not read', async () => {
    connection.close();
    connection = await FrameConnection.open(gateway, { settings: { 4: 0 } });
    for (let i = 0; i < 100; i++) connection.headers(2 * i + 1, request('GET', '/large'));
    // Answered in full, but for what waits for a window: nothing of it is on the wire.
    await until(() =>
      connection.frames.some(({ type, stream }) => type === frameTypes.headers && stream > 0),
    );
    expect(connection.frames.some(({ type }) => type === frameTypes.data)).toBe(false);
    connection.close();
    await until(() => gateway.sessions.size === 0);
  });

  it('decodes a small block into no more than a head may have', async () => {
    // A field of 4 KB put into the table once, then named 4000 times in one byte each.
    const entry = Buffer.concat([
      Buffer.from([0x40]),
      integer(1, 7),
      Buffer.from('x'),
      integer(3900, 7),
      Buffer.alloc(3900, 'a'),
    ]);
    const bomb = Buffer.concat([block(request('GET', '/')), entry, Buffer.alloc(4000, 0x80 | 62)]);
    connection.send(frame(frameTypes.headers, 5, 1, bomb));
    expect(await connection.reset(1)).toBe(errorCodes.enhanceYourCalm);
    expect(served).toEqual([]);
    await mustServeOn(3);
  });
});

it('speaks HTTP/1.1 to whoever asks for it, or for nothing', async () => {
  const answer = await gateway.raw(
    'GET /plain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(preface.length).toBe(24);
});
