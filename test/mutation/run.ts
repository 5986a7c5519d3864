// npm run test:mutation [-- FILE …] [--concurrency N] [--incremental] [--part 2/5] [--sum]: changes the policy in every
// small way that would matter, and fails when its tests do not notice; see README.md beside it.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { counts, denyPrecedenceOf, leastScore, scoreOf, total, type Tried } from './gate.ts';
import { filesOf, filesOfPart, partFrom, sourcesOf, summed, type Part, type PartResult } from './parts.ts';
import { mutated } from './subject.ts';

const root = join(import.meta.dirname, '..', '..');
const cache = '.cache/mutation';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: 'string', default: '2' },
    incremental: { type: 'boolean', default: false },
    part: { type: 'string' },
    sum: { type: 'boolean', default: false },
  },
});

process.chdir(root);
const all = filesOf(root, mutated);

if (values.sum) judge(sum(), true);
else if (values.part) await runPart(partFrom(values.part));
else if (positionals.length > 0) judge(await mutantsOf(positionals), false);
else judge(await mutantsOf(all), true);

async function mutantsOf(files: readonly string[]): Promise<Tried[]> {
  // Of none Stryker would choose some itself.
  if (files.length === 0) throw new RangeError('there are fewer files than parts');
  const results = await new Stryker({
    mutate: [...files],
    testRunner: 'in-process',
    plugins: ['in-process-runner.ts', 'survivors-reporter.ts', 'unreachable-defaults.ts'].map(
      (file) => new URL(file, import.meta.url).href,
    ),
    ignorers: ['unreachable-defaults'],
    coverageAnalysis: 'perTest',
    concurrency: Number(values.concurrency),
    // The runner itself tells what does not end; this is for what it cannot see.
    timeoutMS: 60_000,
    timeoutFactor: 4,
    maxTestRunnerReuse: 200,
    ignorePatterns: ['*', '!src/**', '!test/mutation/**', '!package.json'],
    disableTypeChecks: false,
    tempDirName: `${cache}/sandbox`,
    incremental: values.incremental,
    incrementalFile: `${cache}/incremental.json`,
    reporters: ['clear-text', 'json', 'progress-append-only', 'survivors'],
    clearTextReporter: { logTests: false, reportTests: false, allowEmojis: false },
    jsonReporter: { fileName: `${cache}/report.json` },
    // `judge` holds the line.
    thresholds: { high: 95, low: leastScore, break: null },
  }).runMutationTest();
  if (results.length === 0) throw new Error('there are no mutants');
  return results.map(({ fileName, location, mutatorName, replacement, status }) => ({
    file: relative(root, fileName),
    location,
    mutatorName,
    replacement,
    status,
  }));
}

/** Leaves its result for `--sum`, and only when it has come to its end. */
async function runPart(part: Part): Promise<void> {
  const sources = sourcesOf(root);
  const sizes = new Map(all.map((file) => [file, readFileSync(file).length]));
  const files = filesOfPart(sizes, part);
  const path = join(cache, 'parts', `${part.number}-of-${part.of}.json`);
  rmSync(path, { force: true });
  const result: PartResult = { ...part, sources, files, tried: await mutantsOf(files) };
  mkdirSync(join(cache, 'parts'), { recursive: true });
  writeFileSync(path, JSON.stringify(result));
  table(result.tried);
}

function sum(): Tried[] {
  const paths = globSync(join(cache, 'parts', '*.json'));
  const results = paths.map((path) => JSON.parse(readFileSync(path, 'utf8')) as PartResult);
  return summed(results, sourcesOf(root), all);
}

function judge(tried: readonly Tried[], whole: boolean): void {
  const score = table(tried);
  const { slipped, stale } = denyPrecedenceOf(root, tried);
  for (const each of slipped) console.log(`survives in deny precedence: ${each}`);
  const misfits = whole ? stale : [];
  for (const { within, original } of misfits)
    console.log(`no such survivor any more: '${original}' in ${within}`);
  console.log(`deny precedence: ${slipped.length} mutants survive that are not known to be equivalent`);
  if (score < leastScore) console.log(`fewer than ${leastScore} % are killed`);
  if (score < leastScore || slipped.length > 0 || misfits.length > 0) process.exitCode = 1;
}

/** Prints how many are killed in each file; answers how many of all, in percent. */
function table(tried: readonly Tried[]): number {
  const byFile = counts(tried);
  const sum = total(byFile);
  for (const [name, count] of [...byFile, ['all', sum] as const]) {
    const { killed, alive } = count;
    console.log(
      `${scoreOf(count).toFixed(2).padStart(6)} %  ${String(killed).padStart(5)} of ${String(killed + alive).padStart(5)}  ${name}`,
    );
  }
  return scoreOf(sum);
}
