import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { repeated, spreadOf } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { connections, load, ours, rounds, type House } from './house.ts';

/** Open loops: what a request waits for because others were late counts. */
export async function addedLatency(house: House): Promise<BenchRow[]> {
  const quiet = { connections: 4, seconds: 2, rate: 50 };
  const orders = {
    direct: { url: `${house.direct}small` },
    durable: ours(house, 'gateway', 'small'),
    silent: ours(house, 'silent', 'small'),
  };
  const taken = {
    direct: [] as number[],
    durable: [] as number[],
    silent: [] as number[],
    disk: [] as number[],
  };
  for (let round = -1; round < rounds; round++) {
    for (const name of ['direct', 'durable', 'silent'] as const) {
      const { p50Milliseconds } = await load({ ...orders[name], ...quiet });
      if (round >= 0) taken[name].push(p50Milliseconds);
    }
    if (round >= 0) taken.disk.push(syncMilliseconds(house.directory));
  }
  const added = (name: 'durable' | 'silent') =>
    repeated(taken[name].map((value, round) => value - (taken.direct[round] ?? 0)));
  const rows: BenchRow[] = [];
  for (const [name, label, most] of [
    ['silent', 'no audit', 0.3],
    ['durable', 'durable audit', 0.6],
  ] as const) {
    const value = added(name);
    rows.push({
      name: `added at p50, 50 requests/s, ${label}`,
      value: value.median,
      unit: 'ms',
      peer: name === 'durable' ? 'one fdatasync of 4 KiB on the same disk' : null,
      peerValue: name === 'durable' ? repeated(taken.disk).median : null,
      ratio: null,
      target: `≤ ${most} ms`,
      met: value.median <= most,
      spread: spreadOf(value),
    });
  }
  for (const [name, label] of [
    ['silent', 'no audit'],
    ['gateway', 'durable audit'],
  ] as const) {
    const order = ours(house, name, 'small');
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
