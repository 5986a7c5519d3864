import { describe, expect, test } from 'vitest';
import { compileActionPattern } from './action-pattern.ts';

describe('an action pattern', () => {
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
