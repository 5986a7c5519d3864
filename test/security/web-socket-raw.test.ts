// Upgrades and frames as no client library would send them: what a proxy in the middle may not be talked into.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TLSSocket } from 'node:tls';
import type { ProxiedSurface } from '../../src/gateway/adapters/web/proxied.ts';
import { webSurface } from '../../src/gateway/adapters/web/surface.ts';
import { alice, allow, callerOf, TestGateway, until } from '../../src/gateway/testing/gateway.ts';
import { proxyOptions } from '../../src/gateway/testing/proxy-options.ts';
import { route, thingsSurface } from '../../src/gateway/testing/things-surface.ts';
import { WebSocketUpstream } from '../../src/gateway/testing/web-socket-upstream.ts';

let gateway: TestGateway;
let upstream: WebSocketUpstream;
let surface: ProxiedSurface;
let slow = Promise.withResolvers<void>();

beforeAll(async () => {
  upstream = await WebSocketUpstream.start();
  surface = webSurface(
    {
      name: 'lab',
      upstream: `${upstream.origin}/base`,
      scope: '/connections/lab',
      rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Lab/x/action', upgrade: 'websocket' }],
    },
    proxyOptions,
  );
  const slowly = route({
    method: 'GET',
    path: '/slow',
    serve: async () => {
      await slow.promise;
      return { status: 200, body: 'slow answer' };
    },
  });
  gateway = await TestGateway.start({
    surfaces: [surface, thingsSurface([slowly], { name: 'things' })],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
});
afterAll(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});
beforeEach(() => {
  slow = Promise.withResolvers<void>();
});
afterEach(() => {
  slow.resolve();
  upstream.opened.length = 0;
  upstream.answer = null;
});

const auth = 'Host: localhost\r\nAuthorization: Bearer good\r\n';
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const version = 'Sec-WebSocket-Version: 13\r\n';
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const opening = `GET /connections/lab/a HTTP/1.1\r\n${auth}${upgrade}${key}${version}\r\n`;
const second = `GET /slow HTTP/1.1\r\n${auth}\r\n`;

function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

async function refused(bytes: string, status: number): Promise<string> {
  const before = gateway.facts.length;
  const text = await gateway.raw(bytes, 3000);
  expect(statuses(text)).toEqual([status]);
  expect(text.toLowerCase()).toContain('content-type: application/json');
  expect(text.toLowerCase()).not.toContain('<html');
  expect(gateway.facts.slice(before)).toHaveLength(1);
  expect(gateway.facts[before]).toMatchObject({ kind: 'request.decided', allowed: false });
  expect(upstream.opened).toEqual([]);
  return text;
}

describe('a handshake that is none is refused, recorded, and never forwarded', () => {
  it.each<[string, string, number]>([
    [
      'h2c',
      `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`,
      501,
    ],
    ['h2c beside websocket', `Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n${key}${version}`, 501],
    [
      'two Upgrade headers',
      `Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n${key}${version}`,
      501,
    ],
    ['a version of websocket', `Connection: Upgrade\r\nUpgrade: websocket/13\r\n${key}${version}`, 501],
    ['Connection without upgrade', `Connection: keep-alive\r\nUpgrade: websocket\r\n${key}${version}`, 501],
    ['no key', `${upgrade}${version}`, 400],
    ['a short key', `${upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n${version}`, 400],
    ['two keys', `${upgrade}${key}${key}${version}`, 400],
    ['version 8', `${upgrade}${key}Sec-WebSocket-Version: 8\r\n`, 426],
    ['no version', `${upgrade}${key}`, 426],
    ['two versions', `${upgrade}${key}${version}${version}`, 426],
    ['a body by length', `${upgrade}${key}${version}Content-Length: 5\r\n`, 400],
    ['an empty body by length', `${upgrade}${key}${version}Content-Length: 0\r\n`, 400],
    ['a chunked body', `${upgrade}${key}${version}Transfer-Encoding: chunked\r\n`, 400],
    ['an expectation', `${upgrade}${key}${version}Expect: 100-continue\r\n`, 400],
    ['an empty subprotocol', `${upgrade}${key}${version}Sec-WebSocket-Protocol: a,,b\r\n`, 400],
    [
      'a subprotocol twice',
      `${upgrade}${key}${version}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n`,
      400,
    ],
    ['a subprotocol that is no token', `${upgrade}${key}${version}Sec-WebSocket-Protocol: a b\r\n`, 400],
    ['two origins', `${upgrade}${key}${version}Origin: https://localhost\r\nOrigin: https://evil\r\n`, 400],
    ['two credentials', `${upgrade}${key}${version}Authorization: Bearer good\r\n`, 400],
  ])('%s', async (_what, headers, status) => {
    const text = await refused(`GET /connections/lab/a HTTP/1.1\r\n${auth}${headers}\r\n`, status);
    if (status === 426) expect(text.toLowerCase()).toContain('sec-websocket-version: 13');
  });

  it.each<[string, string, number]>([
    ['by POST', `POST /connections/lab/a HTTP/1.1\r\n${auth}`, 400],
    ['by HTTP/1.0', `GET /connections/lab/a HTTP/1.0\r\n${auth}`, 400],
    ['of another server, in absolute form', `GET http://169.254.169.254/x HTTP/1.1\r\n${auth}`, 400],
    [
      'of another server, in the Host',
      `GET /connections/lab/a HTTP/1.1\r\nHost: 169.254.169.254\r\nAuthorization: Bearer good\r\n`,
      400,
    ],
    ['out of the connection', `GET /connections/lab/../x HTTP/1.1\r\n${auth}`, 400],
    ['by an encoded detour', `GET /connections/lab/%2e%2e/x HTTP/1.1\r\n${auth}`, 400],
  ])('%s', async (_what, head, status) => {
    await refused(`${head}${upgrade}${key}${version}\r\n`, status);
  });
});

describe('smuggling', () => {
  it('refuses an upgrade with bytes behind it, and reads none of them as a request', async () => {
    await refused(`${opening}${second}`, 400);
  });

  it('reads nothing behind an upgrade that it refuses', async () => {
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(`GET /connections/none/a HTTP/1.1\r\n${auth}${upgrade}${key}${version}\r\n`);
    await until(() => statuses(got.text()).length === 1);
    socket.write(second);
    await got.closed;
    expect(statuses(got.text())).toEqual([403]);
  });

  it('takes what comes before the upstream has agreed for nobody’s, and ends the connection', async () => {
    const asked = Promise.withResolvers<void>();
    const seen: Buffer[] = [];
    upstream.answer = (_, socket) => {
      socket.on('data', (chunk: Buffer) => seen.push(chunk));
      asked.resolve();
    };
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(opening);
    await asked.promise;
    socket.write(second);
    await got.closed;
    expect(got.text()).toBe('');
    expect(seen).toEqual([]);
  });

  it('never answers an upgrade in the middle of another answer', async () => {
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(`${second}${opening}`);
    await got.closed;
    slow.resolve();
    expect(got.text()).not.toContain('101');
    expect(upstream.opened).toEqual([]);
  });

  it('opens one on a connection that has served other requests before', async () => {
    const socket = await gateway.connect();
    const got = collect(socket);
    slow.resolve();
    socket.write(second);
    await until(() => got.text().includes('slow answer'));
    socket.write(opening);
    await until(() => got.text().includes('101 Switching'));
    expect(statuses(got.text())).toEqual([200, 101]);
    socket.destroy();
    await until(() => gateway.sessions.size === 0);
  });

  it('serves no request on a connection whose upstream has declined', async () => {
    upstream.answer = (_, socket) => {
      socket.end(
        'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplainHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      );
    };
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(opening);
    await until(() => got.text().includes('plain'));
    socket.write(second);
    await got.closed;
    expect(statuses(got.text())).toEqual([200]);
    expect(got.text().toLowerCase()).toContain('connection: close');
    expect(got.text().toLowerCase()).not.toContain('upgrade');
  });

  it('does not take an interim answer for the last one', async () => {
    upstream.answer = (_, socket) => {
      socket.end(
        'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nno',
      );
    };
    expect(statuses(await gateway.raw(opening, 3000))).toEqual([404]);
  });

  it('forwards the target byte for byte, beneath the base path', async () => {
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(opening.replace('/lab/a ', "/lab/a;p='1'/%E2%82%AC~?q='%2F..%2F&r=a+b|c "));
    await until(() => got.text().includes('101 Switching'));
    expect(upstream.opened[0]?.url).toBe("/base/a;p='1'/%E2%82%AC~?q='%2F..%2F&r=a+b|c");
    socket.destroy();
  });

  it('writes only one head, whatever the upstream puts into its own', async () => {
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(
      opening.replace(version, `${version}Sec-WebSocket-Extensions: permessage-deflate, x-webkit\r\n`),
    );
    await until(() => got.text().includes('\r\n\r\n'));
    const head = got.text().split('\r\n\r\n')[0] ?? '';
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(head.toLowerCase()).not.toContain('extensions');
    expect(head).toMatch(/x-request-id: req_/);
    socket.destroy();
  });
});

describe('frames that break RFC 6455', () => {
  it.each<[string, number[], number]>([
    ['without a mask', [0x81, 0x02, 0x68, 0x69], 1002],
    ['with a reserved bit', [0xc1, 0x80, 0, 0, 0, 0], 1002],
    ['with an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['of control, fragmented', [0x09, 0x80, 0, 0, 0, 0], 1002],
    ['of control, too long', [0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0], 1002],
    ['that continue nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
    ['of text that is not UTF-8', [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007],
    ['of a close with a code that may not be sent', [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xee], 1002],
    ['of a close with half a code', [0x88, 0x81, 0, 0, 0, 0, 0x03], 1002],
    ['longer than the limit, announced only', [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], 1009],
  ])('%s close both ends', async (_what, bytes, code) => {
    const socket = await gateway.connect();
    const got = collect(socket);
    socket.write(opening);
    await until(() => got.text().includes('\r\n\r\n'));
    const head = got.bytes().length;
    socket.write(Buffer.from(bytes));
    await got.closed;
    const frame = got.bytes().subarray(head);
    expect([frame[0], frame.readUInt16BE(2)]).toEqual([0x88, code]);
    await until(() => upstream.opened[0]?.closed !== null);
    expect(upstream.opened[0]?.closed?.code).toBe(code === 1009 ? 1009 : 1001);
    expect(upstream.opened[0]?.messages).toEqual([]);
    await until(() => gateway.sessions.size === 0);
  });
});

function collect(socket: TLSSocket) {
  const chunks: Buffer[] = [];
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    bytes: () => Buffer.concat(chunks),
    text: () => Buffer.concat(chunks).toString('latin1'),
    closed: new Promise((resolve) => socket.once('close', () => resolve(undefined))),
  };
}
