// npm run test:mutation [-- FILE …] [--concurrency N] [--incremental]: changes the policy in every small way that would
// matter, and fails when its tests do not notice; see README.md beside it.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { linesOf } from './functions.ts';
import { denyPrecedence, equivalents, mutated, type Equivalent } from './subject.ts';

const root = join(import.meta.dirname, '..', '..');
const cache = '.cache/mutation';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: 'string', default: '2' },
    incremental: { type: 'boolean', default: false },
  },
});

process.chdir(root);
const guarded = Object.entries(denyPrecedence).flatMap(([file, names]) => {
  const source = readFileSync(file, 'utf8');
  return names.map((name) => ({ file, name, source, ...linesOf(source, name) }));
});

const results = await new Stryker({
  mutate: positionals.length > 0 ? positionals : mutated,
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
  thresholds: { high: 95, low: 90, break: 90 },
}).runMutationTest();

// Stryker has set the exit code by the score; the rest is ours.
const known = new Set<Equivalent>();
const slipped = results.flatMap(({ fileName, location, mutatorName, replacement, status }) => {
  if (status !== 'Survived' && status !== 'NoCoverage') return [];
  const file = relative(root, fileName);
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
for (const each of slipped) console.log(`survives in deny precedence: ${each}`);
const stale = positionals.length > 0 ? [] : equivalents.filter((each) => !known.has(each));
for (const { within, original } of stale)
  console.log(`no such survivor any more: '${original}' in ${within}`);
if (slipped.length > 0 || stale.length > 0 || results.length === 0) process.exitCode = 1;
console.log(`deny precedence: ${slipped.length} mutants survive that are not known to be equivalent`);
