import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorTable } from '../src/lib/errors.ts';

const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'errors.md'), 'utf8');

const documented = new Map(
  [...page.matchAll(/^\| `(\w+)`\s*\| (\d+)\s*\| `(\w+)`\s*\| `(\w+)`\s*\| (.+?)\s*\|$/gm)].map(
    ([, code = '', status, azure, oauth, sentence]) => [
      code,
      { status: Number(status), oauth, azure, sentence },
    ],
  ),
);

test('every code of the error table is documented as it is', () => {
  for (const [code, row] of Object.entries(errorTable))
    expect([code, documented.get(code)]).toEqual([code, row]);
});

test('every documented code exists', () => {
  expect([...documented.keys()].filter((code) => !Object.hasOwn(errorTable, code))).toEqual([]);
});
