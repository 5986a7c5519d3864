import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PrincipalId } from '../lib/ids.ts';
import { webSurface, type WebConnection } from './adapters/web/surface.ts';
import { alice, allow, callerOf, TestGateway, until } from './testing/gateway.ts';
import { proxyOptions } from './testing/proxy-options.ts';
import { WebSocketUpstream, type Opened } from './testing/web-socket-upstream.ts';

const memory = { all: 2_000_000, perCaller: 1_000_000 };
/** Two of these are within a caller's share. */
const fragment = Buffer.alloc(400_000, 0x61);
const unfinished = { binary: true, fin: false } as const;

const bob = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const rules: WebConnection['rules'] = [
  { methods: ['GET'], path: '/*', action: 'Contoso.Lab/x/action', upgrade: 'websocket' },
];

let upstream: WebSocketUpstream;
let gateway: TestGateway;
const cleanUp: (() => Promise<unknown> | void)[] = [];
beforeEach(async () => {
  upstream = await WebSocketUpstream.start();
  const surface = webSurface(
    { name: 'lab', upstream: upstream.origin, scope: '/connections/lab', rules },
    proxyOptions,
  );
  const tokens = new Map([
    ['alice', callerOf(alice)],
    ['bob', callerOf(bob)],
  ]);
  gateway = await TestGateway.start({ surfaces: [surface], tokens, decide: allow, memory });
  cleanUp.push(
    () => upstream.close(),
    () => surface.close(),
    () => gateway.close(),
  );
});
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

interface Pair {
  readonly client: WebSocket;
  readonly atUpstream: Opened;
  /** The close frame that the client saw. */
  closed: { readonly code: number; readonly reason: string } | null;
}

async function open(who = 'alice'): Promise<Pair> {
  const client = new WebSocket(`wss://localhost:${gateway.port}/connections/lab/a`, {
    ca: gateway.ca,
    headers: { authorization: `Bearer ${who}` },
  });
  cleanUp.push(() => client.terminate());
  await once(client, 'open');
  const atUpstream = upstream.opened.at(-1);
  if (atUpstream === undefined) throw new Error('nothing was opened');
  const pair: Pair = { client, atUpstream, closed: null };
  client.on('error', () => undefined);
  client.on('close', (code, reason) => (pair.closed = { code, reason: reason.toString() }));
  return pair;
}

const senders = {
  'a client': ({ client }: Pair) => client,
  'an upstream': ({ atUpstream }: Pair) => atUpstream.webSocket,
};

describe.each(Object.entries(senders))('messages without an end of %s', (_, senderOf) => {
  /** What is sent behind it has come when it is answered. */
  async function begin(pair: Pair): Promise<void> {
    const sender = senderOf(pair);
    sender.send(fragment, unfinished);
    sender.ping();
    await Promise.race([once(sender, 'pong'), once(sender, 'close')]);
  }

  it('hold no more than a share of one caller: who begins one more is told to come again', async () => {
    const pairs = [await open(), await open(), await open()];
    for (const pair of pairs) await begin(pair);
    const [first, , third] = pairs;
    const told = { code: 1013, reason: 'as much is held here of the messages of one caller as may be' };
    await until(() => third?.closed !== null && third?.atUpstream.closed !== null);
    expect(third).toMatchObject({ closed: told, atUpstream: { closed: told } });
    await until(() => gateway.sessions.size === 2);
    await until(() => gateway.facts.some(({ kind }) => kind === 'request.ended'));
    expect(gateway.facts.at(-1)).toMatchObject({ kind: 'request.ended', webSocket: { closeCode: 1013 } });

    const ofBob = await open('bob');
    await begin(ofBob);
    expect(ofBob.closed).toBeNull();
    // Those that were begun before can still come to their end.
    if (first === undefined) throw new Error('there is no first');
    senderOf(first).send(Buffer.alloc(0), { binary: true, fin: true });
    await begin(await open());
    expect(gateway.sessions.size).toBe(4);
  });

  it('are told that there are too many of others', async () => {
    for (const who of ['alice', 'alice', 'bob']) await begin(await open(who));
    const pair = await open('bob');
    await begin(pair);
    await until(() => pair.closed !== null);
    expect(pair.closed).toEqual({
      code: 1013,
      reason: 'as much is held here of the messages of all callers as may be',
    });
  });

  it('give back what they hold when their WebSocket goes, in whatever way', async () => {
    const ways: ((pair: Pair) => void)[] = [
      ({ client }) => client.terminate(),
      ({ atUpstream }) => atUpstream.webSocket.terminate(),
      ({ client }) => client.close(),
      () => gateway.sessions.cutAll('assignment-removed'),
    ];
    for (const end of ways) {
      const pair = await open();
      await begin(pair);
      end(pair);
      await until(() => gateway.sessions.size === 0);
    }
    const pairs = [await open(), await open()];
    for (const pair of pairs) await begin(pair);
    expect(pairs).toMatchObject([{ closed: null }, { closed: null }]);
  });

  it('are not what comes whole, nor pings, however much of either comes', async () => {
    const pair = await open();
    const sender = senderOf(pair);
    upstream.echoes = false;
    for (let round = 1; round <= 20; round++) {
      sender.send('x');
      sender.send(fragment, unfinished);
      sender.send(fragment, { binary: true, fin: true });
      await until(() => passed() === 2 * round);
    }
    let pongs = 0;
    sender.on('pong', () => (pongs += 1));
    for (let round = 1; round <= 60; round++) {
      for (let i = 0; i < 50; i++) sender.ping(Buffer.alloc(100));
      await until(() => pongs === 50 * round);
    }
    expect(pair.closed).toBeNull();
  });
});

/** Messages that have passed, either way, on the one WebSocket that there is. */
function passed(): number {
  let count = 0;
  gateway.sessions.review(({ messages }) => {
    count = (messages?.received ?? 0) + (messages?.sent ?? 0);
    return null;
  });
  return count;
}
