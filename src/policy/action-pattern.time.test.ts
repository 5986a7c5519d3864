import { describe, expect, test } from 'vitest';
import { processorMilliseconds } from '../lib/testing/processor-time.ts';
import { compileActionPattern } from './action-pattern.ts';

describe('an action pattern', () => {
  test('takes time linear in the action for patterns made to be slow', () => {
    const slow = compileActionPattern(`*${'a'.repeat(400)}b*${'a'.repeat(400)}b*`);
    const timeFor = (length: number): number => {
      const action = 'a'.repeat(length);
      return processorMilliseconds(() => {
        for (let i = 0; i < 20; i++) slow.matches(action);
      });
    };
    timeFor(20_000);
    const best = (length: number): number => Math.min(timeFor(length), timeFor(length), timeFor(length));
    expect(best(160_000) / best(20_000)).toBeLessThan(24);
  });
});
