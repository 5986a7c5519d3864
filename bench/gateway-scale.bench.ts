// How the whole product grows: idle WebSockets through it, and configured connections. Four processes, loopback.
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lone, type BenchOptions, type BenchRow } from './row.ts';
import type { ClientOrder, ClientWord } from './scale-clients.ts';
import type { ProductOrder, ProductReady, ProductWord } from './scale-product.ts';

const sizes: Readonly<Record<string, number>> = { '1': 1, '100': 100, '1k': 1000, '10k': 10_000 };
const parts: Readonly<Record<string, (size: string) => Promise<BenchRow[]>>> = { sessions, connections };
const memoryBudget = 400 * 1024 ** 2;
/** A process's own files and sockets, besides those of sessions. */
const spareDescriptors = 120;
const asked = 400;

export async function run({ only, size }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const part of only ?? Object.keys(parts)) {
    const measure = parts[part];
    if (measure === undefined)
      throw new Error(`no part ${part}; there are: ${Object.keys(parts).join(', ')}`);
    for (const one of size ?? Object.keys(sizes)) rows.push(...(await measure(one)));
  }
  return compared(rows);
}

/** Idle WebSockets: what they cost in memory, and how long it takes to end one of them, and all. */
async function sessions(size: string): Promise<BenchRow[]> {
  const wanted = numberOf(size);
  // A session is two sockets of the gateway.
  const many = Math.max(2, Math.min(wanted, Math.floor((descriptors() - spareDescriptors) / 2)));
  const label = `${many.toLocaleString('en-US')} idle WebSockets`;
  const floor = await bareTls(many);
  return within(1, async (product, client, ready) => {
    const { ca, tokens } = ready;
    const url = `${ready.url.replace('https', 'wss')}/connections/c0/socket`;
    const [ada = '', ben = ''] = tokens;
    const empty = await memory(product);
    const opened = async (token: string, count: number) => {
      const done = word(client, 'opened');
      send(client, { kind: 'open', url, ca, token, count });
      await done;
    };
    await opened(ben, 1);
    if (many > 1) await opened(ada, many - 1);
    const resident = await memory(product);
    const revoke = async (person: 0 | 1): Promise<number> => {
      const closed = word(client, 'closed');
      const told = word(product, 'revoked');
      send(product, { kind: 'revoke', person });
      const { at, codes } = await closed;
      if (Object.keys(codes).join() !== '1008') throw new Error(`closed with ${JSON.stringify(codes)}`);
      return at - (await told).at;
    };
    const one = await revoke(1);
    const all = many > 1 ? await revoke(0) : one;
    return [
      lone(`${label}: resident memory`, resident / 1024 ** 2, 'MiB', '≤ 400 MiB', resident <= memoryBudget),
      {
        ...lone(`${label}: each of them`, (resident - empty) / many / 1024, 'KiB'),
        peer: 'a TLS connection of node:tls, unused',
        peerValue: floor / 1024,
        ratio: floor / ((resident - empty) / many),
      },
      lone(`${label}: one is ended after its right`, one, 'ms', '≤ 1000 ms', one <= 1000),
      lone(`${label}: all are ended after their right`, all, 'ms', '≤ 1000 ms', all <= 1000),
    ];
  });
}

/** Bytes that Node.js keeps resident for each TLS connection, whoever does what with it. */
async function bareTls(many: number): Promise<number> {
  const children = [
    fork(join(import.meta.dirname, 'scale-floor.ts'), [], { execArgv: ['--expose-gc'] }),
    fork(join(import.meta.dirname, 'scale-clients.ts')),
  ] as const;
  const [server, client] = children;
  try {
    const { port } = await next<{ port: number }>(server);
    const empty = await memory(server);
    const opened = word(client, 'opened');
    send(client, { kind: 'connect', port, count: many });
    await opened;
    return ((await memory(server)) - empty) / many;
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
  }
}

/** Configured connections: how long the product takes to start, and a request to be answered. */
async function connections(size: string): Promise<BenchRow[]> {
  const many = numberOf(size);
  const label = `${many.toLocaleString('en-US')} connections`;
  return within(many, async (product, client, { ca, places, loadMilliseconds, startMilliseconds }) => {
    const ask = async (count: number) => {
      const answer = word(client, 'asked');
      send(client, { kind: 'ask', places, ca, count });
      return answer;
    };
    await ask(asked);
    const rounds = [await ask(asked), await ask(asked), await ask(asked)].map(({ p50 }) => p50);
    rounds.sort((a, b) => a - b);
    const resident = await memory(product);
    return [
      lone(`${label}: configuration read`, loadMilliseconds, 'ms'),
      lone(`${label}: start`, startMilliseconds, 'ms', '≤ 2000 ms', startMilliseconds <= 2000),
      lone(`${label}: request, p50`, rounds[1] ?? 0, 'ms'),
      lone(`${label}: resident memory`, resident / 1024 ** 2, 'MiB'),
    ];
  });
}

/** Each figure of a request beside that of the fewest connections: there must be no knee. */
function compared(rows: readonly BenchRow[]): BenchRow[] {
  const [floor] = rows.filter(({ name }) => name.endsWith('request, p50'));
  return rows.map((row) => {
    if (floor === undefined || row === floor || !row.name.endsWith('request, p50')) return row;
    const ratio = floor.value / row.value;
    return {
      ...row,
      peer: floor.name,
      peerValue: floor.value,
      ratio,
      target: '≤ 1.5 × of the fewest',
      met: ratio >= 1 / 1.5,
    };
  });
}

async function within(
  many: number,
  measure: (product: ChildProcess, client: ChildProcess, ready: ProductReady) => Promise<BenchRow[]>,
): Promise<BenchRow[]> {
  const children: ChildProcess[] = [];
  const start = (file: string, ...args: string[]): ChildProcess => {
    const child = fork(join(import.meta.dirname, file), args, { execArgv: ['--expose-gc'] });
    child.once('exit', (code) => {
      if (code !== 0 && code !== null) console.error(`${file} ended with ${code}`);
    });
    children.push(child);
    return child;
  };
  try {
    const { port } = await next<{ port: number }>(start('scale-upstream.ts'));
    const product = start('scale-product.ts', `http://127.0.0.1:${port}`, String(many));
    const ready = await next<ProductReady>(product);
    return await measure(product, start('scale-clients.ts'), ready);
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
  }
}

async function memory(product: ChildProcess): Promise<number> {
  const answer = word(product, 'memory');
  send(product, { kind: 'memory' });
  return (await answer).residentBytes;
}

function send(child: ChildProcess, order: ClientOrder | ProductOrder): void {
  child.send(order);
}

/** The next message of this kind. */
async function word<Kind extends (ClientWord | ProductWord)['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<ClientWord | ProductWord, { kind: Kind }>> {
  for (;;) {
    const said = await next<ClientWord | ProductWord>(child);
    if (said.kind === kind) return said as Extract<ClientWord | ProductWord, { kind: Kind }>;
  }
}

async function next<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a bench process ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });
}

function numberOf(size: string): number {
  const many = sizes[size];
  if (many === undefined) throw new Error(`no size ${size}; there are: ${Object.keys(sizes).join(', ')}`);
  return many;
}

/** How many files and sockets a process may have open: Node takes what the system's hard limit allows. */
function descriptors(): number {
  const [, hard] = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(hard ?? 1024);
}
