import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { InterfaceFigures } from './decision-interfaces.ts';
import type { SizeName } from './decision-workload.ts';
import { spreadOf, type Repeated } from './measure.ts';
import type { BenchOptions, BenchRow } from './row.ts';

/**
 * Decisions on one thread on the tenant of decision-workload.ts. `--size` and `--only` take lists of sizes and parts,
 * for a quick look at one of them: `npm run bench -- decision --only own --size 100k`.
 */
export async function run({ only, size }: BenchOptions): Promise<BenchRow[]> {
  const wanted = (part: string, at: SizeName): boolean =>
    (only === null || only.includes(part)) && (size === null || size.includes(at));
  const rows: BenchRow[] = [];
  for (const at of ['10k', '100k', '1M'] as const) {
    if (wanted('own', at)) rows.push(...interfaceRows(at, await measured<InterfaceFigures>('own', at)));
  }
  return rows;
}

async function measured<T>(part: string, size: SizeName): Promise<T> {
  const child = fork(join(import.meta.dirname, 'decision-child.ts'), [part, size], {
    execArgv: ['--expose-gc', '--max-old-space-size=12000'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (figures) => resolve(figures as T));
    child.once('exit', (code) => reject(new Error(`the ${part} part at ${size} ended with ${code}`)));
  });
}

function interfaceRows(size: SizeName, own: InterfaceFigures): BenchRow[] {
  const tail = own.p99.median / own.p50.median;
  const against = (name: string, way: Repeated, target: number | null): BenchRow => {
    const ratio = way.median / own.integers.median;
    return {
      name: `${size}: ${name}`,
      value: way.median,
      unit: 'decisions per core second',
      peer: 'integers, uniform',
      peerValue: own.integers.median,
      ratio,
      target: target === null ? null : `≥ ${target} ×`,
      met: target === null ? null : ratio >= target,
      spread: spreadOf(way),
    };
  };
  return [
    {
      ...against('integers, uniform', own.integers, null),
      peer: null,
      peerValue: null,
      ratio: null,
    },
    plain(`${size}: integers, p50`, own.p50, 'ns'),
    {
      ...plain(`${size}: integers, p99`, own.p99, 'ns'),
      peer: 'p50',
      peerValue: own.p50.median,
      ratio: tail,
      target: '≤ 4 ×',
      met: tail <= 4,
    },
    against('principal and action as handles', own.handles, 0.4),
    against('three strings', own.strings, 0.25),
    plain(`${size}: three strings, p50`, own.stringsP50, 'ns'),
    plain(`${size}: three strings, p99`, own.stringsP99, 'ns'),
    against('integers, skewed', own.skewed, null),
    against('integers, repeat', own.repeat, null),
  ];
}

function plain(name: string, value: Repeated, unit: string): BenchRow {
  return {
    name,
    value: value.median,
    unit,
    peer: null,
    peerValue: null,
    ratio: null,
    target: null,
    met: null,
    spread: spreadOf(value),
  };
}
