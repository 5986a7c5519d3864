import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Tried } from './gate.ts';

/** One of several runs that are a whole run together. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

/** What a part leaves behind when it has come to its end. */
export interface PartResult extends Part {
  /** `sourcesOf` what it ran with. */
  readonly sources: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly tried: readonly Tried[];
}

/** `2/5` is the second of five. Throws a RangeError for anything else. */
export function partFrom(text: string): Part {
  const [, number, of] = /^([1-9]\d?)\/([1-9]\d?)$/.exec(text) ?? [];
  const part = { number: Number(number), of: Number(of) };
  if (!(part.number <= part.of)) throw new RangeError(`'${text}' is not a part such as 2/5`);
  return part;
}

/** The files that these patterns name, in order. */
export function filesOf(root: string, patterns: readonly string[]): string[] {
  return globSync([...patterns], { cwd: root }).sort();
}

/** The files of a part: each file is in one, and the parts are about as large as each other. */
export function filesOfPart(sizes: ReadonlyMap<string, number>, { number, of }: Part): string[] {
  const parts = Array.from({ length: of }, () => ({ size: 0, files: new Array<string>() }));
  for (const [file, size] of [...sizes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))) {
    const least = parts.reduce((some, other) => (other.size < some.size ? other : some));
    least.size += size;
    least.files.push(file);
  }
  return (parts[number - 1]?.files ?? []).sort();
}

const listOfTests = 'test/mutation/policy-tests.ts';
/** What a run is made of beside the tests and what they import. */
const tools = [
  'test/mutation/run.ts',
  'test/mutation/in-process-runner.ts',
  'test/mutation/vitest-shim.ts',
  'test/mutation/unreachable-defaults.ts',
  'package.json',
  'package-lock.json',
];

/** What a run is made of, to a hash of each; the list of tests one by one. */
export function sourcesOf(root: string): Record<string, string> {
  const sources: Record<string, string> = {};
  for (const file of [...tools, ...imported(root, listOfTests)]) {
    const text = readFileSync(join(root, file), 'utf8');
    if (file === listOfTests) for (const test of importsIn(text)) sources[`runs ${test}`] = '';
    else sources[file] = createHash('sha256').update(text).digest('hex');
  }
  return sources;
}

/** A file of this repository and all that it imports, and they, and so on. */
function imported(root: string, entry: string): Set<string> {
  const files = new Set([entry]);
  for (const file of files)
    for (const each of importsIn(readFileSync(join(root, file), 'utf8')))
      files.add(join(dirname(file), each));
  return files;
}

function importsIn(text: string): string[] {
  return Array.from(text.matchAll(/\b(?:from|import) ?\(?'(\.[^']+)'/g), ([, path = '']) => path);
}

/**
 * What has changed since a run so that its result no longer counts. Tests that were added do not: what was killed without
 * them is killed with them.
 */
function changedSince(then: PartResult['sources'], now: PartResult['sources']): string[] {
  const taken = Object.keys(then).filter((name) => name.startsWith('runs ') && !(name in now));
  const other = Object.keys(now).filter((file) =>
    file in then ? now[file] !== then[file] : !file.endsWith('.test.ts'),
  );
  return [...taken, ...other];
}

/**
 * The mutants of all parts. Throws a RangeError unless these are all parts of one whole, each of these very sources,
 * which leave out no file.
 */
export function summed(
  results: readonly PartResult[],
  sources: PartResult['sources'],
  files: readonly string[],
): Tried[] {
  const of = results[0]?.of ?? 0;
  for (let number = 1; number <= Math.max(of, 1); number++) {
    const [part, ...more] = results.filter((it) => it.number === number);
    if (!part || more.length > 0)
      throw new RangeError(`part ${number} is there ${part ? 'twice' : 'not at all'}`);
    const [changed] = changedSince(part.sources, sources);
    if (changed !== undefined) throw new RangeError(`part ${number} was run with another ${changed}`);
  }
  if (results.some((it) => it.of !== of)) throw new RangeError('these are not the parts of one whole');
  const tried = results.flatMap((part) => part.tried);
  const run = new Set(results.flatMap((part) => part.files));
  const left = files.filter((file) => !run.has(file));
  if (left.length > 0) throw new RangeError(`no part has tried ${left.join(', ')}`);
  return tried;
}
