import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { BatchFigures } from './decision-batch.ts';
import type { ConditionFigures } from './decision-conditions.ts';
import type { EditFigures } from './decision-edits.ts';
import type { ExplainedFigures } from './decision-explained.ts';
import type { InterfaceFigures } from './decision-interfaces.ts';
import type { MemoryFigures } from './decision-memory.ts';
import type { PeerFigures } from './decision-peer.ts';
import * as rowsOf from './decision-rows.ts';
import type { SizeName } from './decision-workload.ts';
import type { BenchOptions, BenchRow } from './row.ts';

/** Each is measured in a process of its own (decision-child.ts), at these sizes. */
const parts: Readonly<Record<string, readonly SizeName[]>> = {
  own: ['10k', '100k', '1M'],
  memory: ['100k', '1M'],
  edits: ['100k', '1M'],
  conditions: ['100k'],
  explained: ['100k'],
  casl: ['100k'],
  'casl-prepared': ['100k'],
  'casl-expanded': ['100k'],
  opa: ['100k'],
  'opa-indexed': ['100k'],
  cedar: ['100k'],
  casbin: ['100k'],
  batch: ['10k'],
};

/** What the product must be faster by than each peer on uniform traffic at 100,000 assignments. */
const peerTargets: readonly (readonly [part: string, target: number | null])[] = [
  ['casl', 50],
  ['casl-prepared', null],
  ['casl-expanded', null],
  ['opa', 400],
  ['opa-indexed', null],
  ['cedar', 500],
  ['casbin', 1e5],
];

/**
 * Decisions on one thread on the tenant of decision-workload.ts. `--size` and `--only` take lists of sizes and of the
 * parts above, for a quick look at some: `npm run bench -- decision --only own --size 100k`. Nothing is reported of
 * an engine that disagrees: each part asks the reference evaluator or this engine about the questions that it times.
 */
export async function run({ only, size }: BenchOptions): Promise<BenchRow[]> {
  const unknown = only?.find((part) => !(part in parts));
  if (unknown !== undefined) throw new Error(`${unknown} is none of ${Object.keys(parts).join(', ')}`);
  const measure = async <T>(part: string, at: SizeName): Promise<T | null> => {
    const wanted =
      (only?.includes(part) ?? true) && (size?.includes(at) ?? true) && parts[part]?.includes(at);
    return wanted ? await inChild<T>(part, at) : null;
  };
  const rows: BenchRow[] = [];
  const own = new Map<SizeName, InterfaceFigures>();
  for (const at of ['10k', '100k', '1M'] as const) {
    const figures = await measure<InterfaceFigures>('own', at);
    if (figures) {
      own.set(at, figures);
      rows.push(...rowsOf.interfaces(at, figures));
    }
  }
  const [hundredThousand, million] = [own.get('100k'), own.get('1M')];
  if (hundredThousand && million) rows.push(rowsOf.scaling(hundredThousand, million));
  for (const at of ['100k', '1M'] as const) {
    const memory = await measure<MemoryFigures>('memory', at);
    if (memory) rows.push(...rowsOf.memory(at, memory));
    const edits = await measure<EditFigures>('edits', at);
    if (edits) rows.push(...rowsOf.edits(at, edits));
  }
  const conditions = await measure<ConditionFigures>('conditions', '100k');
  if (conditions) rows.push(...rowsOf.conditions(conditions));
  const explained = await measure<ExplainedFigures>('explained', '100k');
  if (explained) rows.push(...rowsOf.explained(explained));
  for (const [part, target] of peerTargets) {
    const figures = await measure<PeerFigures>(part, '100k');
    if (figures) rows.push(...rowsOf.peer(figures, hundredThousand ?? null, target));
  }
  const batch = await measure<BatchFigures>('batch', '10k');
  if (batch) rows.push(rowsOf.batch(batch));
  return rows;
}

async function inChild<T>(part: string, size: SizeName): Promise<T> {
  const child = fork(join(import.meta.dirname, 'decision-child.ts'), [part, size], {
    execArgv: ['--expose-gc', '--max-old-space-size=12000'],
    // Tables of a hundred megabytes in pages of two, where the system's C library and kernel offer them.
    env: { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' },
  });
  return new Promise((resolve, reject) => {
    child.once('message', (figures) => resolve(figures as T));
    child.once('exit', (code) => reject(new Error(`the ${part} part at ${size} ended with ${code}`)));
  });
}
