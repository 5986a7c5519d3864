import { describe, expect, it } from 'vitest';
import { RandomPool } from './random-pool.ts';

describe('a pool of random bytes', () => {
  it('gives out nothing twice, as bytes or as text, past what it draws at once', () => {
    const pool = new RandomPool(16);
    const given = new Set<string>();
    for (let i = 0; i < 3_000; i++)
      given.add(i % 2 === 0 ? pool.next().toString('base64url') : pool.nextText());
    expect(given.size).toBe(3_000);
  });

  it('gives text that is base64url of as many bytes', () => {
    const pool = new RandomPool(16);
    for (let i = 0; i < 100; i++) {
      const text = pool.nextText();
      expect(Buffer.from(text, 'base64url')).toHaveLength(16);
      expect(Buffer.from(text, 'base64url').toString('base64url')).toBe(text);
    }
  });
});
