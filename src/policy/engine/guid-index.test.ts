import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dice } from '../testing/dice.ts';
import { runs } from '../testing/runs.ts';
import { GuidIndex } from './guid-index.ts';

const guid = '0f9a1b2c-3d4e-5f60-718a-9bcdef012345';

function dashed(digits: string): string {
  return [8, 12, 16, 20, 32].map((end, i) => digits.slice([0, 8, 12, 16, 20][i], end)).join('-');
}

/** `count` GUIDs that differ in any of their digits. */
function guids(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const digits = Array.from(guid.replaceAll('-', ''));
    for (let at = 0, rest = i; rest > 0; at = (at + 5) % 32, rest >>= 4)
      digits[at] = (rest & 15).toString(16);
    return dashed(digits.join(''));
  });
}

describe('an index of GUIDs', () => {
  test('is a map, whatever comes and goes', () => {
    const ids = [
      ...new Set(guids(200)),
      ...Array.from({ length: 60 }, (_, i) => dashed(String(i * 7).padStart(32, '0'))),
    ];
    ids.push('root', '', guid.toUpperCase(), `${guid}0`, guid.slice(1), guid.slice(0, 35));
    const step = fc.record({ id: fc.constantFrom(...ids), add: fc.boolean(), value: fc.nat(1_000) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 300, size: 'max' }), (steps) => {
        const index = new GuidIndex();
        const model = new Map<string, number>();
        for (const { id, add, value } of steps) {
          if (!add) expect(index.remove(id)).toBe(model.delete(id));
          else if (!model.has(id)) {
            index.add(id, value);
            model.set(id, value);
          }
          expect(index.size).toBe(model.size);
        }
        for (const id of ids) expect(index.get(id)).toBe(model.get(id) ?? -1);
      }),
      { seed: 20_261_125, numRuns: runs(60) },
    );
  });

  test('tells apart GUIDs that differ in one digit, wherever it is', () => {
    const index = new GuidIndex();
    const all = new Set<string>();
    for (let at = 0; at < 36; at++) {
      if (guid[at] === '-') continue;
      for (const digit of '0123456789abcdef') all.add(guid.slice(0, at) + digit + guid.slice(at + 1));
    }
    for (const [i, id] of [...all].entries()) index.add(id, i);
    expect(Array.from(all, (id) => index.get(id))).toEqual(Array.from(all, (_, i) => i));
  });

  test('takes nobody for somebody else, whatever character stands in the place of one of a GUID', () => {
    const index = new GuidIndex();
    index.add(guid, 7);
    const others = Array.from({ length: 0x600 }, (_, code) => String.fromCharCode(code));
    others.push('０', '\ud800', '😀', 'K', 'ſ');
    const wrong: string[] = [];
    for (let at = 0; at < 36; at++) {
      for (const other of others) {
        if (other === guid[at]) continue;
        // As many characters, or as many bytes, as a GUID has.
        const [alike, ofItsBytes] = [at + 1, at + 2].map(
          (from) => guid.slice(0, at) + other + guid.slice(from),
        );
        if (index.get(alike!) !== -1) wrong.push(alike!);
        if (at < 35 && index.get(ofItsBytes!) !== -1) wrong.push(ofItsBytes!);
      }
    }
    expect(wrong).toEqual([]);
    expect(index.get(guid)).toBe(7);
  });

  test('keeps GUIDs as numbers, and finds them at once wherever their digits differ', () => {
    for (let from = 0; from < 32; from += 4) {
      const index = new GuidIndex();
      const all = Array.from({ length: 700 }, (_, i) => {
        const digits = guid.replaceAll('-', '');
        return dashed(digits.slice(0, from) + i.toString(16).padStart(4, '0') + digits.slice(from + 4));
      });
      for (const [i, id] of all.entries()) index.add(id, i);
      expect([index.size, index.texts]).toEqual([700, 0]);
      let passed = 0;
      for (const id of all) passed += index.passedBy(id);
      expect([from, passed < all.length]).toEqual([from, true]);
    }
  });

  test('holds any GUIDs, and passes by few to find one', () => {
    const roll = dice(7);
    for (let count = 1; count <= 42; count++) {
      const index = new GuidIndex();
      const all = Array.from({ length: count }, () =>
        dashed(Array.from({ length: 32 }, () => roll(16).toString(16)).join('')),
      );
      for (const [i, id] of all.entries()) index.add(id, i);
      const passed = all.map((id) => index.passedBy(id));
      expect(Math.min(...passed)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...passed)).toBeLessThan(count);
      expect(all.map((id) => index.get(id))).toEqual(all.map((_, i) => i));
      for (const id of all) expect([index.remove(id), index.get(id)]).toEqual([true, -1]);
    }
  });

  test('keeps other texts of 36 characters as they are', () => {
    const index = new GuidIndex();
    const others = Array.from({ length: 36 }, (_, at) => `${guid.slice(0, at)}z${guid.slice(at + 1)}`);
    others.push(guid.toUpperCase(), guid.replaceAll('-', '_'), 'é'.repeat(36), 'x'.repeat(36));
    for (const [i, id] of others.entries()) index.add(id, i);
    expect(others.map((id) => index.get(id))).toEqual(others.map((_, i) => i));
    expect(index.get(guid)).toBe(-1);
    expect(index.texts).toBe(others.length);
  });
});
