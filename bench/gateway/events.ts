import { Agent as HttpAgent, request as askHttp } from 'node:http';
import { Agent as HttpsAgent, request as askHttps } from 'node:https';
import { repeated } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { milliseconds, rounds, type House } from './house.ts';

export async function firstEvent(house: House): Promise<BenchRow[]> {
  const { large } = house;
  const direct = () => firstByte(`${house.directLarge}events`, {});
  const through = () =>
    firstByte(`https://localhost:${large.port}/connections/bench/events`, {
      ca: large.ca,
      headers: { accept: 'text/event-stream', authorization: `Bearer ${large.token}` },
    });
  const added: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const times = { direct: [] as number[], through: [] as number[] };
    for (let i = 0; i < 40; i++) {
      times.direct.push(await direct());
      times.through.push(await through());
    }
    if (round >= 0) added.push(repeated(times.through).median - repeated(times.direct).median);
  }
  return [milliseconds('first byte of a stream of events, added at p50', added, 1)];
}

const keptAlive = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

async function firstByte(
  url: string,
  options: { ca?: string; headers?: Record<string, string> },
): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const [ask, agent] = url.startsWith('https') ? [askHttps, keptAlive.https] : [askHttp, keptAlive.http];
    const request = ask(url, { ...options, agent }, (response) => {
      let first = 0;
      response.once('data', () => (first = performance.now() - begun)).once('end', () => resolve(first));
    });
    request.once('error', reject).end();
  });
}
