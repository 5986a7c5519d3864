import { describe, expect, test } from 'vitest';
import { gateOf } from './gate.ts';

describe('a gate', () => {
  test('is there for a text only', () => {
    for (const none of [null, undefined, '', ' \n']) expect(gateOf(none)).toBe(null);
    expect(gateOf('Exists @Request[x]')?.condition?.text).toBe('Exists @Request[x]');
    expect(gateOf('Exists @Request[x]')?.text).toBe('Exists @Request[x]');
  });

  test('of a text that is no condition has none, which is not the same as being open', () => {
    expect(gateOf('Exists')).toEqual({ text: 'Exists', condition: null });
  });

  test('is one for all that have the same text, as long as it is remembered', () => {
    const text = "@Request[x] StringEquals 'gate'";
    expect(gateOf(text)).toBe(gateOf(text));
    expect(gateOf(text)).not.toBe(gateOf(`${text} `));
  });

  test('is remembered among a thousand others, and forgotten among more', () => {
    const numbered = (i: number) => gateOf(`@Request[x] NumericEquals ${i}`);
    const first = numbered(1);
    let later = 1;
    while (numbered(1) === first && later < 5_000) numbered(++later);
    const again = numbered(1);
    let others = 0;
    while (numbered(1) === again && others < 5_000) numbered(10_000 + ++others);
    // Beside itself, and the one for which the others were forgotten: 1,024, and one too many.
    expect(others).toBe(1_023);
  });
});
