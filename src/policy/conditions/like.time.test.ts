import { describe, expect, test } from 'vitest';
import { compileLike } from './like.ts';

describe('a StringLike pattern', () => {
  test('that is hostile takes bounded time', () => {
    const start = performance.now();
    expect(compileLike('*a'.repeat(500) + 'b')('a'.repeat(4_000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});
