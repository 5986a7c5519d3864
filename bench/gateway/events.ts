import { Agent as HttpAgent, request as askHttp } from 'node:http';
import { Agent as HttpsAgent, request as askHttps } from 'node:https';
import { repeated } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { addedByEach, addedRows, connections, load, ours, type House } from './house.ts';

const streams = 40;
/** Until the engine has compiled what a request runs through, as of any server that has been up for a minute. */
const warmUpSeconds = 10;

interface Way {
  readonly url: string;
  readonly ca?: string;
  readonly token?: string;
}

export async function firstEvent(house: House): Promise<BenchRow[]> {
  const { large, gateway, gatesLarge } = house;
  const own = ours(house, 'large', 'events');
  await load({ ...own, connections, seconds: warmUpSeconds });
  const ways = {
    direct: { url: `${house.directLarge}events` },
    ours: { url: own.url, ca: large.ca, token: large.token },
    peers: Object.fromEntries(
      gatesLarge.map(({ name, url }) => [name, { url: `${url}events`, ca: gateway.ca }]),
    ),
  };
  const added = await addedByEach<Way>(ways, async (way) => {
    const times: number[] = [];
    for (let i = 0; i < streams; i++) times.push(await firstByte(way));
    return repeated(times).median;
  });
  return addedRows('first byte of a stream of events, durable audit, added at p50', added, 1);
}

const keptAlive = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

async function firstByte({ url, ca, token }: Way): Promise<number> {
  const headers = {
    accept: 'text/event-stream',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const [ask, agent] = url.startsWith('https') ? [askHttps, keptAlive.https] : [askHttp, keptAlive.http];
    const request = ask(url, { headers, agent, ...(ca !== undefined && { ca }) }, (response) => {
      let first = 0;
      response.once('data', () => (first = performance.now() - begun)).once('end', () => resolve(first));
    });
    request.once('error', reject).end();
  });
}
