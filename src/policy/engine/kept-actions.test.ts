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

  test('are found at once, wherever their names differ', () => {
    const letters = 'abcdefghijklmnopqrst';
    for (const name of ['contoso.a/b/read', 'contoso.a/bc/read']) {
      const kept = new KeptActions();
      const all = new Set<string>();
      for (let at = 0; at < name.length; at++)
        for (const letter of letters) all.add(name.slice(0, at) + letter + name.slice(at + 1));
      for (const [number, each] of [...all].entries()) kept.add(each, false, number);
      for (let at = 0; at < name.length; at++) {
        let passed = 0;
        for (const letter of letters)
          passed += kept.passedBy(kept.find(name.slice(0, at) + letter + name.slice(at + 1), false));
        expect([name, at, passed < letters.length * 2]).toEqual([name, at, true]);
      }
    }
  });

  test('are not taken for those of the other plane, however near they are', () => {
    const wrong: string[] = [];
    for (let times = 0; times < 30; times++) {
      const kept = new KeptActions();
      const all = Array.from({ length: 128 }, (_, i) => `n${'x'.repeat(i % 40)}/${times}/${i}`);
      for (const [number, name] of all.entries()) kept.add(name, times % 2 === 0, number);
      for (const name of all) if (kept.find(name, times % 2 === 1) !== -1) wrong.push(name);
    }
    expect(wrong).toEqual([]);
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
