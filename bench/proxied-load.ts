// The load of proxied-request.bench.ts, in a process of its own.
import { Agent, request } from 'undici';

export interface LoadOrder {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  readonly connections: number;
  /** Milliseconds; 0 asks once. */
  readonly forMilliseconds: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

const agents = new Map<string, Agent>();

async function load(order: LoadOrder): Promise<LoadResult> {
  const { origin } = new URL(order.url);
  let agent = agents.get(origin);
  if (agent === undefined) {
    agent = new Agent({ connect: { ca: order.ca }, connections: 64, keepAliveTimeout: 60_000 });
    agents.set(origin, agent);
  }
  const dispatcher = agent;
  const times: number[] = [];
  let failed = 0;
  let bytes = 0;
  const begun = performance.now();
  const worker = async (): Promise<void> => {
    do {
      const started = performance.now();
      const answer = await request(order.url, {
        dispatcher,
        headers: order.token === '' ? {} : { authorization: `Bearer ${order.token}` },
      });
      for await (const chunk of answer.body) bytes += (chunk as Buffer).length;
      if (answer.statusCode !== 200) failed++;
      times.push(performance.now() - started);
    } while (performance.now() - begun < order.forMilliseconds);
  };
  await Promise.all(Array.from({ length: order.connections }, worker));
  const seconds = (performance.now() - begun) / 1000;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    bytesPerSecond: bytes / seconds,
    p50: times[Math.floor(times.length / 2)] ?? 0,
    p99: times[Math.floor(times.length * 0.99)] ?? 0,
    failed,
  };
}

process.on('message', (order: LoadOrder) => {
  load(order).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(0));
