import { residentBytes } from '../gateway-cores.ts';
import { ratiosOf, repeated, spreadOf } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { load, ours, type House } from './house.ts';

const gibibyte = 1024 ** 3;

/** A gibibyte each way; the relay only passes bytes on, without TLS. */
export async function largeBodies(house: House): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const { pid } = house.large;
  for (const [label, path, upload] of [
    ['download', `large?${gibibyte}`, 0],
    ['upload', 'large', gibibyte],
  ] as const) {
    const mine: number[] = [];
    const theirs: number[] = [];
    const before = residentBytes(pid);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, residentBytes(pid))), 50);
    for (let round = 0; round < 3; round++) {
      const once = { connections: 1, seconds: 0, upload };
      theirs.push((await load({ url: house.relay + path, ...once })).bytesPerSecond / 1024 ** 2);
      mine.push((await load({ ...ours(house, 'large', path), ...once })).bytesPerSecond / 1024 ** 2);
    }
    clearInterval(watch);
    const ratio = ratiosOf(mine, theirs);
    rows.push({
      name: `${label} of 1 GiB`,
      value: repeated(mine).median,
      unit: 'MiB/s',
      peer: 'bare TCP relay (node:net), no TLS',
      peerValue: repeated(theirs).median,
      ratio: ratio.median,
      target: '≥ 0.7 ×',
      met: ratio.median >= 0.7,
      spread: spreadOf(repeated(mine)),
      ratioSpread: spreadOf(ratio),
    });
    rows.push({
      name: `resident memory that the ${label} adds at most`,
      value: (most - before) / 1024 ** 2,
      unit: 'MiB',
      peer: null,
      peerValue: null,
      ratio: null,
      target: '≤ 64 MiB',
      met: most - before <= 64 * 1024 ** 2,
    });
  }
  return rows;
}
