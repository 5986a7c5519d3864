import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LockstepError } from '../lib/errors.ts';
import { growth } from '../policy/testing/growth.ts';
import { runs } from '../policy/testing/runs.ts';
import { parseFilter as armFilter } from './arm/authorization/filter.ts';
import { parseFilter as graphFilter } from './graph/odata.ts';

const seed = 20_261_125;
const pieces = fc.constantFrom(
  'principalId',
  'roleName',
  'displayName',
  'constructor',
  '__proto__',
  'atScope()',
  'assignedTo(',
  'startswith(',
  'mail/any(x:',
  'eq',
  ' and ',
  ' or ',
  "'",
  "''",
  "'a''b'",
  '(',
  ')',
  ',',
  ' ',
  'true',
  'x',
  ':',
  "'8e3af657-a8ff-443c-a75c-2fe8c4bcb635'",
  '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
);
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
  fc.array(pieces, { maxLength: 12 }).map((all) => all.join(' ')),
);
const clauses = ['atScope', 'assignedTo', 'principalId', 'roleName', 'type'] as const;
const parsers = {
  "the resource manager's": (text: string): unknown => armFilter(text, clauses),
  "Graph's": (text: string): unknown => graphFilter(text)({ id: 'x', displayName: 'a' }),
};

describe.each(Object.entries(parsers))('%s filter', (_of, parse) => {
  test('is understood, or refused as an invalid request, whatever it is', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(LockstepError);
          expect(error).toMatchObject({ code: 'invalid_request' });
        }
      }),
      { seed, numRuns: runs(3_000) },
    );
  });

  test.each<[string, (size: number) => string]>([
    ['quotes', (size) => `roleName eq '${"''".repeat(size)}`],
    ['spaces', (size) => `roleName${' '.repeat(size)}eq`],
    ['letters', (size) => 'a'.repeat(size)],
    ['clauses', (size) => "displayName eq 'a' and ".repeat(size / 10)],
  ])('takes no longer than its length of %s would have it', (_what, text) => {
    const refused = (size: number): void => {
      try {
        parse(text(size));
      } catch (error) {
        expect(error).toBeInstanceOf(LockstepError);
      }
    };
    expect(growth(refused, 200)).toBeLessThan(40);
  });
});

test('a quoted text is the value, doubled quotes one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), (value) => {
      const quoted = `'${value.replaceAll("'", "''")}'`;
      expect(armFilter(`roleName eq ${quoted}`, clauses).roleName).toBe(value.toLowerCase());
      const same = graphFilter(`displayName eq ${quoted}`);
      expect(same({ id: 'x', displayName: value })).toBe(true);
      expect(same({ id: 'x', displayName: `${value}!` })).toBe(false);
    }),
    { seed, numRuns: runs(1_000) },
  );
});
