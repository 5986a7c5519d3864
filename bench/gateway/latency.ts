import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { repeated, spreadOf } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import type { LoadOrder } from '../gateway-load.ts';
import { connections, load, ours, rounds, withToken, type House } from './house.ts';

type OrderOf = Pick<LoadOrder, 'url' | 'ca' | 'token'>;
const warmUpSeconds = 10;

const beside = 'nginx, plain';
/** At the lower one the processor sleeps between two requests, and waking is in every figure, nginx's too. */
const rates = [50, 1000] as const;

/** Open loops: what a request waits for because others were late counts. */
export async function addedLatency(house: House): Promise<BenchRow[]> {
  const peer = house.gates.find(({ name }) => name === beside);
  const orders = {
    direct: { url: `${house.direct}small` },
    silent: ours(house, 'unassertedSilent', 'small'),
    durable: ours(house, 'unasserted', 'small'),
    asserted: ours(house, 'gateway', 'small'),
    ...(peer && { peer: { url: `${peer.url}small`, ...withToken(house, '') } }),
  };
  for (const order of Object.values(orders)) await load({ ...order, connections, seconds: warmUpSeconds });
  const rows: BenchRow[] = [];
  for (const rate of rates) rows.push(...(await addedAt(rate, orders, house)));
  for (const [name, label] of [
    ['silent', 'no audit'],
    ['durable', 'durable audit'],
  ] as const) {
    const order = orders[name];
    const full = await load({ ...order, connections, seconds: 2 });
    const half = { ...order, connections, seconds: 2, rate: full.perSecond / 2 };
    const p99s: number[] = [];
    for (let round = 0; round < rounds; round++) p99s.push((await load(half)).p99Milliseconds);
    const value = repeated(p99s);
    rows.push({
      name: `p99 at half load (${Math.round(full.perSecond / 2)} requests/s), ${label}`,
      value: value.median,
      unit: 'ms',
      peer: null,
      peerValue: null,
      ratio: null,
      target: '≤ 3 ms',
      met: value.median <= 3,
      spread: spreadOf(value),
    });
  }
  return rows;
}

type Orders = Readonly<
  Record<'direct' | 'silent' | 'durable' | 'asserted', OrderOf> & Partial<Record<'peer', OrderOf>>
>;

async function addedAt(rate: number, orders: Orders, { directory }: House): Promise<BenchRow[]> {
  const { direct, peer, ...own } = orders;
  const asked = { direct, ...own, ...(peer && { peer }) };
  const taken = new Map(Object.keys(asked).map((name) => [name, [] as number[]]));
  const disk: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [name, order] of Object.entries(asked)) {
      const spread = { connections: rate < connections * 4 ? 4 : connections, seconds: 2, rate };
      taken.get(name)?.push((await load({ ...order, ...spread })).p50Milliseconds);
    }
    disk.push(syncMilliseconds(directory));
  }
  const added = (name: string) =>
    repeated((taken.get(name) ?? []).map((value, round) => value - (taken.get('direct')?.[round] ?? 0)));
  const row = (name: string, label: string, most: number | null): BenchRow => {
    const value = added(name);
    return {
      name: `added at p50, ${rate.toLocaleString('en-US')} requests/s, ${label}`,
      value: value.median,
      unit: 'ms',
      peer: peer === undefined ? null : beside,
      peerValue: peer === undefined ? null : added('peer').median,
      ratio: null,
      target: most === null ? null : `≤ ${most} ms`,
      met: most === null ? null : value.median <= most,
      spread: spreadOf(value),
    };
  };
  return [
    row('silent', 'no audit', 0.3),
    row('durable', `durable audit (one fdatasync of 4 KiB: ${repeated(disk).median.toFixed(2)} ms)`, 0.6),
    row('asserted', 'durable audit, signed assertion', null),
  ];
}

/** Of one write of 4 KiB, at the median. */
function syncMilliseconds(directory: string): number {
  const file = openSync(join(directory, 'sync'), 'w');
  const page = Buffer.alloc(4096, 7);
  const times: number[] = [];
  for (let i = 0; i < 50; i++) {
    const begun = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    times.push(performance.now() - begun);
  }
  closeSync(file);
  return repeated(times).median;
}
