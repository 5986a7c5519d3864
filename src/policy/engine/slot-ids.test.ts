import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../testing/runs.ts';
import { SlotIds } from './slot-ids.ts';

describe('ids of slots', () => {
  test('are a map, however many come and go', () => {
    const names = fc.integer({ min: 0, max: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.boolean()), { maxLength: 200, size: 'max' }), (steps) => {
        const idOf = (slot: number) => `id-${slot}`;
        const ids = new SlotIds(idOf);
        const model = new Set<number>();
        for (const [slot, added] of steps) {
          if (added && !model.has(slot)) {
            ids.add(idOf(slot), slot);
            model.add(slot);
          } else if (!added) {
            ids.remove(idOf(slot));
            model.delete(slot);
          }
          expect(ids.size).toBe(model.size);
          expect(ids.get(idOf(slot))).toBe(model.has(slot) ? slot : -1);
        }
        for (let slot = 0; slot <= 60; slot++) expect(ids.get(idOf(slot))).toBe(model.has(slot) ? slot : -1);
        expect([...ids.slots()].sort((a, b) => a - b)).toEqual([...model].sort((a, b) => a - b));
      }),
      { seed: 20_261_125, numRuns: runs(100) },
    );
  });

  test('are told apart whatever their hashes', () => {
    // These two have the same sum in the usual hash of texts.
    const texts = ['Aa', 'BB', 'AaAa', 'BBBB', 'AaBB', 'BBAa'];
    const ids = new SlotIds((slot) => texts[slot] ?? '');
    for (const [slot, text] of texts.entries()) ids.add(text, slot);
    for (const [slot, text] of texts.entries()) expect(ids.get(text)).toBe(slot);
    ids.remove('BB');
    ids.remove('BBBB');
    expect(texts.map((text) => ids.get(text))).toEqual([0, -1, 2, -1, 4, 5]);
  });

  test('are thousands', () => {
    const ids = new SlotIds((slot) => `${slot}`);
    for (let slot = 0; slot < 5_000; slot++) ids.add(`${slot}`, slot);
    for (let slot = 0; slot < 5_000; slot += 3) ids.remove(`${slot}`);
    for (let slot = 0; slot < 5_000; slot++) expect(ids.get(`${slot}`)).toBe(slot % 3 === 0 ? -1 : slot);
  });
});
