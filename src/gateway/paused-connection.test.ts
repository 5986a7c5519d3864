import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway } from './testing/gateway.ts';
import { route, streamText, thingsSurface } from './testing/things-surface.ts';

// More than the kernel holds for a client that does not read: the answer cannot be on its way in full.
const large = Buffer.alloc(16_000_000, 'a');

let gateway: TestGateway;
let served: string[] = [];

beforeAll(async () => {
  gateway = await TestGateway.start({
    surfaces: [
      thingsSurface([
        route({
          method: 'GET',
          path: '/large',
          serve: () => Promise.resolve({ status: 200, body: large }),
        }),
        route({
          method: 'GET',
          path: '/streamed',
          serve: () => Promise.resolve({ status: 200, body: Readable.from([large]) }),
        }),
        route({ method: 'GET', path: '/small' }),
        route({
          method: 'POST',
          path: '/talk',
          body: { kind: 'streamed', maxBytes: 1e6 },
          serve: () =>
            Promise.resolve({
              status: 200,
              body: new Readable({
                read() {
                  if (this.readableDidRead && served.includes('talk')) return;
                  served.push('talk');
                  this.push('the answer has begun');
                },
              }),
            }),
        }),
        route({
          method: 'POST',
          path: '/sized/:index',
          body: { kind: 'streamed', maxBytes: 1e6 },
          serve: async (exchange) => {
            const taken = (await streamText(exchange)).length;
            const end = `took ${taken} at ${exchange.head.path.slice('/sized/'.length)}`;
            return { status: 200, body: 'a'.repeat(Number(exchange.head.query.get('answer'))) + end };
          },
        }),
        route({
          method: 'POST',
          path: '/*',
          body: { kind: 'streamed', maxBytes: 1e6 },
          serve: async (exchange) => {
            const text = await streamText(exchange);
            served.push(`${exchange.head.path} ${text.length}`);
            return { status: 200, body: `took ${text.length}` };
          },
        }),
      ]),
    ],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
});
afterAll(async () => gateway.close());
beforeEach(() => {
  served = [];
});

const auth = 'Host: localhost\r\nAuthorization: Bearer good\r\n';
const text = 'b'.repeat(3000);
const sized = `Content-Length: ${text.length}\r\n`;

/** Asks for a large answer, leaves it unread, and sends what follows in many TLS records with one write. */
async function behindUnread(path: string, bytes: string): Promise<string> {
  const socket = await gateway.connect();
  socket.write(`GET ${path} HTTP/1.1\r\n${auth}\r\n`);
  await once(socket, 'readable');
  socket.setMaxSendFragment(512);
  const sent = Promise.withResolvers<void>();
  socket.write(bytes, () => sent.resolve());
  await sent.promise;
  // The answer to a request of another connection: by now the gateway has seen those bytes.
  await (await gateway.fetch('/small', { headers: { authorization: 'Bearer good' } })).text();
  return restOf(socket);
}

async function restOf(socket: TLSSocket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** The statuses of all answers, and what followed the large body. */
function answersIn(received: string): { statuses: number[]; large: boolean; after: string } {
  const body = received.lastIndexOf('aaaa') + 4;
  return {
    statuses: [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])),
    large: received.length > large.length,
    after: received.slice(body),
  };
}

describe.each(['/large', '/streamed'])('behind an unread answer of %s', (path) => {
  it.each([
    ['a sized body', `${sized}\r\n${text}`],
    ['a chunked body', `Transfer-Encoding: chunked\r\n\r\nbb8\r\n${text}\r\n0\r\n\r\n`],
    ['a body that waits for no 100 Continue', `${sized}Expect: 100-continue\r\n\r\n${text}`],
  ])('serves a request with %s that comes in several TLS records', async (_, rest) => {
    const received = await behindUnread(path, `POST /one HTTP/1.1\r\n${auth}Connection: close\r\n${rest}`);
    const answers = answersIn(received);
    expect(answers.large).toBe(true);
    expect(answers.statuses.filter((status) => status !== 100)).toEqual([200, 200]);
    expect(answers.after).toMatch(/took 3000$/);
    expect(served).toEqual(['/one 3000']);
  });

  it('serves several requests in their order', async () => {
    const one = `POST /one HTTP/1.1\r\n${auth}${sized}\r\n${text}`;
    const two = `POST /two HTTP/1.1\r\n${auth}Connection: close\r\n${sized}\r\n${text}`;
    const answers = answersIn(await behindUnread(path, one + two));
    expect(answers.statuses).toEqual([200, 200, 200]);
    expect(served).toEqual(['/one 3000', '/two 3000']);
  });

  it('refuses a request of ambiguous framing and serves nothing that is behind it', async () => {
    const hidden = `POST /hidden HTTP/1.1\r\n${auth}${sized}\r\n${text}`;
    const ambiguous = `POST /one HTTP/1.1\r\n${auth}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    const answers = answersIn(await behindUnread(path, ambiguous + hidden));
    expect(answers.statuses[0]).toBe(200);
    expect(answers.statuses.slice(1).every((status) => status === 400)).toBe(true);
    expect(served).toEqual([]);
  });

  it('goes on reading the connection when nothing came with the request that paused it', async () => {
    const socket = await gateway.connect();
    socket.write(`GET ${path} HTTP/1.1\r\n${auth}\r\n`);
    await once(socket, 'readable');
    socket.write(`POST /one HTTP/1.1\r\n${auth}${sized}\r\n${text}`);
    let end = '';
    socket.on('data', (chunk: Buffer) => (end = (end + chunk.toString('latin1')).slice(-2000)));
    while (!end.endsWith('took 3000')) await once(socket, 'data');
    socket.write(`POST /two HTTP/1.1\r\n${auth}Connection: close\r\n${sized}\r\n${text}`);
    await restOf(socket);
    expect(served).toEqual(['/one 3000', '/two 3000']);
  });

  it('takes up no more than a bounded part of what a client sends that reads nothing', async () => {
    const many = 20_000;
    const socket = await gateway.connect();
    socket.write(`GET ${path} HTTP/1.1\r\n${auth}\r\n`);
    await once(socket, 'readable');
    socket.setMaxSendFragment(512);
    socket.on('error', () => undefined);
    const flood = `POST /flood HTTP/1.1\r\n${auth}${sized}\r\n${text}`;
    for (let index = 0; index < many; index += 1) socket.write(flood);
    // Until nothing more of it is served while others are.
    for (let before = -1; before !== served.length;) {
      before = served.length;
      for (let index = 0; index < 10; index += 1) {
        await (await gateway.fetch('/small', { headers: { authorization: 'Bearer good' } })).text();
      }
    }
    // What their answers take in memory is bounded by the connection's high-water mark.
    expect(served.length).toBeLessThan(1000);
    expect(socket.writableLength).toBeGreaterThan(many * flood.length * 0.5);
    socket.destroy();
  });
});

it('answers every request of a connection, however they are cut into records and however slowly it is read', async () => {
  const request = fc.record({
    answer: fc.oneof(fc.constant(100), fc.integer({ min: 0, max: 500_000 })),
    body: fc.integer({ min: 0, max: 20_000 }),
    chunked: fc.boolean(),
    wait: fc.boolean(),
  });
  const exchange = fc.record({
    requests: fc.array(request, { minLength: 2, maxLength: 6 }),
    fragment: fc.integer({ min: 512, max: 4096 }),
    slow: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(exchange, async ({ requests, fragment, slow }) => {
      const socket = await gateway.connect();
      socket.setMaxSendFragment(fragment);
      if (slow) socket.on('data', () => yieldReading(socket));
      const received = restOf(socket);
      for (const [index, { answer, body, chunked, wait }] of requests.entries()) {
        const close = index === requests.length - 1 ? 'Connection: close\r\n' : '';
        const bytes = 'b'.repeat(body);
        const framed = chunked
          ? `Transfer-Encoding: chunked\r\n\r\n${body === 0 ? '' : `${body.toString(16)}\r\n${bytes}\r\n`}0\r\n\r\n`
          : `Content-Length: ${body}\r\n\r\n${bytes}`;
        socket.write(`POST /sized/${index}?answer=${answer} HTTP/1.1\r\n${auth}${close}${framed}`);
        if (wait) await new Promise((resolve) => setImmediate(resolve));
      }
      const took = [...(await received).matchAll(/took (\d+) at (\d+)/g)].map((match) =>
        match.slice(1).map(Number),
      );
      expect(took).toEqual(requests.map(({ body }, index) => [body, index]));
    }),
    { numRuns: 60 },
  );
}, 60_000);

function yieldReading(socket: TLSSocket): void {
  socket.pause();
  setImmediate(() => setImmediate(() => socket.resume()));
}

it('puts no second answer into one that has begun when the request breaks, though an earlier exchange ended', async () => {
  const before = gateway.facts.length;
  const socket = await gateway.connect();
  socket.write(
    `GET /small HTTP/1.1\r\n${auth}\r\n` +
      `POST /talk HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  );
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  while (!received.includes('the answer has begun')) await once(socket, 'data');
  socket.write('no chunk size\r\n');
  await restOf(socket);
  expect(answersIn(received).statuses).toEqual([200, 200]);
  const decided = gateway.facts.slice(before).filter((fact) => fact.kind === 'request.decided');
  expect(decided.map((fact) => fact.allowed)).toEqual([true, true]);
});
