// The clients of gateway-scale.bench.ts, in a process of their own: WebSockets that say nothing, and single requests.
import { connect, type TLSSocket } from 'node:tls';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';

interface Place {
  readonly url: string;
  readonly token: string;
}

export type ClientOrder =
  | {
      readonly kind: 'open';
      readonly url: string;
      readonly ca: string;
      readonly token: string;
      readonly count: number;
    }
  /** TLS connections on which nothing is ever said. */
  | { readonly kind: 'connect'; readonly port: number; readonly count: number }
  /** One request after the other, by turns. */
  | { readonly kind: 'ask'; readonly places: readonly Place[]; readonly ca: string; readonly count: number };

export type ClientWord =
  | { readonly kind: 'opened' }
  /** The last WebSocket of an order was closed, in milliseconds since the epoch; how often with which code. */
  | {
      readonly kind: 'closed';
      readonly token: string;
      readonly at: number;
      readonly codes: Readonly<Record<number, number>>;
    }
  | { readonly kind: 'asked'; readonly p50: number; readonly p99: number };

const atOnce = 32;
let dispatcher: Agent | null = null;

async function open(order: Extract<ClientOrder, { kind: 'open' }>): Promise<void> {
  let left = order.count;
  let closed = 0;
  const codes: Record<number, number> = {};
  const one = async (): Promise<void> => {
    const webSocket = new WebSocket(order.url, {
      ca: order.ca,
      headers: { authorization: `Bearer ${order.token}` },
      perMessageDeflate: false,
    });
    webSocket.on('close', (code) => {
      codes[code] = (codes[code] ?? 0) + 1;
      if (++closed === order.count) say({ kind: 'closed', token: order.token, at: Date.now(), codes });
    });
    await new Promise((resolve, reject) => webSocket.once('open', resolve).once('error', reject));
    webSocket.on('error', () => undefined);
  };
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  say({ kind: 'opened' });
}

const idle: TLSSocket[] = [];

async function connectTls({ port, count }: Extract<ClientOrder, { kind: 'connect' }>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      // Whoever that is at this port of this machine: only its memory is looked at.
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
      idle.push(socket);
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  say({ kind: 'opened' });
}

async function ask({ places, ca, count }: Extract<ClientOrder, { kind: 'ask' }>): Promise<void> {
  dispatcher ??= new Agent({ connect: { ca }, connections: 1, keepAliveTimeout: 60_000 });
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const { url = '', token = '' } = places[i % places.length] ?? {};
    const answer = await request(url, { dispatcher, headers: { authorization: `Bearer ${token}` } });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  say({ kind: 'asked', p50: times[Math.floor(count / 2)] ?? 0, p99: times[Math.floor(count * 0.99)] ?? 0 });
}

function say(word: ClientWord): void {
  process.send?.(word);
}

async function obey(order: ClientOrder): Promise<void> {
  switch (order.kind) {
    case 'open':
      return open(order);
    case 'connect':
      return connectTls(order);
    case 'ask':
      return ask(order);
  }
}

process.on('message', (order: ClientOrder) => {
  obey(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.once('disconnect', () => process.exit(0));
