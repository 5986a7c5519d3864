import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../testing/runs.ts';
import { hashOf, OwnTables } from './own-tables.ts';

/** Few scopes, and some that lie far apart. */
const scopes = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 2 ** 20 }));
const steps = fc.array(
  fc.record({ table: fc.integer({ min: 0, max: 3 }), scope: scopes, slot: fc.integer({ min: -3, max: 9 }) }),
  { minLength: 20, maxLength: 120, size: 'max' },
);

function heads(tables: OwnTables, table: number): number[] {
  const found: number[] = [];
  tables.eachHead(table, (slot) => found.push(slot));
  return found.sort((a, b) => a - b);
}

describe('own tables', () => {
  test('are maps from scopes to slots, however they grow and shrink side by side', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const tables = new OwnTables();
        const places = [0, 0, 0, 0];
        const models = places.map(() => new Map<number, number>());
        for (const { table, scope, slot } of all) {
          const model = models[table];
          places[table] = tables.set(places[table] ?? 0, scope, slot);
          if (slot < 0) model?.delete(scope);
          else model?.set(scope, slot);
          for (const [i, each] of places.entries()) {
            expect(tables.get(each, scope)).toBe(models[i]?.get(scope) ?? -1);
          }
        }
        for (const [i, place] of places.entries()) {
          const expected = models[i] ?? new Map<number, number>();
          expect(place === 0).toBe(expected.size === 0);
          expect(heads(tables, place)).toEqual([...expected.values()].sort((a, b) => a - b));
          expect(Array.from(expected.keys(), (scope) => tables.get(place, scope))).toEqual([
            ...expected.values(),
          ]);
          for (const scope of expected.keys()) expect(tables.mayHave(place, hashOf(scope))).toBe(true);
        }
      }),
      { seed: 20_261_125, numRuns: runs(100) },
    );
  });

  test('hold thousands of scopes, and give back what they no longer need', () => {
    const tables = new OwnTables();
    const fill = (): number => {
      let table = 0;
      for (let scope = 0; scope < 3_000; scope++) table = tables.set(table, scope * 7, scope);
      return table;
    };
    const first = fill();
    for (let scope = 0; scope < 3_000; scope++) expect(tables.get(first, scope * 7)).toBe(scope);
    expect(tables.get(first, 1)).toBe(-1);
    let table = first;
    for (let scope = 0; scope < 3_000; scope += 2) table = tables.set(table, scope * 7, -1);
    for (let scope = 0; scope < 3_000; scope++) {
      expect(tables.get(table, scope * 7)).toBe(scope % 2 === 0 ? -1 : scope);
    }
    for (let scope = 1; scope < 3_000; scope += 2) table = tables.set(table, scope * 7, -1);
    expect(table).toBe(0);
    expect(heads(tables, table)).toEqual([]);
    // The second time there is room where the first tables were.
    expect(fill()).toBe(first);
  });

  test('tell most scopes that they do not hold from one look, also after many came and went', () => {
    const tables = new OwnTables();
    let table = 0;
    const put = (from: number, slot: number): void => {
      for (let scope = from; scope < from + 1_000; scope++) table = tables.set(table, scope, slot);
    };
    const passed = (from: number): number => {
      let count = 0;
      for (let scope = from; scope < from + 1_000; scope++) if (tables.mayHave(table, hashOf(scope))) count++;
      return count;
    };
    for (let round = 0; round < 20; round++) {
      put(round * 1_000, 1);
      expect(passed(round * 1_000)).toBe(1_000);
      if (round > 0) put((round - 1) * 1_000, -1);
    }
    expect(passed(200_000)).toBeLessThan(500);
  });

  test('make small tables where large ones were', () => {
    const tables = new OwnTables();
    let large = 0;
    for (let scope = 0; scope < 700; scope++) large = tables.set(large, scope, scope);
    const end = large + 2_179;
    for (let scope = 0; scope < 700; scope++) large = tables.set(large, scope, -1);
    const small = Array.from({ length: 300 }, (_, i) => tables.set(0, i, i));
    expect(Math.max(...small)).toBeLessThan(end);
    expect(small.map((table, i) => tables.get(table, i))).toEqual(small.map((_, i) => i));
    expect(new Set(small).size).toBe(300);
  });

  test('know nothing of a table that is empty, and take nothing out of it', () => {
    const tables = new OwnTables();
    expect(tables.get(0, 0)).toBe(-1);
    expect(tables.set(0, 5, -1)).toBe(0);
    const table = tables.set(0, 5, 1);
    expect(tables.set(table, 6, -1)).toBe(table);
    expect(tables.get(table, 5)).toBe(1);
  });
});
