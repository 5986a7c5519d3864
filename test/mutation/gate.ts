import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf } from './functions.ts';
import { denyPrecedence, equivalents, type Equivalent } from './subject.ts';

/** Of a hundred mutants, as many must be killed. */
export const leastScore = 90;

/** A mutant and what became of it, in Stryker's words; the file relative to the repository. */
export interface Tried {
  readonly file: string;
  readonly location: { readonly start: Place; readonly end: Place };
  readonly mutatorName: string;
  readonly replacement: string;
  readonly status: string;
}

/** Both counted from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Count {
  killed: number;
  alive: number;
}

const counted: Readonly<Record<string, keyof Count | 'left out'>> = {
  Killed: 'killed',
  Timeout: 'killed',
  Survived: 'alive',
  NoCoverage: 'alive',
  RuntimeError: 'left out',
  CompileError: 'left out',
  Ignored: 'left out',
};

/** By file, in their order. Throws a RangeError for a mutant of which nobody knows what became of it. */
export function counts(tried: readonly Tried[]): Map<string, Count> {
  const byFile = new Map<string, Count>();
  for (const { file, location, status } of tried) {
    const as = counted[status];
    if (!as)
      throw new RangeError(`${file}:${location.start.line}: a mutant is ${status}, neither killed nor alive`);
    const count = byFile.get(file) ?? { killed: 0, alive: 0 };
    byFile.set(file, count);
    if (as !== 'left out') count[as]++;
  }
  return byFile;
}

/** Percent; 100 where there are none. */
export function scoreOf({ killed, alive }: Count): number {
  return killed + alive === 0 ? 100 : (killed / (killed + alive)) * 100;
}

export function total(byFile: ReadonlyMap<string, Count>): Count {
  const sum = { killed: 0, alive: 0 };
  for (const { killed, alive } of byFile.values()) {
    sum.killed += killed;
    sum.alive += alive;
  }
  return sum;
}

/** What survives in deny precedence without being known for an equivalent; and entries that are of no survivor. */
export function denyPrecedenceOf(
  root: string,
  tried: readonly Tried[],
): { readonly slipped: readonly string[]; readonly stale: readonly Equivalent[] } {
  const guarded = Object.entries(denyPrecedence).flatMap(([file, names]) => {
    const source = readFileSync(join(root, file), 'utf8');
    return names.map((name) => ({ file, name, source, ...linesOf(source, name) }));
  });
  const known = new Set<Equivalent>();
  const slipped = tried.flatMap(({ file, location, mutatorName, replacement, status }) => {
    if (counted[status] !== 'alive') return [];
    const { start, end } = location;
    const place = guarded.find((it) => it.file === file && start.line >= it.from && start.line < it.to);
    if (!place) return [];
    const original = place.source.split('\n')[start.line - 1]?.slice(start.column - 1, end.column - 1);
    const equivalent = equivalents.find(
      (it) => it.within === place.name && it.original === original && it.replacement === replacement,
    );
    if (!equivalent) return [`${file}:${start.line} ${place.name}: ${mutatorName} → ${replacement}`];
    known.add(equivalent);
    return [];
  });
  return { slipped, stale: equivalents.filter((each) => !known.has(each)) };
}
