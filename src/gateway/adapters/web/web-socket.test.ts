import { signedWith } from '../../testing/proxy-options.ts';
import { createHash } from 'node:crypto';
import { request as requestHttps } from 'node:https';
import { decodeJwt, generateKeyPair } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { systemClock } from '../../../lib/clock.ts';
import { newEventId } from '../../../lib/ids.ts';
import { startWatch } from '../../../lib/testing/processor-time.ts';
import { alice, allow, callerOf, TestGateway, until, type GatewayParts } from '../../testing/gateway.ts';
import { WebSocketUpstream, type Opened } from '../../testing/web-socket-upstream.ts';
import { webSocketBounds } from '../../web-socket/bounds.ts';
import { webSurface, type WebConnection } from './surface.ts';

const hosts = { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' };
const rules: WebConnection['rules'] = [
  { methods: ['GET'], path: '/socket/*', action: 'Contoso.Lab/kernels/execute/action', upgrade: 'websocket' },
  { methods: ['GET'], path: '/plain/*', action: 'Contoso.Lab/kernels/read' },
];
const bearer = { authorization: 'Bearer good' };

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let upstream: WebSocketUpstream;
let gateway: TestGateway;
const cleanUp: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
});
beforeEach(async () => {
  upstream = await WebSocketUpstream.start();
  await begin();
});
afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()?.();
  await upstream.close();
});

async function begin(parts: Partial<GatewayParts> = {}, over: Partial<WebConnection> = {}): Promise<void> {
  const surface = webSurface(
    { name: 'lab', upstream: upstream.origin, scope: '/connections/lab', rules, ...over },
    {
      hosts,
      issuer: 'https://localhost/t/v2.0',
      clock: systemClock,
      sign: signedWith(keys.privateKey),
    },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    cookies: new Map([['mine', callerOf(alice, { kind: 'session-cookie' })]]),
    decide: allow,
    hostnames: ['lab.localhost'],
    ...parts,
  });
  const mine = [gateway, surface];
  cleanUp.push(async () => {
    for (const one of mine) await one.close();
  });
}

interface Client {
  readonly webSocket: WebSocket;
  readonly messages: string[];
  /** The close that the client saw. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

function dial(
  path: string,
  options: ClientOptions & { protocols?: string[] } = {},
  host = 'localhost',
): WebSocket {
  const { protocols = [], ...rest } = options;
  const webSocket = new WebSocket(`wss://${host}:${gateway.port}${path}`, protocols, {
    ca: gateway.ca,
    lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    headers: bearer,
    ...rest,
  });
  cleanUp.push(() => webSocket.terminate());
  return webSocket;
}

async function open(
  path = '/connections/lab/socket/1',
  options: ClientOptions & { protocols?: string[] } = {},
  host = 'localhost',
): Promise<Client> {
  const webSocket = dial(path, options, host);
  const messages: string[] = [];
  webSocket.on('message', (data: Buffer, binary) => {
    if (data.length < 1000) messages.push(`${binary ? 'binary' : 'text'}:${data.toString()}`);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    webSocket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise((resolve, reject) => {
    webSocket.once('open', () => resolve(undefined)).once('error', reject);
  });
  webSocket.on('error', () => undefined);
  return { webSocket, messages, closed };
}

/** Status and body of the ordinary answer that a handshake gets. */
async function refusal(
  path: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<{ status: number; text: string; type: string; connection: string }> {
  const webSocket = dial(path, options);
  return new Promise((resolve, reject) => {
    webSocket.on('error', reject).on('open', () => reject(new Error('it was opened')));
    webSocket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          type: response.headers['content-type'] ?? '',
          connection: response.headers.connection ?? '',
        }),
      );
    });
  });
}

function last(): Opened {
  const opened = upstream.opened.at(-1);
  if (opened === undefined) throw new Error('the upstream saw no WebSocket');
  return opened;
}

function received(name: string): string[] {
  const { rawHeaders } = last();
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

function ended() {
  return gateway.facts.filter((fact) => fact.kind === 'request.ended');
}

describe('a WebSocket through the gateway', () => {
  it('passes text, binary, empty and fragmented messages both ways, and is one event at its end', async () => {
    const client = await open();
    client.webSocket.send('hello');
    client.webSocket.send(Buffer.from([0, 255]), { binary: true });
    client.webSocket.send('');
    client.webSocket.send('fra', { fin: false });
    client.webSocket.send('gments', { fin: true });
    await until(() => client.messages.length === 4);
    expect(last().messages).toEqual([
      'text:hello',
      `binary:${Buffer.from([0, 255]).toString()}`,
      'text:',
      'text:fragments',
    ]);
    expect(client.messages).toEqual(last().messages);
    const [session] = gateway.sessions.list();
    expect(session).toMatchObject({
      principalId: alice,
      action: 'Contoso.Lab/kernels/execute/action',
      scope: '/connections/lab',
      messages: { received: 4, sent: 4 },
      requestBytes: 16,
      responseBytes: 16,
    });
    client.webSocket.close(4001, 'done here');
    expect(await client.closed).toEqual({ code: 4001, reason: 'done here' });
    await until(() => ended().length === 1 && last().closed !== null);
    expect(last().closed).toEqual({ code: 4001, reason: 'done here' });
    expect(gateway.sessions.size).toBe(0);
    expect(gateway.facts.map(({ kind }) => kind)).toEqual(['request.decided', 'request.ended']);
    expect(gateway.facts[0]).toMatchObject({ allowed: true, effect: 'change', surface: 'web:lab' });
    expect(ended()[0]).toMatchObject({
      ending: 'completed',
      status: 101,
      requestBytes: 16,
      responseBytes: 16,
      webSocket: { received: 4, sent: 4, closeCode: 4001 },
    });
  });

  it('is reached on the connection’s own host as well', async () => {
    const client = await open(
      "/socket/a;p=1/b%20c'?x=%2F..&y=a+b",
      { origin: `https://lab.localhost:${gateway.port}` },
      'lab.localhost',
    );
    expect(last().url).toBe("/socket/a;p=1/b%20c'?x=%2F..&y=a+b");
    expect(received('origin')).toEqual([upstream.origin]);
    expect(received('host')).toEqual([new URL(upstream.origin).host]);
    client.webSocket.close();
    expect((await client.closed).code).toBe(1005);
    await until(() => last().closed !== null);
    expect(last().closed).toEqual({ code: 1005, reason: '' });
  });

  it('keeps what the upstream says with its handshake', async () => {
    upstream.server.prependListener('upgrade', () => undefined);
    const greeted = Promise.withResolvers<string>();
    upstream.echoes = false;
    const webSocket = dial('/connections/lab/socket/1');
    webSocket.on('message', (data: Buffer) => greeted.resolve(data.toString()));
    await until(() => upstream.opened.length === 1);
    last().webSocket.send('first word');
    expect(await greeted.promise).toBe('first word');
  });

  it('negotiates the subprotocol with the upstream, end to end', async () => {
    const some = await open('/connections/lab/socket/1', { protocols: ['v0.lab', 'v1.lab'] });
    expect(some.webSocket.protocol).toBe('v1.lab');
    expect(received('sec-websocket-protocol')).toEqual(['v0.lab, v1.lab']);
    const none = await open();
    expect([none.webSocket.protocol, received('sec-websocket-protocol')]).toEqual(['', []]);
  });

  it('is not compressed on either hop, whatever is offered', async () => {
    const client = await open('/connections/lab/socket/1', { perMessageDeflate: true });
    expect(client.webSocket.extensions).toBe('');
    expect(received('sec-websocket-extensions')).toEqual([]);
  });

  it('lets pings and pongs through to the other end', async () => {
    const client = await open();
    const ponged = Promise.withResolvers<string>();
    const pinged = Promise.withResolvers<string>();
    client.webSocket.on('pong', (data) => ponged.resolve(data.toString()));
    last().webSocket.on('ping', (data) => pinged.resolve(data.toString()));
    client.webSocket.ping('are you there');
    expect(await pinged.promise).toBe('are you there');
    expect(await ponged.promise).toBe('are you there');
    const back = Promise.withResolvers<string>();
    last().webSocket.on('pong', (data) => back.resolve(data.toString()));
    last().webSocket.ping('and you');
    expect(await back.promise).toBe('and you');
  });

  it('is durable in the record before the upstream is so much as asked', async () => {
    const durable = Promise.withResolvers<void>();
    let asked = false;
    await begin({
      record: async (fact) => {
        if (fact.kind === 'request.decided') await durable.promise;
        return newEventId(0);
      },
    });
    upstream.server.prependListener('upgrade', () => {
      asked = true;
    });
    const webSocket = dial('/connections/lab/socket/1');
    await until(() => gateway.sessions.size === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([asked, webSocket.readyState]).toEqual([false, WebSocket.CONNECTING]);
    durable.resolve();
    await new Promise((resolve) => webSocket.once('open', () => resolve(undefined)));
    expect(asked).toBe(true);
  });

  it('is not opened while the ledger cannot write', async () => {
    await begin({ record: () => Promise.reject(new Error('the disk is full')) });
    expect(await refusal('/connections/lab/socket/1')).toMatchObject({ status: 503 });
    expect(upstream.opened).toEqual([]);
  });
});

describe('an upgrade is refused', () => {
  it('where no rule says that the route may be upgraded', async () => {
    for (const path of ['/connections/lab/plain/1', '/connections/lab/nothing', '/healthz']) {
      const { status, text, type, connection } = await refusal(path);
      expect([path, status, type, connection]).toEqual([
        path,
        403,
        'application/json; charset=utf-8',
        'close',
      ]);
      expect(text).toContain('RouteNotDescribed');
    }
    expect(upstream.opened).toEqual([]);
    expect(gateway.facts).toHaveLength(3);
    expect(gateway.facts[0]).toMatchObject({ allowed: false, reason: 'unknown-route' });
  });

  it('to a spelling that a looser upstream would take for a route that may not be', async () => {
    await begin(
      {},
      {
        rules: [
          { methods: ['GET'], path: '/s/*', action: 'Contoso.Lab/x/read', upgrade: 'websocket' },
          { methods: ['GET'], path: '/s/closed', action: 'Contoso.Lab/x/read' },
        ],
      },
    );
    for (const path of ['/s/closed', '/s/closed/', '/s/CLOSED', '/s/closed;v=1']) {
      expect(await refusal(`/connections/lab${path}`)).toMatchObject({ status: 403 });
    }
  });

  it('to whoever brings no credential, a wrong one, or one that policy does not allow', async () => {
    expect(await refusal('/connections/lab/socket/1', { headers: {} })).toMatchObject({ status: 401 });
    expect(
      await refusal('/connections/lab/socket/1', { headers: { authorization: 'Bearer bad' } }),
    ).toMatchObject({ status: 401 });
    expect(
      await refusal('/connections/lab/socket/1?access_token=good&token=good', { headers: {} }),
    ).toMatchObject({ status: 401 });
    await begin({ decide: () => ({ allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice }) });
    const { status, text } = await refusal('/connections/lab/socket/1');
    expect(status).toBe(403);
    expect(text).toContain('Contoso.Lab/kernels/execute/action');
    expect(upstream.opened).toEqual([]);
  });

  const cookie = '__Host-lockstep-session=mine';
  it.each([
    ['another site', { origin: 'https://evil.example', headers: bearer }],
    ['a sandboxed page', { origin: 'null', headers: bearer }],
    ['the same host without TLS', { origin: 'http://localhost', headers: bearer }],
    ['a host that begins alike', { origin: 'https://localhost.evil.example', headers: bearer }],
    ['a sibling', { origin: 'https://other.localhost', headers: bearer }],
    ['nowhere, with cookies', { headers: { ...bearer, cookie: 'sid=1' } }],
    ['a same-site page by the browser’s word', { headers: { ...bearer, 'sec-fetch-site': 'same-site' } }],
    ['a cross-site page by the browser’s word', { headers: { ...bearer, 'sec-fetch-site': 'cross-site' } }],
    ['a form', { headers: { ...bearer, 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin' } }],
  ])('to %s, though the token is good', async (_who, options) => {
    const { status, text } = await refusal('/connections/lab/socket/1', options);
    expect(status).toBe(403);
    expect(text).toContain('CrossSiteRequestRefused');
    expect(upstream.opened).toEqual([]);
  });

  it('to a session cookie, which is no credential at an upstream', async () => {
    const own = `https://localhost:${gateway.port}`;
    expect(await refusal('/connections/lab/socket/1', { origin: own, headers: { cookie } })).toMatchObject({
      status: 401,
    });
  });

  it('with the upstream’s own answer, where that is what it gives', async () => {
    upstream.answer = (_, socket) => {
      socket.end(
        'HTTP/1.1 403 No\r\ncontent-type: text/plain\r\nset-cookie: sid=7; Path=/\r\nx-lockstep-x: 1\r\ncontent-length: 4\r\n\r\nnope' +
          'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad',
      );
    };
    const answer = await refusal('/connections/lab/socket/1');
    expect(answer).toEqual({ status: 403, text: 'nope', type: 'text/plain', connection: 'close' });
    await until(() => ended().length === 1);
    expect(ended()[0]).toMatchObject({ status: 403, ending: 'completed' });
    expect(ended()[0]).not.toHaveProperty('webSocket');
  });

  it.each([
    [
      'another accept value',
      'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n',
    ],
    ['another protocol', 'Upgrade: h2c\r\nConnection: Upgrade\r\n'],
    ['an extension that nobody asked for', null],
  ])('when the upstream switches with %s', async (_what, headers) => {
    upstream.answer = (request, socket) => {
      const accept = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      const lines =
        headers ??
        `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`);
    };
    expect(await refusal('/connections/lab/socket/1')).toMatchObject({ status: 502 });
  });

  it('when the upstream chooses a subprotocol that was not offered', async () => {
    upstream.answer = (request, socket) => {
      const accept = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: other\r\n\r\n`,
      );
    };
    expect(await refusal('/connections/lab/socket/1', { protocols: ['v1.lab'] })).toMatchObject({
      status: 502,
    });
  });

  it('when the upstream is away', async () => {
    await begin({}, { upstream: 'http://127.0.0.1:1' });
    const { status, text } = await refusal('/connections/lab/socket/1');
    expect(status).toBe(502);
    expect(text).not.toMatch(/127\.0\.0\.1|ECONN/);
  });
});

describe('credentials', () => {
  it('of the caller are stripped in every spelling, and the connection’s put in their place', async () => {
    await begin({}, { credential: { header: 'authorization', value: 'token upstream-secret' } });
    const own = `https://localhost:${gateway.port}`;
    await open(
      '/connections/lab/socket/1?token=good&session_id=7&%74oken=good&access_token=x&a;token=good&q=good',
      {
        origin: own,
        protocols: [
          'v0.lab',
          'bearer',
          'good',
          'base64url.bearer.authorization.k8s.io.Z29vZA',
          'eyJh.eyJi.c2ln',
          'v1.lab',
        ],
        headers: {
          ...bearer,
          cookie: '__Host-lockstep-session=mine; up-lab.sid=7; other=1',
          'x-lockstep-assertion': 'forged',
          x_forwarded_user: 'root',
          sec_websocket_protocol: 'good',
          'proxy-authorization': 'Basic eA==',
        },
      },
    );
    const text = JSON.stringify(last().rawHeaders);
    expect(text).not.toMatch(/good|mine|forged|root|Z29vZA|eyJh\.eyJi|eA==|other=1/);
    expect(last().url).toBe('/socket/1?session_id=7');
    expect(received('authorization')).toEqual(['token upstream-secret']);
    expect(received('cookie')).toEqual(['sid=7']);
    expect(received('sec-websocket-protocol')).toEqual(['v0.lab, v1.lab']);
    expect(JSON.stringify(gateway.facts)).not.toMatch(/upstream-secret|Bearer good|token=/);
  });

  it('come with a signed statement of who opens it', async () => {
    await open('/connections/lab/socket/1?a=1');
    const [assertion = ''] = received('x-lockstep-assertion');
    expect(decodeJwt(assertion)).toMatchObject({
      sub: alice,
      aud: 'lab',
      method: 'GET',
      host: new URL(upstream.origin).host,
      path_sha256: createHash('sha256').update('/socket/1?a=1').digest('base64url'),
    });
  });
});

describe('cutting', () => {
  it('closes both ends within a second with a frame that says why', async () => {
    const client = await open();
    const elapsed = startWatch();
    gateway.sessions.review(() => ({
      reason: 'policy-changed',
      detail: 'deny assignment no-notebooks-at-night',
    }));
    const said = { code: 1008, reason: 'policy-changed: deny assignment no-notebooks-at-night' };
    expect(await client.closed).toEqual(said);
    expect(elapsed()).toBeLessThan(1000);
    await until(() => last().closed !== null && ended().length === 1);
    expect(last().closed).toEqual(said);
    expect(ended()[0]).toMatchObject({ ending: 'policy-changed', webSocket: { closeCode: 1008 } });
  });

  it('cuts a reason to what a close frame holds, in whole characters', async () => {
    const client = await open();
    gateway.sessions.review(() => ({ reason: 'policy-changed', detail: 'é'.repeat(300) }));
    const { code, reason } = await client.closed;
    expect(code).toBe(1008);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    expect(reason).toMatch(/^policy-changed: é+$/);
  });

  it('ends a peer that neither reads nor answers, within a second', async () => {
    upstream.echoes = false;
    const client = await open();
    client.webSocket.pause();
    const { webSocket } = last();
    webSocket.pause();
    const piece = Buffer.alloc(1 << 20);
    for (let i = 0; i < 8; i++) {
      webSocket.send(piece);
      client.webSocket.send(piece);
    }
    await until(() => (gateway.sessions.list()[0]?.messages?.sent ?? 0) > 0);
    const elapsed = startWatch();
    gateway.sessions.cutAll('cut-by-operator');
    await until(() => ended().length === 1);
    expect(elapsed()).toBeLessThan(1000);
    expect(ended()[0]).toMatchObject({ ending: 'cut-by-operator' });
  });

  it('passes on nothing that is said after it', async () => {
    const client = await open();
    client.webSocket.send('before');
    await until(() => client.messages.length === 1);
    gateway.sessions.cutAll('identity-ended');
    client.webSocket.send('after');
    last().webSocket.send('after');
    await client.closed;
    await until(() => last().closed !== null);
    expect([client.messages, last().messages]).toEqual([['text:before'], ['text:before']]);
  });

  it('reaches an upgrade that the upstream has not answered yet', async () => {
    const hanging = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    upstream.answer = (_, socket) => {
      hanging.resolve();
      socket.on('end', () => gone.resolve());
      socket.resume();
    };
    const answer = refusal('/connections/lab/socket/1');
    await hanging.promise;
    gateway.sessions.cutAll('policy-changed');
    expect(await answer).toMatchObject({ status: 403 });
    await gone.promise;
    await until(() => ended().length === 1);
    expect(ended()[0]).toMatchObject({ ending: 'policy-changed', status: 403 });
  });

  it('reaches a WebSocket whose credential lapses', async () => {
    await begin({
      tokens: new Map([['good', callerOf(alice, { expiresAt: Math.floor(Date.now() / 1000) + 1 })]]),
    });
    const client = await open();
    expect(await client.closed).toEqual({ code: 1008, reason: 'credential-expired' });
  });

  it('tells the client of a restart, and the upstream that it goes away, at the beginning of a drain', async () => {
    const client = await open();
    const elapsed = startWatch();
    const drained = gateway.listener.drain(30_000);
    expect(await client.closed).toEqual({ code: 1012, reason: 'draining' });
    await drained;
    expect(elapsed()).toBeLessThan(2000);
    expect(last().closed).toEqual({ code: 1001, reason: 'draining' });
    await until(() => ended().length === 1);
    expect(ended()[0]).toMatchObject({ ending: 'draining' });
  });
});

describe('an end that breaks off', () => {
  it('takes the upstream with it when it is the client', async () => {
    const client = await open();
    client.webSocket.terminate();
    await until(() => last().closed !== null && ended().length === 1);
    expect(last().closed).toEqual({ code: 1001, reason: 'the client is gone' });
    expect(ended()[0]).toMatchObject({ ending: 'client-gone', webSocket: { closeCode: 1006 } });
  });

  it('takes the client with it when it is the upstream', async () => {
    const client = await open();
    last().webSocket.terminate();
    expect(await client.closed).toEqual({ code: 1014, reason: 'the upstream is gone' });
    await until(() => ended().length === 1);
    expect(ended()[0]).toMatchObject({ ending: 'failed' });
  });

  it('gives up the upstream’s handshake when the client goes', async () => {
    const hanging = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    upstream.answer = (_, socket) => {
      hanging.resolve();
      socket.on('end', () => gone.resolve());
      socket.resume();
    };
    const webSocket = dial('/connections/lab/socket/1');
    webSocket.on('error', () => undefined);
    await hanging.promise;
    webSocket.terminate();
    await gone.promise;
    await until(() => gateway.sessions.size === 0 && ended().length === 1);
    expect(ended()[0]).toMatchObject({ ending: 'client-gone', status: 0 });
  });
});

describe('bounds', () => {
  it('closes with 1009 for a message larger than the limit, whoever sends it', async () => {
    const large = Buffer.alloc(webSocketBounds.messageBytes + 1);
    const client = await open();
    client.webSocket.send(large);
    expect((await client.closed).code).toBe(1009);
    await until(() => last().closed !== null);
    expect(last().closed?.code).toBe(1009);
    expect(last().messages).toEqual([]);
    const other = await open();
    last().webSocket.send(large);
    expect(await other.closed).toEqual({ code: 1009, reason: 'a message is larger than 16777216 bytes' });
    await until(() => ended().length === 2);
    expect(ended().map((fact) => [fact.ending, fact.webSocket?.closeCode])).toEqual([
      ['client-gone', 1009],
      ['failed', 1009],
    ]);
  });

  it('closes with 1009 for one that grows beyond it by fragments', async () => {
    const client = await open();
    const piece = Buffer.alloc(4 << 20);
    for (let i = 0; i < 5; i++) client.webSocket.send(piece, { fin: false });
    expect((await client.closed).code).toBe(1009);
  });

  it('does not read a sender whose receiver is slow, and holds little meanwhile', async () => {
    upstream.echoes = false;
    const client = await open();
    client.webSocket.pause();
    const { webSocket } = last();
    const piece = Buffer.alloc(1 << 18, 7);
    const total = 256 << 20;
    let sent = 0;
    const more = (): void => {
      if (sent >= total || webSocket.readyState !== WebSocket.OPEN) return;
      sent += piece.length;
      webSocket.send(piece, { binary: true }, (fault) => {
        if (fault === undefined || fault === null) more();
      });
    };
    more();
    let before = -1;
    await until(() => {
      const settled = sent > 0 && sent === before;
      before = sent;
      return settled && gateway.sessions.list()[0]?.messages?.sent !== 0;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const passed = gateway.sessions.list()[0]?.responseBytes ?? 0;
    expect(passed).toBeLessThan(24 << 20);
    let got = 0;
    const all = new Promise((resolve) => {
      client.webSocket.on('message', (data: Buffer) => {
        got += data.length;
        if (got >= total) resolve(undefined);
      });
    });
    const rss = process.memoryUsage().rss;
    client.webSocket.resume();
    await all;
    expect([got, sent]).toEqual([total, total]);
    expect(process.memoryUsage().rss - rss).toBeLessThan(160 << 20);
  });
});

it('answers an ordinary request on a route that may be upgraded as ever', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  requestHttps(
    `${gateway.origin}/connections/lab/socket/1`,
    { ca: gateway.ca, headers: bearer, servername: 'localhost' },
    (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    },
  ).end();
  expect(await promise).toBe(200);
  expect(gateway.facts[0]).toMatchObject({ effect: 'read' });
});
