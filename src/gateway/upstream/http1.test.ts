import { once } from 'node:events';
import { createServer, request as requestNode, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTcp, Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '../testing/gateway.ts';
import { answering, RawUpstream } from '../testing/raw-upstream.ts';
import { Http1Transport } from './http1.ts';
import { TransportFault, type TransportRequest, type TransportTimeouts } from './transport.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

async function raw(...arguments_: Parameters<typeof RawUpstream.start>): Promise<RawUpstream> {
  const server = await RawUpstream.start(...arguments_);
  cleanUp.push(() => server.close());
  return server;
}

/** A server that gives every connection away as it is, and all that came by it. */
async function listening(connected: (socket: Socket, got: () => string) => void) {
  const sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    let all = '';
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => (all += chunk.toString('latin1')));
    connected(socket, () => all);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { origin: `http://127.0.0.1:${address.port}`, port: address.port, sockets };
}

const patient: TransportTimeouts = {
  connectMilliseconds: 5000,
  headMilliseconds: 5000,
  idleMilliseconds: 5000,
};

function transportTo(origin: string, timeouts: Partial<TransportTimeouts> = {}) {
  const transport = new Http1Transport({
    origin,
    protocol: 'http1',
    tls: undefined,
    timeouts: { ...patient, ...timeouts },
  });
  cleanUp.push(() => transport.close());
  const ask = (request: Partial<TransportRequest> = {}) =>
    transport.request({
      method: 'GET',
      path: '/x',
      headers: ['host', 'upstream'],
      body: null,
      signal: new AbortController().signal,
      ...request,
    });
  return { transport, ask };
}

/** What a request is refused with. */
async function faultOf(asked: Promise<unknown>): Promise<TransportFault> {
  const thrown = await asked.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(thrown instanceof TransportFault)) throw new Error(`no fault: ${String(thrown)}`, { cause: thrown });
  return thrown;
}

const hello = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';

describe('an answer', () => {
  it('is whole at once where it came so, and is a stream for whoever wants one', async () => {
    const server = await raw(answering('hello'));
    const { ask } = transportTo(server.origin);
    const one = await ask();
    expect([one.statusCode, one.whole?.toString(), one.endsWithHead]).toEqual([200, 'hello', false]);
    expect(await text((await ask()).body)).toBe('hello');
    const empty = await raw(answering('', 204));
    const none = await transportTo(empty.origin).ask();
    expect([none.statusCode, none.whole?.length, none.endsWithHead]).toEqual([204, 0, true]);
  });

  it('is the same however it is cut into packets', async () => {
    const bytes = Buffer.from(
      'HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n' +
        '3\r\nhel\r\n2;ext\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n',
    );
    let at = 0;
    const server = await raw((socket) => {
      socket.setNoDelay(true).write(bytes.subarray(0, at));
      setTimeout(() => socket.write(bytes.subarray(at)), 2);
    });
    const { ask } = transportTo(server.origin);
    for (at = 0; at < bytes.length; at += 1) {
      const hints: IncomingHttpHeaders[] = [];
      const answer = await ask({ hinted: (headers) => hints.push(headers) });
      expect([answer.statusCode, answer.headers['x-a'], await text(answer.body)]).toEqual([
        200,
        'b',
        'hello',
      ]);
      expect(answer.trailers()).toMatchObject({ 'x-sum': '1' });
      expect(hints).toMatchObject([{ link: '</a>' }]);
    }
    expect(server.connections).toBe(1);
  });

  it('is never whole when it was cut off, wherever that is', async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx: y\r\n\r\n',
    ];
    let said = '';
    const server = await raw((socket) => socket.end(said));
    const { ask } = transportTo(server.origin);
    for (const answer of answers) {
      for (let length = 0; length < answer.length; length++) {
        said = answer.slice(0, length);
        await expect(
          ask().then(({ body }) => text(body)),
          said,
        ).rejects.toThrow();
      }
      said = answer;
      expect(await text((await ask()).body)).toBe('hello');
    }
  });

  it('without a length ends with its connection, and not when that is reset', async () => {
    let politely = true;
    const server = await raw((socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\nhel', () =>
        setTimeout(() => (politely ? socket.end('lo') : socket.resetAndDestroy()), 10),
      );
    });
    const { ask } = transportTo(server.origin);
    expect(await text((await ask()).body)).toBe('hello');
    politely = false;
    await expect(ask().then(({ body }) => text(body))).rejects.toThrow();
    expect(server.connections).toBe(2);
  });

  it('to a HEAD has no body, whatever its head says', async () => {
    const server = await raw((socket, head) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n');
      if (head.startsWith('GET')) socket.write('hello');
    });
    const { ask } = transportTo(server.origin);
    const head = await ask({ method: 'HEAD' });
    expect([head.headers['content-length'], head.whole?.length]).toEqual(['5', 0]);
    expect(await text((await ask()).body)).toBe('hello');
    expect(server.connections).toBe(1);
  });

  it.each([
    ['010', 'ten bytes!', '10'],
    ['00', '', '0'],
  ])('with zeros before its length (%s) is told with the number alone', async (said, body, length) => {
    const server = await raw((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${said}\r\n\r\n${body}`),
    );
    const { ask } = transportTo(server.origin);
    for (let i = 0; i < 2; i++) {
      const { headers, whole } = await ask();
      expect([headers['content-length'], whole?.toString()]).toEqual([length, body]);
    }
    expect(server.connections).toBe(1);
  });

  it('of many small chunks is passed on joined', async () => {
    const server = await raw((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(5000)}`, () =>
        setTimeout(() => socket.write('0\r\n\r\n'), 20),
      );
    });
    const { body } = await transportTo(server.origin).ask();
    let reads = 0;
    let bytes = 0;
    for await (const piece of body) {
      reads++;
      bytes += (piece as Buffer).length;
    }
    expect(bytes).toBe(5000);
    expect(reads).toBeLessThan(100);
  });

  it('is held back at the upstream while nobody reads it', async () => {
    let written = 0;
    const piece = Buffer.alloc(65_536);
    const { origin } = await listening((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = (): void => {
          while (written < 1_000_000_000 && socket.write(piece)) written += piece.length;
        };
        socket.on('drain', more);
        more();
      });
    });
    const { body } = await transportTo(origin).ask();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(written).toBeLessThan(50_000_000);
    let read = 0;
    for await (const chunk of body) {
      read += (chunk as Buffer).length;
      if (read > 100_000_000) break;
    }
    expect(read).toBeGreaterThan(100_000_000);
  });
});

describe('a reader who holds back', () => {
  it('is not taken for an upstream that stands still', async () => {
    const size = 20_000_000;
    const { origin } = await listening((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
        socket.write(Buffer.alloc(size));
      });
    });
    const { body } = await transportTo(origin, { idleMilliseconds: 100 }).ask();
    await new Promise((resolve) => setTimeout(resolve, 350));
    let read = 0;
    for await (const chunk of body) read += (chunk as Buffer).length;
    expect(read).toBe(size);
  });
});

describe('what Node makes of an answer', () => {
  it('is what we make of it, if it is well formed', async () => {
    const name = fc.stringMatching(/^x-[a-z0-9_]{1,8}$/);
    const value = fc.stringMatching(/^[!-~]([ -~\t]{0,20}[!-~])?$/);
    const fields = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 6 });
    const answer = fc.record({
      status: fc.integer({ min: 200, max: 599 }),
      fields,
      parts: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 4 }),
      framing: fc.constantFrom('length', 'chunked', 'close'),
      trailers: fields,
      cuts: fc.array(fc.nat(400), { maxLength: 4 }),
    });
    let pieces: Buffer[] = [];
    const server = await raw((socket) => {
      const mine = pieces;
      const next = (): void => {
        const piece = mine.shift();
        if (piece === undefined) socket.end();
        else socket.write(piece, () => setImmediate(next));
      };
      next();
    });
    const { ask } = transportTo(server.origin);
    await fc.assert(
      fc.asyncProperty(answer, async ({ status, fields: head, parts, framing, trailers, cuts }) => {
        const lines = (list: readonly (readonly string[])[]): string =>
          list.map(([key, said]) => `${key}: ${said}\r\n`).join('');
        const body = Buffer.concat(parts);
        const isNone = status === 204 || status === 304;
        const said = {
          length: `content-length: ${body.length}\r\n`,
          chunked: 'transfer-encoding: chunked\r\n',
          close: '',
        };
        const sent = {
          length: body,
          close: body,
          chunked: Buffer.concat([
            ...parts.flatMap((part) => [
              Buffer.from(`${part.length.toString(16)}\r\n`),
              part,
              Buffer.from('\r\n'),
            ]),
            Buffer.from(`0\r\n${lines(trailers)}\r\n`),
          ]),
        };
        const bytes = Buffer.concat([
          Buffer.from(`HTTP/1.1 ${status} Some Reason\r\n${lines(head)}${said[framing]}\r\n`),
          isNone ? Buffer.alloc(0) : sent[framing],
        ]);
        const places = [0, ...cuts.map((at) => at % bytes.length).toSorted((a, b) => a - b), bytes.length];
        const cut = (): Buffer[] => places.slice(1).map((to, i) => bytes.subarray(places[i], to));
        pieces = cut();
        const theirs = await askNode(server.port);
        pieces = cut();
        const response = await ask();
        const ours = await text(response.body);
        expect({
          status: response.statusCode,
          headers: { ...response.headers },
          text: ours,
          trailers: { ...response.trailers() },
        }).toEqual(theirs);
      }),
      { numRuns: 150 },
    );
  });
});

async function askNode(port: number): Promise<object> {
  return new Promise((resolve, reject) => {
    requestNode({ port, host: '127.0.0.1', agent: false, path: '/x' }, (response) => {
      text(response).then((said) => {
        const { statusCode: status, headers, trailers } = response;
        resolve({ status, headers: { ...headers }, text: said, trailers: { ...trailers } });
      }, reject);
    })
      .on('error', reject)
      .end();
  });
}

describe('a connection', () => {
  it('serves one request after another, the last one that was free first', async () => {
    const held: (() => void)[] = [];
    const server = await raw((socket, head) => {
      if (head.includes('/hold')) held.push(() => answering('held')(socket));
      else answering(String(socket.remotePort))(socket);
    });
    const { ask } = transportTo(server.origin);
    const both = [ask({ path: '/hold' }), ask({ path: '/hold' })];
    await until(() => held.length === 2);
    for (const release of held) {
      release();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Promise.all(both);
    const ports = new Set<string>();
    for (let i = 0; i < 10; i++) {
      ports.add(await text((await ask()).body));
      // The last one is free again when nothing was found behind its answer.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect([server.connections, ports.size]).toEqual([2, 1]);
  });

  it('that was just answered is waited for, and no other opened', async () => {
    const server = await raw(answering('ok'));
    const { ask } = transportTo(server.origin);
    for (let i = 0; i < 10; i++) expect((await ask()).whole?.toString()).toBe('ok');
    const controller = new AbortController();
    await ask();
    const asked = ask({ signal: controller.signal });
    controller.abort(new Error('cut'));
    await expect(asked).rejects.toThrow('cut');
    await ask();
    expect([server.connections, server.requests]).toEqual([1, 12]);
  });

  it.each([
    ['says so', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['is about to close it', 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok'],
  ])('serves no second request where the upstream %s', async (_what, said) => {
    const server = await raw((socket) => socket.write(said));
    const { ask } = transportTo(server.origin);
    for (let i = 0; i < 3; i++) expect(await text((await ask()).body)).toBe('ok');
    expect(server.connections).toBe(3);
    await until(() => server.sockets.size === 0);
  });

  it('that nobody needs is closed before the upstream does it', async () => {
    const server = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\nok');
    });
    const { ask } = transportTo(server.origin);
    await ask();
    await ask();
    expect([server.connections, server.sockets.size]).toEqual([1, 1]);
    await until(() => server.sockets.size === 0);
  });

  it('is kept while nobody needs it, up to a number', async () => {
    const held: (() => void)[] = [];
    const server = await raw((socket) => held.push(() => answering('ok')(socket)));
    const { ask } = transportTo(server.origin);
    const asked = Array.from({ length: 270 }, () => ask());
    await until(() => held.length === 270);
    for (const release of held) release();
    await Promise.all(asked);
    await until(() => server.sockets.size <= 256);
    expect([server.connections, server.sockets.size]).toEqual([270, 256]);
  });

  it('that was used before and closes unanswered is told as such, and the request never made twice', async () => {
    let closes = false;
    const server = await raw((socket) => (closes ? socket.destroy() : answering('ok')(socket)));
    const { ask } = transportTo(server.origin);
    await ask();
    closes = true;
    const fault = await faultOf(ask({ method: 'POST', body: Buffer.from('once') }));
    expect([fault.kind, fault.sent, server.requests]).toEqual(['closed', true, 2]);
  });

  it('is not used any more once the upstream has closed it', async () => {
    const server = await raw(answering('ok'));
    const { ask } = transportTo(server.origin);
    for (let i = 0; i < 5; i++) {
      await ask();
      for (const socket of server.sockets) socket.end();
      await until(() => server.sockets.size === 0);
    }
    expect(server.connections).toBe(5);
  });

  it('that does not come about is told as such, with the request untouched', async () => {
    const { origin, sockets } = await listening(() => undefined);
    for (const socket of sockets) socket.destroy();
    await cleanUp.pop()?.();
    const body = new PassThrough();
    const fault = await faultOf(transportTo(origin).ask({ method: 'POST', body }));
    expect([fault.kind, fault.sent, body.destroyed, body.readableDidRead]).toEqual([
      'connect',
      false,
      false,
      false,
    ]);
  });

  it('is given up with the transport, and no other is opened', async () => {
    const server = await raw(() => undefined);
    const { ask, transport } = transportTo(server.origin);
    const asked = faultOf(ask());
    await until(() => server.requests === 1);
    await transport.close();
    expect(await asked).toMatchObject({ kind: 'closed', sent: true });
    expect(await faultOf(ask())).toMatchObject({ kind: 'connect', sent: false });
    await until(() => server.sockets.size === 0);
  });
});

describe('what nobody asked for', () => {
  it('is never taken for the answer to the next request: a second answer behind the first', async () => {
    const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    let behind = evil;
    const server = await raw((socket) => socket.write(hello + behind));
    const { ask } = transportTo(server.origin);
    for (behind of [evil, 'H', '\r\n', '\0', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
      const before = server.connections;
      for (let i = 0; i < 3; i++) expect(await text((await ask()).body)).toBe('hello');
      expect(server.connections).toBe(before + 3);
    }
  });

  it.each([
    ['behind chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['behind a HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'],
    ['behind a 204', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n'],
    ['behind a 304', 'HTTP/1.1 304 Not Modified\r\n\r\n'],
  ])('is never taken for it %s', async (what, said) => {
    const server = await raw((socket) => socket.write(`${said}hello${hello}`));
    const { ask } = transportTo(server.origin);
    const method = what.includes('HEAD') ? 'HEAD' : 'GET';
    for (let i = 0; i < 3; i++) await ask({ method }).then(({ body }) => text(body));
    expect(server.connections).toBe(3);
  });

  it('is never taken for it when it comes while nothing is asked', async () => {
    const server = await raw(answering('good'));
    const { ask } = transportTo(server.origin);
    for (let i = 0; i < 5; i++) {
      expect(await text((await ask()).body)).toBe('good');
      for (const socket of server.sockets) socket.write(hello);
      await until(() => server.sockets.size === 0);
    }
    expect(server.connections).toBe(5);
  });

  it('is never taken for it when the answer before it was held back by its reader', async () => {
    const server = await raw((socket, head) => {
      if (!head.includes('/large')) return answering('good')(socket);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n${'a'.repeat(300_000)}`);
      setTimeout(() => socket.write(hello), 50);
    });
    const { ask } = transportTo(server.origin);
    const large = await ask({ path: '/large' });
    expect((await text(large.body)).length).toBe(300_000);
    await until(() => server.sockets.size === 0);
    expect(await text((await ask()).body)).toBe('good');
    expect(server.connections).toBe(2);
  });

  it.each([
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'],
    ['a 100', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['an interim answer with a length', 'HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n'],
    ['an interim answer in chunks', 'HTTP/1.1 103 Early Hints\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['an interim answer of HTTP/1.0', 'HTTP/1.0 103 Early Hints\r\n\r\n'],
    ['more interim answers than there are', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(17)],
  ])('breaks the exchange off: %s', async (_what, said) => {
    const server = await raw((socket) => socket.write(said + hello));
    expect(await faultOf(transportTo(server.origin).ask({ method: 'POST' }))).toMatchObject({
      kind: 'protocol',
      sent: true,
    });
    await until(() => server.sockets.size === 0);
  });

  it('is up to sixteen interim answers', async () => {
    const server = await raw((socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(16) + hello));
    expect(await text((await transportTo(server.origin).ask()).body)).toBe('hello');
  });

  it('does not reach whoever reads the body: chunks that are malformed behind a good beginning', async () => {
    const server = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n');
      setTimeout(() => socket.write(`zz\r\n${hello}`), 20);
    });
    const { body } = await transportTo(server.origin).ask();
    await expect(text(body)).rejects.toThrow(/size of a chunk/);
    await until(() => server.sockets.size === 0);
  });
});

describe('a request', () => {
  it('goes onto the wire byte for byte', async () => {
    const gots: (() => string)[] = [];
    const { origin } = await listening((socket, got) => {
      gots.push(got);
      socket.once('data', () =>
        socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
      );
    });
    const { ask } = transportTo(origin);
    const authority = origin.slice('http://'.length);
    const headers = ['host', 'h', 'X-A', 'b\tc \xe9', 'cookie', 'a=b; c=d'];
    await ask({ path: '/a%2Fb?c=d;e&%00#', headers });
    await ask({ headers: [] });
    await ask({ method: 'POST', headers });
    await ask({ method: 'POST', headers, body: Buffer.from('whole') });
    await ask({ method: 'PUT', headers: ['content-length', '5'], body: Buffer.from('whole') });
    await ask({ method: 'DELETE', headers: ['host', 'h', 'content-length', '0'] });
    await ask({ method: 'PUT', headers: ['host', 'h', 'content-length', '005'], body: Buffer.from('octal') });
    const said = 'host: h\r\nX-A: b\tc \xe9\r\ncookie: a=b; c=d\r\n';
    expect(gots.map((got) => got())).toEqual([
      `GET /a%2Fb?c=d;e&%00# HTTP/1.1\r\n${said}\r\n`,
      `GET /x HTTP/1.1\r\nhost: ${authority}\r\n\r\n`,
      `POST /x HTTP/1.1\r\n${said}content-length: 0\r\n\r\n`,
      `POST /x HTTP/1.1\r\n${said}content-length: 5\r\n\r\nwhole`,
      `PUT /x HTTP/1.1\r\nhost: ${authority}\r\ncontent-length: 5\r\n\r\nwhole`,
      'DELETE /x HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n',
      'PUT /x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\noctal',
    ]);
  });

  it.each<[string, Partial<TransportRequest>]>([
    ['a method that is no token', { method: 'GET /evil HTTP/1.1\r\n' }],
    ['no method', { method: '' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['a blank in the target', { path: '/a b' }],
    ['a line in the target', { path: '/a HTTP/1.1\r\nx: y' }],
    ['a target beyond latin1', { path: '/\u010a' }],
    ['no target', { path: '' }],
    ['an absolute target', { path: 'http://evil/' }],
    ['a CR in a value', { headers: ['x', 'a\rb'] }],
    ['a LF in a value', { headers: ['x', 'a\nb'] }],
    ['a CRLF in a value', { headers: ['x', 'a\r\nevil: b'] }],
    ['a NUL in a value', { headers: ['x', 'a\0b'] }],
    ['what becomes a LF when it is cut to a byte', { headers: ['x', 'a\u010aevil: b'] }],
    ['what becomes a CR when it is cut to a byte', { headers: ['x', 'a\u560d'] }],
    ['a name that is no token', { headers: ['x y', 'z'] }],
    ['a name with a colon', { headers: ['x:', 'z'] }],
    ['a name with a line', { headers: ['x\r\nevil', 'z'] }],
    ['no name', { headers: ['', 'z'] }],
    ['a name without a value', { headers: ['x'] }],
    ['two hosts', { headers: ['host', 'a', 'Host', 'b'] }],
    ['two lengths', { headers: ['content-length', '0', 'Content-Length', '0'] }],
    ['a length that is no number', { headers: ['content-length', '+0'] }],
    ['a length without a body', { headers: ['content-length', '5'] }],
    ['another length than its body has', { headers: ['content-length', '5'], body: Buffer.from('a') }],
    ['a transfer coding', { headers: ['Transfer-Encoding', 'chunked'], body: Buffer.from('a') }],
    ['an upgrade', { headers: ['Upgrade', 'h2c'] }],
    ['what it says of the connection', { headers: ['Connection', 'close'] }],
    ['an expectation', { headers: ['Expect', '100-continue'] }],
  ])('is not sent with %s', async (_what, request) => {
    const server = await raw(answering('ok'));
    const { ask } = transportTo(server.origin);
    // A connection stands ready.
    await ask();
    expect(await faultOf(ask({ method: 'PUT', ...request }))).toMatchObject({
      kind: 'protocol',
      sent: false,
    });
    await ask();
    expect([server.requests, server.connections]).toEqual([2, 1]);
  });

  it('with a streamed body has the length that it says, or chunks', async () => {
    const gots: (() => string)[] = [];
    const { origin } = await listening((socket, got) => {
      gots.push(got);
      const timer = setInterval(() => {
        if (!/hello$|0\r\n\r\n$|x-sum: 1\r\n\r\n$/.test(got())) return;
        clearInterval(timer);
        socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      }, 5);
      socket.on('close', () => clearInterval(timer));
    });
    const { ask } = transportTo(origin);
    const put = { method: 'PUT', headers: ['host', 'h'] };
    const parts = (): Readable => Readable.from([Buffer.from('hel'), Buffer.alloc(0), Buffer.from('lo')]);
    await ask({ ...put, headers: ['host', 'h', 'content-length', '5'], body: parts() });
    await ask({ ...put, body: parts() });
    await ask({ ...put, body: parts(), trailers: () => ['x-sum', '1'] });
    await ask({ ...put, body: Readable.from([]) });
    expect(gots.map((got) => got())).toEqual([
      'PUT /x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello',
      'PUT /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
      'PUT /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n',
      'PUT /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ]);
  });

  it.each<[string, string[], () => Readable]>([
    [
      'that has more bytes than it said',
      ['content-length', '3'],
      () => Readable.from([Buffer.from('hello')]),
    ],
    [
      'that has fewer bytes than it said',
      ['content-length', '9'],
      () => Readable.from([Buffer.from('hello')]),
    ],
    ['that breaks off', ['content-length', '9'], () => brokenOff()],
    ['that breaks off in chunks', [], () => brokenOff()],
  ])('never looks whole to the upstream %s', async (_what, headers, body) => {
    let all = '';
    let ended = false;
    const { origin } = await listening((socket, got) => {
      socket.on('close', () => {
        all = got();
        ended = true;
      });
    });
    const fault = await faultOf(transportTo(origin).ask({ method: 'PUT', headers, body: body() }));
    expect([fault.kind, fault.sent]).toEqual(['closed', true]);
    await until(() => ended);
    expect(all).not.toContain('0\r\n\r\n');
    const sent = all.slice(all.indexOf('\r\n\r\n') + 4);
    const said = /content-length: (\d+)/.exec(all)?.[1];
    if (said !== undefined) expect(sent.length).toBeLessThan(Number(said));
  });

  it.each([
    ['a CRLF in a trailer', ['x', 'a\r\nevil: b']],
    ['a name of a trailer that is no token', ['x y', 'a']],
    ['a trailer that frames', ['Transfer-Encoding', 'chunked']],
    ['a trailer that is a length', ['content-length', '5']],
  ])('never looks whole with %s', async (_what, trailers) => {
    const ends: string[] = [];
    const { origin } = await listening((socket, got) => socket.on('close', () => ends.push(got())));
    const { ask } = transportTo(origin);
    const atOnce = Readable.from([Buffer.from('hello')]);
    await faultOf(ask({ method: 'PUT', body: atOnce, trailers: () => trailers }));
    const later = new PassThrough();
    later.write('hello');
    setTimeout(() => later.end(), 30);
    await faultOf(ask({ method: 'PUT', body: later, trailers: () => trailers }));
    await until(() => ends.length === 2);
    expect(ends[1]).toMatch(/5\r\nhello\r\n$/);
    expect(ends.join('')).not.toContain('\r\n0\r\n');
  });

  it('that the upstream does not take is held back, and given up in time', async () => {
    const { origin, sockets } = await listening((socket) => void socket.pause());
    let given = 0;
    const body = new Readable({
      read() {
        given += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const { ask } = transportTo(origin, { headMilliseconds: 300 });
    const fault = await faultOf(ask({ method: 'PUT', body }));
    expect([fault.kind, fault.sent, body.destroyed]).toEqual(['timeout', true, true]);
    expect(given).toBeLessThan(50_000_000);
    for (const socket of sockets) socket.resume();
    await until(() => sockets.size === 0);
  });

  it('whose answer is there before its end is sent no further, and its connection not used again', async () => {
    const server = await raw((socket) =>
      socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno'),
    );
    const { ask } = transportTo(server.origin);
    const body = new PassThrough();
    body.write('a');
    const answer = await ask({ method: 'PUT', body });
    expect([answer.statusCode, await text(answer.body), body.destroyed]).toEqual([413, 'no', true]);
    await until(() => server.sockets.size === 0);
  });

  it('that is answered before the upstream has taken it has its connection to itself', async () => {
    let connections = 0;
    const { origin } = await listening((socket) => {
      connections++;
      socket.once('data', () => {
        socket.pause();
        socket.write(hello);
      });
    });
    const { ask } = transportTo(origin);
    for (let i = 1; i <= 2; i++) {
      const answer = await ask({ method: 'PUT', body: Buffer.alloc(50_000_000) });
      expect([await text(answer.body), connections]).toEqual(['hello', i]);
    }
  });

  it('that goes on while its answer is under way ends both', async () => {
    const server = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n');
      socket.on('data', (chunk) => {
        if (chunk.toString().includes('last')) socket.write('1\r\nb\r\n0\r\n\r\n');
      });
    });
    const { ask } = transportTo(server.origin);
    const body = new PassThrough();
    body.write('first');
    const answer = await ask({ method: 'PUT', headers: ['content-length', '9'], body });
    body.end('last');
    expect(await text(answer.body)).toBe('ab');
    expect(body.readableEnded).toBe(true);
  });
});

function brokenOff(): Readable {
  const body = new PassThrough();
  body.write('hello');
  setTimeout(() => body.destroy(new Error('the client is gone')), 30);
  return body;
}

describe('a body that waits to be wanted', () => {
  const put = { method: 'PUT', headers: ['host', 'h', 'content-length', '5'], expectsContinue: true };

  it('is sent when the upstream wants it, and not before', async () => {
    let atContinue = '';
    const { origin } = await listening((socket, got) => {
      socket.once('data', () => {
        setTimeout(() => {
          atContinue = got();
          socket.write('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
          socket.once('data', () => socket.write(hello));
        }, 50);
      });
    });
    const body = Readable.from([Buffer.from('whole')]);
    const answer = await transportTo(origin).ask({ ...put, body });
    expect(await text(answer.body)).toBe('hello');
    expect(atContinue).toBe(
      'PUT /x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n',
    );
    expect(body.readableEnded).toBe(true);
  });

  it('is never read where the upstream answers without it, and its connection not used again', async () => {
    let all = '';
    const { origin } = await listening((socket, got) => {
      socket.once('data', () => socket.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno'));
      socket.on('close', () => (all = got()));
    });
    const body = Readable.from([Buffer.from('whole')]);
    const answer = await transportTo(origin).ask({ ...put, body });
    expect([answer.statusCode, await text(answer.body), body.readableDidRead]).toEqual([401, 'no', false]);
    await until(() => all !== '');
    expect(all).toMatch(/expect: 100-continue\r\n\r\n$/);
  });

  it('is sent after a second where the upstream says nothing', async () => {
    const server = await raw((socket) => socket.once('data', () => socket.write(hello)));
    const began = performance.now();
    const answer = await transportTo(server.origin).ask({
      ...put,
      body: Readable.from([Buffer.from('whole')]),
    });
    expect(await text(answer.body)).toBe('hello');
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  it('may be wanted twice, and is sent once', async () => {
    let all = '';
    const { origin } = await listening((socket, got) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
        socket.once('data', () => setTimeout(() => socket.write(hello), 30));
      });
      socket.on('close', () => (all = got()));
    });
    const { ask, transport } = transportTo(origin);
    await ask({ ...put, body: Readable.from([Buffer.from('whole')]) });
    await transport.close();
    await until(() => all !== '');
    expect(all.split('whole')).toHaveLength(2);
  });
});

describe('a signal', () => {
  const gone = new Error('gone');

  it('that is aborted already sends nothing', async () => {
    const server = await raw(answering('ok'));
    await expect(transportTo(server.origin).ask({ signal: AbortSignal.abort(gone) })).rejects.toBe(gone);
    expect(server.connections).toBe(0);
  });

  it('ends what waits for a connection, with its body untouched', async () => {
    const leaving = new AbortController();
    const body = new PassThrough();
    const asked = transportTo('http://192.0.2.1:9').ask({ method: 'PUT', body, signal: leaving.signal });
    setTimeout(() => leaving.abort(gone), 10);
    const thrown: unknown = await asked.catch((error: unknown) => error);
    // Where there is no route to anywhere, the system itself says so.
    if (thrown !== gone) expect(thrown).toMatchObject({ kind: 'connect' });
    expect([body.destroyed, body.readableDidRead]).toEqual([false, false]);
  });

  it.each(['the request', 'the transport'])(
    'ends %s in the moment at which its connection stands',
    async (which) => {
      const server = await raw(answering('ok'));
      const { ask, transport } = transportTo(server.origin);
      const controller = new AbortController();
      const stands = vi.spyOn(Socket.prototype, 'setKeepAlive').mockImplementationOnce(function (
        this: Socket,
      ) {
        if (which === 'the request') controller.abort(new Error('cut'));
        else void transport.close();
        return this;
      });
      await expect(ask({ method: 'POST', signal: controller.signal })).rejects.toThrow(/cut|closed/);
      expect(stands).toHaveBeenCalledOnce();
      stands.mockRestore();
      await until(() => server.connections === 1 && server.sockets.size === 0);
      expect(server.requests).toBe(0);
    },
  );

  it('ends what waits for an answer, and its connection', async () => {
    const server = await raw(() => undefined);
    const leaving = new AbortController();
    const asked = transportTo(server.origin).ask({ signal: leaving.signal });
    await until(() => server.requests === 1);
    leaving.abort(gone);
    await expect(asked).rejects.toBe(gone);
    await until(() => server.sockets.size === 0);
  });

  it('ends an upload, which does not look whole', async () => {
    let all = '';
    const { origin } = await listening((socket, got) => socket.on('close', () => (all = got())));
    const leaving = new AbortController();
    const body = new PassThrough();
    body.write('hello');
    const asked = transportTo(origin).ask({ method: 'PUT', body, signal: leaving.signal });
    setTimeout(() => leaving.abort(gone), 50);
    await expect(asked).rejects.toBe(gone);
    await until(() => all !== '');
    expect(all).toMatch(/5\r\nhello\r\n$/);
    expect(body.destroyed).toBe(true);
  });

  it('breaks an answer off that is under way, and not the one that was whole', async () => {
    const server = await raw((socket, head) => {
      if (head.includes('/half')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
      else answering('whole')(socket);
    });
    const { ask } = transportTo(server.origin);
    const leaving = new AbortController();
    const half = await ask({ path: '/half', signal: leaving.signal });
    const whole = await ask({ signal: leaving.signal });
    leaving.abort(gone);
    await expect(text(half.body)).rejects.toBe(gone);
    expect(await text(whole.body)).toBe('whole');
    await until(() => server.sockets.size === 1);
  });

  it('has no listener of an exchange that is over', async () => {
    const server = await raw(answering('ok'));
    const { ask } = transportTo(server.origin);
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    Object.assign(signal, {
      addEventListener: (...given: Parameters<typeof add>) => {
        listeners++;
        add(...given);
      },
      removeEventListener: (...given: Parameters<typeof remove>) => {
        listeners--;
        remove(...given);
      },
    });
    for (let i = 0; i < 20; i++) await ask({ signal });
    expect(listeners).toBeLessThanOrEqual(0);
  });
});

describe('a large body', () => {
  it('passes both ways in memory that does not grow with it', async () => {
    const bytes = 256 * 1024 * 1024;
    const piece = Buffer.alloc(65_536, 1);
    const server = createServer((request, response) => {
      let got = 0;
      request.on('data', (chunk: Buffer) => (got += chunk.length));
      request.on('end', () => {
        response.writeHead(200, { 'x-got': got });
        Readable.from(pieces(bytes, piece)).pipe(response);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { ask } = transportTo(`http://127.0.0.1:${address.port}`);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    const before = process.memoryUsage().rss;
    const answer = await ask({ method: 'PUT', body: Readable.from(pieces(bytes, piece)) });
    expect(answer.headers['x-got']).toBe(String(bytes));
    let read = 0;
    for await (const chunk of answer.body) read += (chunk as Buffer).length;
    clearInterval(watch);
    expect(read).toBe(bytes);
    expect(most - before).toBeLessThan(bytes * 0.75);
  });
});

function* pieces(bytes: number, piece: Buffer): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}
