import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { startWatch } from '../../lib/testing/processor-time.ts';
import { MemoryBudget } from '../bodies/memory-budget.ts';
import { until } from '../testing/gateway.ts';
import { WebSocketUpstream } from '../testing/web-socket-upstream.ts';
import { dialWebSocket, type UpstreamWebSocket } from './dial.ts';
import { joinWebSockets, type Joint } from './join.ts';

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()?.();
});

const holdings = { client: null, upstream: null };

async function server(): Promise<WebSocketUpstream> {
  const upstream = await WebSocketUpstream.start();
  cleanUp.push(() => upstream.close());
  return upstream;
}

async function open(origin: string): Promise<UpstreamWebSocket> {
  const address = { origin, basePath: '', authority: new URL(origin).host };
  const { signal } = new AbortController();
  const dialed = await dialWebSocket({ address, target: '/', headers: [], subprotocols: [], signal });
  if (dialed.kind !== 'open') throw new Error('it was refused');
  cleanUp.push(() => dialed.upstream.webSocket.terminate());
  return dialed.upstream;
}

/** Both ends are dialed: which side of a handshake they were on makes no difference to a joint. */
async function joint(client: string, upstream: string): Promise<Joint> {
  const ends = { client: await open(client), upstream: await open(upstream) };
  ends.client.webSocket.resume();
  return joinWebSockets({ ...ends, holdings, received: ignore, sent: ignore, pingMilliseconds: 25 });
}

/** A relay that one can stop without closing anything, as a cable is pulled. */
async function cable(to: string): Promise<{ origin: string; pull: () => void }> {
  const sockets: Socket[] = [];
  const relay: Server = createServer((near) => {
    const far = connect(Number(new URL(to).port), '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', ignore);
    near.pipe(far).pipe(near);
    sockets.push(near, far);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const address = relay.address();
  if (address === null || typeof address === 'string') throw new Error('the relay is not listening');
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const pull = (): void => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  return { origin: `http://127.0.0.1:${address.port}`, pull };
}

it('takes an upstream for gone that no longer answers pings, and tells the client', async () => {
  const [people, lab] = [await server(), await server()];
  const { origin, pull } = await cable(lab.origin);
  const { over } = await joint(people.origin, origin);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(people.opened[0]?.closed).toBeNull();
  pull();
  const elapsed = startWatch();
  expect(await over).toEqual({ ending: 'failed', closeCode: 1006 });
  expect(elapsed()).toBeLessThan(2000);
  await until(() => people.opened[0]?.closed !== null);
  expect(people.opened[0]?.closed).toEqual({ code: 1014, reason: 'the upstream is gone' });
});

it('takes a client for gone in the same way, and tells the upstream', async () => {
  const [people, lab] = [await server(), await server()];
  const { origin, pull } = await cable(people.origin);
  const { over } = await joint(origin, lab.origin);
  pull();
  expect(await over).toEqual({ ending: 'client-gone', closeCode: 1006 });
  await until(() => lab.opened[0]?.closed !== null);
  expect(lab.opened[0]?.closed).toEqual({ code: 1001, reason: 'the client is gone' });
});

it('lets ends be silent for as long as they answer pings', async () => {
  const [people, lab] = [await server(), await server()];
  const joined = await joint(people.origin, lab.origin);
  let ended = false;
  void joined.over.then(() => (ended = true));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(ended).toBe(false);
  const over = { code: 1008, reason: 'over' };
  joined.cut({ client: over, upstream: over })();
  expect(await joined.over).toEqual({ ending: 'cut', closeCode: 1008 });
});

it('passes nothing on from the moment of a cut, though the ends are told a little later', async () => {
  const [people, lab] = [await server(), await server()];
  const joined = await joint(people.origin, lab.origin);
  await until(() => people.opened.length === 1 && lab.opened.length === 1);
  const over = { code: 1008, reason: 'over' };
  const tell = joined.cut({ client: over, upstream: over });
  for (const side of [people, lab]) side.opened[0]?.webSocket.send('too late');
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const side of [people, lab]) expect(side.opened[0]).toMatchObject({ messages: [], closed: null });
  tell();
  expect(await joined.over).toEqual({ ending: 'cut', closeCode: 1008 });
  await until(() => people.opened[0]?.closed !== null && lab.opened[0]?.closed !== null);
  for (const side of [people, lab]) expect(side.opened[0]).toMatchObject({ messages: [], closed: over });
});

it('reads a sender no further than thousands of frames wait for a slow receiver, however small they are', async () => {
  const [people, lab] = [await server(), await server()];
  const ends = { client: await open(people.origin), upstream: await open(lab.origin) };
  let sent = 0;
  ends.client.webSocket.resume();
  joinWebSockets({ ...ends, holdings, received: ignore, sent: () => (sent += 1) });
  people.echoes = false;
  // Nothing of what is written leaves.
  ends.client.socket.cork();
  const count = 100_000;
  for (let i = 0; i < count; i++) lab.opened[0]?.webSocket.send('');
  await until(() => ends.upstream.webSocket.isPaused);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // What came in one piece of 64 KiB with the last of them is taken too.
  expect(sent).toBeLessThan(40_000);
  ends.client.socket.uncork();
  await until(() => people.opened[0]?.messages.length === count);
});

it('reads a sender no further either while the answers to what is withheld wait', async () => {
  const [people, lab] = [await server(), await server()];
  const ends = { client: await open(people.origin), upstream: await open(lab.origin) };
  let withheld = 0;
  ends.client.webSocket.resume();
  joinWebSockets({
    ...ends,
    holdings,
    received: ignore,
    sent: ignore,
    admit: () => ({ answer: Buffer.of(7) }),
    withheld: () => (withheld += 1),
  });
  people.echoes = false;
  await until(() => people.opened.length === 1);
  ends.client.socket.cork();
  const count = 100_000;
  for (let i = 0; i < count; i++) people.opened[0]?.webSocket.send('');
  await until(() => ends.client.webSocket.isPaused);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(withheld).toBeLessThan(40_000);
  ends.client.socket.uncork();
  await until(() => people.opened[0]?.messages.length === count);
  expect(lab.opened[0]?.messages).toEqual([]);
});

it('reads a sender no further while what waits for a slow receiver is all that may be held', async () => {
  const [people, lab] = [await server(), await server()];
  const ends = { client: await open(people.origin), upstream: await open(lab.origin) };
  const budget = new MemoryBudget({ all: 1_000_000, perCaller: 200_000 });
  const ofOne = { client: budget.holdingOf('alice'), upstream: budget.holdingOf('alice') };
  ends.client.webSocket.resume();
  const joined = joinWebSockets({ ...ends, holdings: ofOne, received: ignore, sent: ignore });
  people.echoes = false;
  ends.client.socket.cork();
  const count = 1000;
  for (let i = 0; i < count; i++) lab.opened[0]?.webSocket.send('x'.repeat(900));
  await until(() => ends.upstream.webSocket.isPaused);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(budget.holdingOf('alice').hold(100_000)).toBe('caller');
  // What came in one piece of 64 KiB is taken too.
  expect(ends.client.webSocket.bufferedAmount).toBeLessThan(300_000);
  ends.client.socket.uncork();
  await until(() => people.opened[0]?.messages.length === count);
  lab.opened[0]?.webSocket.close();
  await joined.over;
  expect(budget.holdingOf('alice').hold(200_000)).toBeNull();
});

it('gives up an upstream that takes the connection and never answers', async () => {
  const silent = createServer((socket) => socket.on('error', ignore));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('the server is not listening');
  cleanUp.push(() => void silent.close());
  const origin = `http://127.0.0.1:${address.port}`;
  const dialing = dialWebSocket({
    address: { origin, basePath: '', authority: new URL(origin).host },
    target: '/',
    headers: [],
    subprotocols: [],
    signal: new AbortController().signal,
    handshakeMilliseconds: 100,
  });
  await expect(dialing).rejects.toMatchObject({ kind: 'timeout' });
});

function ignore(): void {
  // Nothing to do.
}
