import { describe, expect, test } from 'vitest';
import { DecisionCache, none } from './decision-cache.ts';

describe('remembered decisions', () => {
  test('are found by their whole key', () => {
    const cache = new DecisionCache(64);
    cache.store(1, 2, 3, 40, 5);
    expect(cache.find(1, 2, 3, 0)).toBe(40);
    expect(cache.find(2, 2, 3, 0)).toBe(none);
    expect(cache.find(1, 3, 3, 0)).toBe(none);
    expect(cache.find(1, 2, 4, 0)).toBe(none);
    expect(new DecisionCache(64).find(0, 0, 0, 0)).toBe(none);
  });

  test('are found by nobody else where there is room for one only', () => {
    const cache = new DecisionCache(1);
    cache.store(1, 2, 3, 40, 5);
    for (const [principal, action, place] of [
      [2, 2, 3],
      [1, 3, 3],
      [1, 2, 4],
      [0, 0, 0],
    ] as const) {
      expect(cache.find(principal, action, place, 0)).toBe(none);
    }
    expect(cache.find(1, 2, 3, 0)).toBe(40);
    cache.store(0, 0, 0, -16, 5);
    expect(cache.find(0, 0, 0, 0)).toBe(-16);
    expect(cache.find(1, 2, 3, 0)).toBe(none);
  });

  test('count until something changes after them', () => {
    const cache = new DecisionCache(64);
    cache.store(1, 2, 3, 40, 5);
    expect(cache.find(1, 2, 3, 5)).toBe(40);
    expect(cache.find(1, 2, 3, 6)).toBe(none);
    cache.store(1, 2, 3, 41, 6);
    expect(cache.find(1, 2, 3, 6)).toBe(41);
  });

  test('are all gone when they are cleared', () => {
    const cache = new DecisionCache(64);
    for (let i = 0; i < 64; i++) cache.store(i, i, i, i, 1);
    cache.clear();
    for (let i = 0; i < 64; i++) expect(cache.find(i, i, i, 0)).toBe(none);
  });

  test('lie apart: of as many as there is room for most are found', () => {
    const cache = new DecisionCache(4_096);
    const ways: readonly ((i: number) => readonly [number, number, number])[] = [
      (i) => [i, 1, 1],
      (i) => [1, i, 1],
      (i) => [1, 1, i],
    ];
    for (const vary of ways) {
      for (let i = 0; i < 1_000; i++) cache.store(...vary(i), i, 1);
      let found = 0;
      for (let i = 0; i < 1_000; i++) if (cache.find(...vary(i), 0) === i) found++;
      expect(found).toBeGreaterThan(700);
    }
  });

  test('of one question, named and only yes or no, lie apart however few there is room for', () => {
    for (let size = 4; size <= 2 ** 16; size *= 2) {
      const cache = new DecisionCache(size);
      for (let i = 0; i < 100; i++) {
        cache.store(i, i + 1, i + 2, 40, 1);
        cache.store(i, i + 1, (i + 2) | (1 << 30), 1, 1);
        expect(cache.find(i, i + 1, i + 2, 0)).toBe(40);
        expect(cache.find(i, i + 1, (i + 2) | (1 << 30), 0)).toBe(1);
      }
    }
  });

  test('are not asked for a while when they seldom help', () => {
    const cache = new DecisionCache(64);
    const ask = (times: number, hits: number) => {
      for (let i = 0; i < times; i++) cache.find(1, 2, i < hits ? 3 : 9, 0);
    };
    cache.store(1, 2, 3, 40, 1);
    ask(4_096, 512);
    expect(cache.worthwhile).toBe(true);
    ask(4_095, 511);
    expect(cache.worthwhile).toBe(true);
    ask(1, 0);
    let rest = 0;
    while (!cache.worthwhile) rest++;
    expect(rest).toBe(65_536);
    ask(4_096, 512);
    expect(cache.worthwhile).toBe(true);
  });

  test('are not asked for longer and longer, until they help', () => {
    const cache = new DecisionCache(64);
    const rests = (): number => {
      for (let i = 0; i < 4_096; i++) cache.find(1, 2, 9, 0);
      let rest = 0;
      while (!cache.worthwhile) rest++;
      return rest;
    };
    expect([rests(), rests(), rests(), rests()]).toEqual([65_536, 131_072, 262_144, 262_144]);
    cache.store(1, 2, 3, 40, 1);
    for (let i = 0; i < 4_096; i++) cache.find(1, 2, 3, 0);
    expect(rests()).toBe(65_536);
  });
});
