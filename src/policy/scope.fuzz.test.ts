import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileActionPattern } from './action-pattern.ts';
import { caseSensitiveSegment, isNormalScope, isWithin, normalizeScope, scopeAndAncestors } from './scope.ts';
import { growth } from './testing/growth.ts';
import { wildcardMatch } from './testing/reference-evaluator.ts';
import { runs } from './testing/runs.ts';

const seed = 20_261_125;
const segment = fc.oneof(
  fc.constantFrom(
    'a',
    'B',
    '.',
    '..',
    '...',
    '',
    ' ',
    '%2e',
    '\\',
    '?',
    '#',
    '\u0130',
    '\ud800',
    'ß',
    '\u007f',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .tuple(fc.constantFrom('', '/', '//'), fc.array(segment, { maxLength: 5 }))
    .map(([lead, all]) => lead + all.join('/')),
);

test('a normal form is normal, its own normal form, and beneath each of its ancestors', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const scope = normalizeScope(text);
      expect(isNormalScope(text)).toBe(scope === text);
      if (scope === null) return;
      expect(normalizeScope(scope)).toBe(scope);
      const ancestors = scopeAndAncestors(scope);
      expect(ancestors.at(-1)).toBe('/');
      expect(ancestors.every((ancestor) => isWithin(scope, ancestor) && isNormalScope(ancestor))).toBe(true);
    }),
    { seed, numRuns: runs(5_000) },
  );
});

test('two names never share a segment, and each segment is a scope’s', () => {
  const name = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(name, name, (a, b) => {
      const [one, other] = [a, b].map((it) => normalizeScope(`/c/${caseSensitiveSegment(it)}`));
      expect(one).not.toBeNull();
      expect(one === other).toBe(a === b);
    }),
    { seed, numRuns: runs(3_000) },
  );
});

test('an action pattern matches what a regular expression and the reference match', () => {
  const char = fc.constantFrom('a', 'A', 'b', '/', '*', '.', '+', '(', '\\', '\n', 'İ', 'ſ');
  const text = fc.string({ unit: char, maxLength: 12 });
  fc.assert(
    fc.property(text, text, (pattern, action) => {
      const literal = (part: string): string => part.toLowerCase().replaceAll(/[.+()\\/]/g, '\\$&');
      const oracle = new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`, 's');
      const ours = compileActionPattern(pattern).matches(action.toLowerCase());
      expect(ours).toBe(oracle.test(action.toLowerCase()));
      expect(wildcardMatch(pattern, action)).toBe(ours);
    }),
    { seed, numRuns: runs(10_000) },
  );
});

test('time grows with the text, not faster', () => {
  expect(growth((size) => normalizeScope(`/a${'/a'.repeat(size)}`), 250)).toBeLessThan(40);
  const pattern = compileActionPattern(`${'*ab'.repeat(20)}*b`);
  expect(growth((size) => pattern.matches('ab'.repeat(size) + 'a'), 2_000)).toBeLessThan(40);
});
