import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../testing/runs.ts';
import { ScopeTexts } from './scope-texts.ts';

function find(texts: ScopeTexts, text: string): number {
  texts.read(text);
  return texts.find(text, text.length);
}

describe('texts of scopes', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', 'ĳ'), maxLength: 9 });

  test('are a map, and so are their prefixes', () => {
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 30 }), fc.array(text), (all, others) => {
        const texts = new ScopeTexts();
        for (const [entry, each] of all.entries()) texts.add(each, entry);
        const kept = new Map(all.map((each, entry) => [each, entry]));
        const check = () => {
          for (const each of [...all, ...others]) {
            expect(find(texts, each)).toBe(kept.get(each) ?? -1);
            for (let length = 0; length <= each.length; length++) {
              expect(texts.find(each, length)).toBe(kept.get(each.slice(0, length)) ?? -1);
            }
          }
        };
        check();
        for (const [each, entry] of kept) {
          if (entry % 2 === 0) continue;
          expect(texts.text(entry)).toBe(each);
          texts.remove(entry);
          expect(texts.text(entry)).toBe('');
          kept.delete(each);
          texts.remove(entry);
        }
        check();
      }),
      { seed: 20_261_125, numRuns: runs(200) },
    );
  });

  test('are thousands, and one that is gone makes room for another of its number', () => {
    const texts = new ScopeTexts();
    const named = (i: number) => `/subscriptions/${i}/resourcegroups/group${i % 7}`;
    for (let i = 0; i < 3_000; i++) texts.add(named(i), i);
    for (let i = 0; i < 3_000; i += 2) texts.remove(i);
    for (let i = 0; i < 3_000; i++) expect(find(texts, named(i))).toBe(i % 2 === 0 ? -1 : i);
    for (let i = 0; i < 3_000; i += 2) texts.add(`${named(i)}/again`, i);
    for (let i = 0; i < 3_000; i++) expect(find(texts, `${named(i)}/again`)).toBe(i % 2 === 0 ? i : -1);
  });

  test('may have numbers far beyond how many they are', () => {
    const texts = new ScopeTexts();
    for (const entry of [70_000, 3, 1_000_000]) texts.add(`/${entry}`, entry);
    for (const entry of [70_000, 3, 1_000_000]) expect(find(texts, `/${entry}`)).toBe(entry);
    texts.remove(70_000);
    expect(['/70000', '/3', '/1000000', '/4'].map((each) => find(texts, each))).toEqual([
      -1, 3, 1_000_000, -1,
    ]);
  });

  test('have slashes, the last one before a place', () => {
    const texts = new ScopeTexts();
    texts.read('/ab/c');
    expect([0, 1, 2, 3, 4, 5].map((end) => texts.lastSlash('/ab/c', end))).toEqual([-1, 0, 0, 0, 3, 3]);
    texts.read('ab');
    expect(texts.lastSlash('ab', 2)).toBe(-1);
    // The lower half of each of these is the code of a slash.
    texts.read('/a/bįcد丯');
    expect([7, 4, 2].map((end) => texts.lastSlash('/a/bįcد丯', end))).toEqual([2, 2, 0]);
  });

  test('may be as long as scopes are', () => {
    const texts = new ScopeTexts();
    const long = `/${'a'.repeat(4_095)}`;
    texts.add(long, 3);
    expect(find(texts, long)).toBe(3);
    expect(find(texts, `${long.slice(0, -1)}b`)).toBe(-1);
  });
});
