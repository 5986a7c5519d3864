import { describe, expect, test } from 'vitest';
import { processorMilliseconds } from '../../lib/testing/processor-time.ts';
import { compileCondition } from './compile.ts';
import type { ConditionContext } from './evaluate.ts';
import { compileLike } from './like.ts';

describe('a StringLike pattern', () => {
  test('that is hostile takes bounded time', () => {
    const taken = processorMilliseconds(() => {
      expect(compileLike('*a'.repeat(500) + 'b')('a'.repeat(4_000))).toBe(false);
    });
    expect(taken).toBeLessThan(1_000);
  });
});

describe('a condition', () => {
  const patterns = Array.from({ length: 800 }, (_, i) => `'*b${i}*'`).join();
  const long = Array.from({ length: 256 }, () => 'a'.repeat(4_000));

  test.each([
    ['patterns in its text', `@Resource[a] ForAnyOfAnyValues:StringLike {${patterns}}`],
    ['patterns that are told', '@Resource[a] ForAnyOfAnyValues:StringLike @Resource[a]'],
    ['texts without case', '@Resource[a] ForAllOfAllValues:StringNotEqualsIgnoreCase @Request[b]'],
    [
      'all of it again and again',
      Array(90).fill('@Resource[a] ForAnyOfAnyValues:StringLike @Request[b]').join(' OR '),
    ],
  ])('that compares more than can be told in bounded time is an error: %s', (_, text) => {
    const compiled = compileCondition(text);
    if (compiled.kind === 'error') throw new TypeError(compiled.message);
    const context: ConditionContext = {
      action: 'x/read',
      subOperation: null,
      attribute: (source) => (source === 'request' ? long.map((each) => `*${each}b*`) : long),
    };
    const { condition } = compiled;
    const taken = processorMilliseconds(() => {
      expect(condition.evaluate(context)).toBe('error');
    });
    expect(taken).toBeLessThan(500);
    const few = { ...context, attribute: () => ['a'] };
    expect(condition.evaluate(few)).not.toBe('error');
  });
});
