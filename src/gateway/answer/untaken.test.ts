import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, until } from '../testing/gateway.ts';
import { route, thingsSurface } from '../testing/things-surface.ts';
import type { Reply } from '../types.ts';

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

type Body = NonNullable<Reply['body']>;

/** More than the systems at both ends take in for a client that reads nothing. */
const large = 16_777_216;
const piece = Buffer.alloc(65_536, 0x61);

/** Settled by who waits for it. */
let late: PromiseWithResolvers<string>;
beforeEach(() => {
  late = Promise.withResolvers();
});

const bodies: Readonly<Record<string, () => Body | Promise<Body>>> = {
  late: () => late.promise,
  bytes: () => Buffer.alloc(large, 0x61),
  stream: () => Readable.from(Array.from({ length: large / piece.length }, () => piece)),
  small: () => Buffer.alloc(60_000, 0x61),
  'slow-stream': () =>
    Readable.from(
      (async function* () {
        yield piece;
        yield await late.promise;
      })(),
    ),
  'small-stream': () => Readable.from([Buffer.alloc(60_000, 0x61)]),
};

async function start(untakenMilliseconds: number): Promise<TestGateway> {
  const routes = Object.entries(bodies).map(([name, body]) =>
    route({ method: 'GET', path: `/${name}`, serve: async () => ({ status: 200, body: await body() }) }),
  );
  const gateway = await TestGateway.start({
    surfaces: [thingsSurface(routes)],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
    untakenMilliseconds,
  });
  cleanUp.push(() => gateway.close());
  return gateway;
}

/** Asks, and reads nothing. */
async function ask(gateway: TestGateway, paths: readonly string[]): Promise<TLSSocket> {
  const socket = await gateway.connect();
  cleanUp.push(() => void socket.destroy());
  socket.on('error', () => undefined).pause();
  for (const path of paths) {
    socket.write(`GET /${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\n\r\n`);
  }
  return socket;
}

const ends = (gateway: TestGateway) => gateway.facts.filter(({ kind }) => kind === 'request.ended');

it.each([
  ['bytes', 'bytes', 1],
  ['a stream', 'stream', 1],
  // No answer by itself is more than is written at a time; one of them is the first that is not taken.
  ['many small ones', 'small', 300],
  ['many small streams', 'small-stream', 300],
])('gives up a client that takes nothing of %s', async (_, path, count) => {
  const gateway = await start(150);
  await ask(
    gateway,
    Array.from({ length: count }, () => path),
  );
  await until(() => ends(gateway).some((end) => 'ending' in end && end.ending === 'client-gone'));
  await until(() => gateway.sessions.size === 0);
  expect(ends(gateway)).toHaveLength(gateway.facts.length / 2);
});

it('gives up what is left of an answer when the client stops reading it', async () => {
  const gateway = await start(150);
  const socket = await ask(gateway, ['bytes']);
  let read = 0;
  socket.on('data', (data: Buffer) => {
    read += data.length;
    if (read > 1_000_000) socket.pause();
  });
  socket.resume();
  await until(() => ends(gateway).length === 1);
  expect(read).toBeGreaterThan(1_000_000);
  expect(ends(gateway)).toMatchObject([{ ending: 'client-gone' }]);
});

it('waits for a client that takes it slowly, however long that is in all', async () => {
  const gateway = await start(400);
  const socket = await ask(gateway, ['bytes']);
  let read = 0;
  let pauses = 0;
  socket.on('data', (data: Buffer) => {
    read += data.length;
    if (read < (pauses + 1) * 1_000_000) return;
    pauses += 1;
    socket.pause();
    setTimeout(() => socket.resume(), 100);
  });
  socket.resume();
  await until(() => ends(gateway).length === 1);
  expect(ends(gateway)).toMatchObject([{ ending: 'completed', responseBytes: large }]);
});

it.each(['bytes', 'stream', 'small', 'small-stream'])(
  'does not count the time for which an answer waits behind another (%s)',
  async (path) => {
    const gateway = await start(100);
    const socket = await ask(gateway, ['late', path]);
    await until(() => gateway.sessions.size === 2);
    await new Promise((resolve) => setTimeout(resolve, 400));
    late.resolve('at last');
    socket.resume();
    await until(() => ends(gateway).length === 2);
    expect(ends(gateway)).toMatchObject([{ ending: 'completed' }, { ending: 'completed' }]);
  },
);

it('does not count the time for which a client waits for more of the body', async () => {
  const gateway = await start(100);
  const answer = await gateway.fetch('/slow-stream', { headers: { authorization: 'Bearer good' } });
  setTimeout(late.resolve, 400, 'at last');
  expect((await answer.text()).slice(-7)).toBe('at last');
});

describe('over HTTP/2', () => {
  it.each(['bytes', 'stream', 'small', 'small-stream'])(
    'gives up what a client does not let come (%s), and no stream beside it',
    async (path) => {
      const gateway = await start(150);
      const client = connect(gateway.origin, { ca: gateway.ca, settings: { initialWindowSize: 20_000 } });
      cleanUp.push(() => client.destroy());
      const ask = (path: string) => client.request({ ':path': path, authorization: 'Bearer good' });
      const unread = ask(`/${path}`).on('error', () => undefined);
      const beside = ask('/late');
      let read = '';
      beside.setEncoding('utf8').on('data', (text: string) => (read += text));
      await until(() => ends(gateway).length === 1);
      expect(ends(gateway)).toMatchObject([{ ending: 'client-gone' }]);
      expect(unread.readableEnded).toBe(false);
      late.resolve('at last');
      await until(() => read === 'at last');
    },
  );
});
