// npm run test:mutation [-- FILE …] [--concurrency N] [--incremental]: changes the policy in every small way that would
// matter, and fails when its tests do not notice; see README.md beside it.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { linesOf } from './functions.ts';
import { denyPrecedence, mutated } from './subject.ts';

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
  return names.map((name) => ({ file, name, ...linesOf(source, name) }));
});

const results = await new Stryker({
  mutate: positionals.length > 0 ? positionals : mutated,
  testRunner: 'in-process',
  plugins: ['in-process-runner.ts', 'survivors-reporter.ts'].map(
    (file) => new URL(file, import.meta.url).href,
  ),
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
const slipped = results.flatMap(({ fileName, location, mutatorName, replacement, status }) => {
  if (status !== 'Survived' && status !== 'NoCoverage') return [];
  const file = relative(root, fileName);
  const line = location.start.line;
  const place = guarded.find((it) => it.file === file && line >= it.from && line < it.to);
  return place ? [`${file}:${line} ${place.name}: ${mutatorName} → ${replacement}`] : [];
});
for (const each of slipped) console.log(`survives in deny precedence: ${each}`);
if (slipped.length > 0 || results.length === 0) process.exitCode = 1;
console.log(`deny precedence: ${slipped.length} of its mutants survive`);
