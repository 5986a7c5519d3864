import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileActionPattern } from './action-pattern.ts';
import { runs } from './testing/runs.ts';
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
      { seed: 1, numRuns: runs(5_000) },
    );
    expect(result).toMatchObject({ failed: false });
  });

  test('is right about every short text, however its parts overlap', () => {
    const texts = (units: string, longest: number): string[] => {
      let all = [''];
      for (let i = 0; i < longest; i++)
        all = [...new Set([...all, ...all.flatMap((it) => units.split('').map((unit) => it + unit))])];
      return all;
    };
    const actions = texts('ab', 6);
    const wrong: string[] = [];
    const check = (text: string): void => {
      const oracle = new RegExp(`^${text.split('*').join('.*')}$`, 's');
      const pattern = compileActionPattern(text);
      for (const action of actions)
        if (pattern.matches(action) !== oracle.test(action)) wrong.push(`${text} ${action}`);
    };
    for (const text of texts('ab*', 5)) check(text);
    for (const part of texts('ab', 6)) check(`*${part}*`);
    expect(wrong).toEqual([]);
  });

  test('is compiled once, as long as it is remembered among some thousands', () => {
    const first = compileActionPattern('remembered/*');
    expect(compileActionPattern('remembered/*')).toBe(first);
    expect(compileActionPattern('remembered/*').text).toBe('remembered/*');
    let later = 0;
    while (compileActionPattern('remembered/*') === first && later < 20_000)
      compileActionPattern(`a/${++later}`);
    const again = compileActionPattern('remembered/*');
    let others = 0;
    while (compileActionPattern('remembered/*') === again && others < 20_000)
      compileActionPattern(`b/${++others}`);
    // Beside itself, and the one for which the others were forgotten: 8,192, and one too many.
    expect(others).toBe(8_191);
  });

  test.each(['a/b', 'a/*', 'a/*/b*c'])('%s tells how it is written', (text) => {
    expect(compileActionPattern(text.toUpperCase()).text).toBe(text.toUpperCase());
  });
});
