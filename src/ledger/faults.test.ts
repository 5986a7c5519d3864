import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { everyStep } from './faults.ts';

/** Rows of the README's table: the steps, and the test that has them fail. */
const rows = [
  ...readFileSync(join(import.meta.dirname, 'README.md'), 'utf8').matchAll(
    /^\| (`[^|]*`) +\|.*\[(.+)\]\((\S+)\) +\|$/gm,
  ),
].map(([, steps = '', title = '', file = '']) => ({
  steps: [...steps.matchAll(/`([^`]+)`/g)].map(([, step = '']) => step),
  title,
  file,
}));

it('every storage step has one row in the table of failures, and every row is of steps that there are', () => {
  expect(rows.flatMap(({ steps }) => steps).sort()).toEqual([...everyStep].sort());
});

it.each(rows)('$steps: the test that the row names is there', ({ title, file }) => {
  const test = readFileSync(join(import.meta.dirname, file), 'utf8');
  expect(test).toContain(title.replace('…', '%s'));
});
