import { describe, expect, test } from 'vitest';
import { grown } from './columns.ts';

describe('a column', () => {
  test('that has the room stays as it is', () => {
    const column = new Int32Array([1, 2, 3]);
    expect(grown(column, 2)).toBe(column);
    expect(grown(column, 3)).toBe(column);
  });

  test('grows by half at least, a large one by an eighth, is never tiny, and keeps its kind and what it holds', () => {
    expect(grown(new Int32Array([1, 2, 3]), 4)).toEqual(
      Int32Array.of(1, 2, 3, ...Array.from({ length: 61 }, () => 0)),
    );
    expect(grown(new Uint8Array(1_000).fill(7), 1_001)).toHaveLength(1_500);
    expect(grown(new Uint8Array(1_000).fill(7), 1_001).slice(998, 1_002)).toEqual(Uint8Array.of(7, 7, 0, 0));
    expect(grown(new Int32Array(101), 102)).toHaveLength(152);
    expect(grown(new Float64Array([0.5]), 5_000)).toHaveLength(5_000);
    expect(grown(new Float64Array([0.5]), 5_000)[0]).toBe(0.5);
    expect(grown(new Uint8Array(2 ** 20 - 2), 2 ** 20 - 1)).toHaveLength(1.5 * 2 ** 20 - 3);
    expect(grown(new Uint8Array(2 ** 20), 2 ** 20 + 1)).toHaveLength(1.125 * 2 ** 20);
  });
});
