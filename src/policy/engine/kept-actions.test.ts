import { describe, expect, test } from 'vitest';
import { KeptActions } from './kept-actions.ts';

/** Of every length, many alike. */
const names = Array.from(
  { length: 700 },
  (_, i) => [`n/${i}/read`, `n${'x'.repeat(i % 40)}/${i}`, `${i}`][i % 3]!,
);

describe('kept actions', () => {
  test('are found by their name in any case, in their own plane only', () => {
    const kept = new KeptActions();
    expect(kept.find('n/read', false)).toBe(-1);
    const wrong: unknown[] = [];
    const check = (upTo: number): void => {
      for (const [i, name] of names.entries()) {
        for (const plane of [false, true]) {
          const expected = i < upTo ? i * 2 + (plane ? 1 : 0) : -1;
          const spellings = [name, name.toUpperCase(), name, name.replace('n', 'N')];
          const found = spellings.map((each) => kept.find(each, plane));
          if (found.some((number) => number !== expected)) wrong.push({ name, plane, found, expected });
        }
      }
    };
    for (const [i, name] of names.entries()) {
      kept.add(name, false, i * 2);
      kept.add(name, true, i * 2 + 1);
      if (i === 60 || i === 64 || i === 127) check(i + 1);
    }
    check(names.length);
    expect(wrong).toEqual([]);
    for (const other of ['', 'n', 'n/', 'n/0/rea', 'n/0/readx', 'm/0/read', 'N/0/READ ']) {
      expect([other, kept.find(other, false)]).toEqual([other, -1]);
    }
  });

  test('are looked for by what was read last', () => {
    const kept = new KeptActions();
    kept.add('a', false, 0);
    kept.add('b', false, 1);
    kept.read('B', false);
    expect(kept.found('B', false)).toBe(1);
    kept.read('a', false);
    expect(kept.found('a', false)).toBe(0);
  });
});
