import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Pool } from 'undici';
import { z } from 'zod';
import { Http1Transport } from '../src/gateway/upstream/http1.ts';
import { defaultUpstreamSettings } from '../src/gateway/upstream/settings.ts';
import { coreSeconds, ratiosOf, repeated, spreadOf } from './measure.ts';
import type { BenchRow } from './row.ts';

const rounds = 31;
const warmUps = 8;
const requests = 3_200;
/** Loops that each wait for one answer before the next request, with a connection for each. */
const loops = 32;

const path = '/api/2.0/mlflow/runs/get?run_id=5f2b';
/** As many, and as long, as the gateway sends to an upstream. */
const headers = [
  ['host', '127.0.0.1:5000'],
  ['user-agent', 'mlflow-python-client/3.4.0'],
  ['accept', '*/*'],
  ['accept-encoding', 'gzip, deflate'],
  ['x-forwarded-for', '127.0.0.1'],
  ['x-forwarded-host', 'mlflow.localhost:8443'],
  ['x-forwarded-proto', 'https'],
  ['x-request-id', 'req_01jd2m3n4p5q6r7s8t9vwxyz01'],
  ['x-lockstep-assertion', 'e'.repeat(900)],
  ['authorization', 'Bearer upstream-secret'],
].flat();

/** Whoever asks learns how many bytes the body had. */
type Client = (signal: AbortSignal) => Promise<number>;

/**
 * Processor time of one small request over a connection that is kept alive, in this process: the upstream is another. All
 * take turns in short rounds. The floor writes the same bytes, and reads the answer without looking at it.
 */
export async function run(): Promise<BenchRow[]> {
  const child = fork(join(import.meta.dirname, 'http1-upstream.ts'));
  try {
    const [{ port }] = z
      .tuple([z.object({ port: z.number() })])
      .rest(z.unknown())
      .parse(await once(child, 'message'));
    const origin = `http://127.0.0.1:${port}`;
    const transport = new Http1Transport({
      origin,
      protocol: 'http1',
      tls: undefined,
      timeouts: defaultUpstreamSettings.timeouts,
    });
    const pool = new Pool(origin, { connections: loops, pipelining: 1 });
    const clients: Readonly<Record<string, Client>> = {
      ours: async (signal) => {
        const { whole } = await transport.request({ method: 'GET', path, headers, body: null, signal });
        return whole?.length ?? 0;
      },
      'ours, read as a stream': async (signal) => {
        const { body } = await transport.request({ method: 'GET', path, headers, body: null, signal });
        let bytes = 0;
        for await (const chunk of body) bytes += (chunk as Buffer).length;
        return bytes;
      },
      'undici, dispatch': () => dispatched(pool),
      'undici, request': async (signal) => {
        const { body } = await pool.request({ method: 'GET', path, headers, signal });
        return (await body.arrayBuffer()).byteLength;
      },
      'node:net alone': floorOf(port),
    };
    const measured = await inTurns(clients);
    await Promise.all([transport.close(), pool.destroy()]);
    return rowsOf(measured);
  } finally {
    child.disconnect();
  }
}

async function inTurns(clients: Readonly<Record<string, Client>>): Promise<ReadonlyMap<string, number[]>> {
  const measured = new Map<string, number[]>();
  const names = Object.keys(clients);
  for (let round = -warmUps; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const client = clients[name]!;
      const before = coreSeconds();
      await Promise.all(Array.from({ length: loops }, () => loopOf(client)));
      const microseconds = ((coreSeconds() - before) / requests) * 1e6;
      if (round >= 0) measured.set(name, [...(measured.get(name) ?? []), microseconds]);
    }
  }
  return measured;
}

async function loopOf(client: Client): Promise<void> {
  for (let i = 0; i < requests / loops; i++) {
    // As in the gateway, every request has a signal of its own.
    if ((await client(new AbortController().signal)) === 0) throw new Error('an answer without a body');
  }
}

function dispatched(pool: Pool): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let bytes = 0;
  pool.dispatch(
    { method: 'GET', path, headers, body: null },
    {
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: (_controller, chunk) => {
        bytes += chunk.length;
      },
      onResponseEnd: () => resolve(bytes),
      onResponseError: (_controller, error) => reject(error),
    },
  );
  return promise;
}

function floorOf(port: number): Client {
  const lines = Array.from(
    { length: headers.length / 2 },
    (_, i) => `${headers[2 * i]}: ${headers[2 * i + 1]}\r\n`,
  );
  const head = `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
  const free = Array.from({ length: loops }, () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const connection = { socket, told: (_bytes: number): void => undefined };
    socket.on('data', (chunk) => connection.told(chunk.length));
    return connection;
  });
  return async () => {
    const connection = free.pop()!;
    const { promise, resolve } = Promise.withResolvers<number>();
    connection.told = resolve;
    connection.socket.write(head, 'latin1');
    const bytes = await promise;
    free.push(connection);
    return bytes;
  };
}

function rowsOf(measured: ReadonlyMap<string, readonly number[]>): BenchRow[] {
  const ours = measured.get('ours')!;
  const value = repeated(ours);
  const row = (name: string, values: readonly number[], peer: string): BenchRow => {
    const peers = measured.get(peer)!;
    const own = repeated(values);
    const ratio = ratiosOf(peers, values);
    return {
      name,
      value: own.median,
      unit: 'µs of processor time a request',
      spread: spreadOf(own),
      peer,
      peerValue: repeated(peers).median,
      ratio: ratio.median,
      ratioSpread: spreadOf(ratio),
      target: null,
      met: null,
    };
  };
  const streamed = measured.get('ours, read as a stream')!;
  return [
    {
      ...row('HTTP/1.1 client, small GET', ours, 'undici, request'),
      target: '≤ 40 µs',
      met: value.median <= 40,
    },
    row('HTTP/1.1 client, small GET', ours, 'undici, dispatch'),
    row('HTTP/1.1 client, small GET', ours, 'node:net alone'),
    row('HTTP/1.1 client, small GET, read as a stream', streamed, 'undici, request'),
  ];
}
