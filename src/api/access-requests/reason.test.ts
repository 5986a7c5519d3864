import { describe, expect, it, test } from 'vitest';
import { isLockstepError } from '../../lib/errors.ts';
import { longestReason, reasonOf } from './reason.ts';

test('a reason is what was written, its ends trimmed and its lines ended alike', () => {
  expect(reasonOf('  For the paper.\r\nUntil May.\r ')).toBe('For the paper.\nUntil May.');
  expect(reasonOf('Für das Papier 👩‍🔬 論文')).toBe('Für das Papier 👩‍🔬 論文');
  expect(reasonOf('👩'.repeat(longestReason))).toHaveLength(2 * longestReason);
});

describe('a reason is refused', () => {
  it.each<[string, string]>([
    ['that is empty', ''],
    ['that is nothing but space', ' \n\t '],
    ['that is too long', 'x'.repeat(longestReason + 1)],
    ['that steers a terminal', 'a\u001b]0;b\u0007'],
    ['that steers it with one character', 'a\u009b31m'],
    ['that ends a text of C', 'a\u0000b'],
    ['that turns text around', 'a\u202eb'],
    ['that hides text', 'a\u200bb'],
    ['that ends a line in another way', 'a\u2028b'],
    ['that is no text', 'a\ud800b'],
  ])('%s', (_what, written) => {
    expect(() => reasonOf(written)).toThrow(expect.toSatisfy(isLockstepError) as Error);
  });
});
