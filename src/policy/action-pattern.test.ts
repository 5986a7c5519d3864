import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileActionPattern } from './action-pattern.ts';
import { wildcardMatch } from './testing/reference-evaluator.ts';

describe('an action pattern', () => {
  test.each([
    ['*', 'anything/at/all', true],
    ['*/read', 'n/t/read', true],
    ['*/read', 'n/t/readonly', false],
    ['*/read', '/read', true],
    ['*/read', 'read', false],
    ['n/*/read', 'n/a/b/c/read', true],
    ['n/*/read', 'n/read', false],
    ['N/T/*', 'n/t/', true],
    ['n/t/read', 'n/t/read', true],
    ['n/t/read', 'n/t/read/x', false],
    ['ab*ba', 'aba', false],
    ['a*b*c', 'axbxbxc', true],
    ['a**c', 'ac', true],
    ['n/.*', 'n/xyz', false],
    ['n/(a+)+$', 'n/(a+)+$', true],
    ['n/t?', 'n/t1', false],
    ['', '', true],
    ['', 'a', false],
  ])('%s against %s: %s', (pattern, action, expected) => {
    expect(compileActionPattern(pattern).matches(action)).toBe(expected);
  });

  const shortText = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 12 });
  const plainText = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 24 });

  test('matches what its definition matches, and what the equivalent regular expression does', () => {
    const result = fc.check(
      fc.property(shortText, plainText, (pattern, action) => {
        const answer = compileActionPattern(pattern).matches(action);
        const oracle = new RegExp(`^${pattern.split('*').join('.*')}$`, 's').test(action);
        return answer === oracle && answer === wildcardMatch(pattern, action);
      }),
      { seed: 1, numRuns: 5_000 },
    );
    expect(result).toMatchObject({ failed: false });
  });

  test('takes time linear in the action for patterns made to be slow', () => {
    const slow = compileActionPattern(`*${'a'.repeat(400)}b*${'a'.repeat(400)}b*`);
    const timeFor = (length: number): number => {
      const action = 'a'.repeat(length);
      const start = performance.now();
      for (let i = 0; i < 20; i++) slow.matches(action);
      return performance.now() - start;
    };
    timeFor(20_000);
    const best = (length: number): number => Math.min(timeFor(length), timeFor(length), timeFor(length));
    expect(best(160_000) / best(20_000)).toBeLessThan(24);
  });
});
