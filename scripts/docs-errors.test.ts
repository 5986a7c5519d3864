import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorTable, type ErrorCode } from '../src/lib/errors.ts';

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
  for (const [code, row] of Object.entries(errorTable)) expect(documented.get(code), code).toEqual(row);
});

test('every documented code exists', () => {
  for (const code of documented.keys()) expect(errorTable[code as ErrorCode], code).toBeDefined();
});
