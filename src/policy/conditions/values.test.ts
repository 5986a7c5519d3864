import { describe, expect, test } from 'vitest';
import { operators, type ValueType } from './operators.ts';
import type { Scalar } from './syntax.ts';
import { valueOf } from './values.ts';

const id = '5e467623-bb1f-42f4-a55d-6e525e11384b';

describe('a value', () => {
  test.each<[ValueType, Scalar, Scalar | null]>([
    ['string', 'Text', 'Text'],
    ['string', '', ''],
    ['string', 1, null],
    ['string', true, null],
    ['number', 7, 7],
    ['number', -7, -7],
    ['number', 7.5, null],
    ['number', 2 ** 53, null],
    ['number', Number.NaN, null],
    ['number', '12', 12],
    ['number', '-12', -12],
    ['number', '007', 7],
    ['number', '999999999999999', 999_999_999_999_999],
    ['number', '1234567890123456', null],
    ['number', '1.0', null],
    ['number', '1e3', null],
    ['number', ' 1', null],
    ['number', '+1', null],
    ['number', '', null],
    ['number', true, null],
    ['boolean', true, true],
    ['boolean', false, false],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['boolean', 'True', null],
    ['boolean', '', null],
    ['boolean', 0, null],
    ['boolean', 1, null],
    ['guid', id, id],
    ['guid', id.toUpperCase(), id],
    ['guid', `${id}0`, null],
    ['guid', `0${id}`, null],
    ['guid', id.replace('-', ''), null],
    ['guid', 5, null],
    ['guid', true, null],
    ['time', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000000'],
    ['time', '2026-01-02t03:04:05z', '2026-01-02T03:04:05.000000000'],
    ['time', '2026-01-02T03:04:05.1Z', '2026-01-02T03:04:05.100000000'],
    ['time', '2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.123456789'],
    ['time', '2026-01-02T03:04:05.1234567890Z', null],
    ['time', '2026-01-02T03:04:05.Z', null],
    ['time', '2026-01-02T03:04:05', null],
    ['time', '2026-01-02T03:04:05+01:00', null],
    ['time', ' 2026-01-02T03:04:05Z', null],
    ['time', '2026-01-02T03:04:05Z ', null],
    ['time', '2026-02-31T03:04:05Z', null],
    ['time', '2024-02-29T03:04:05Z', '2024-02-29T03:04:05.000000000'],
    ['time', '2026-13-01T03:04:05Z', null],
    ['time', '2026-01-02T24:00:00Z', null],
    ['time', '', null],
    ['time', 1_767_225_600, null],
  ])('as %s: %j is %j', (type, value, expected) => {
    expect(valueOf(value, type)).toBe(expected);
  });
});

describe('an operator', () => {
  const [less, equal, greater] = [0, 1, 2];
  /** For a left side that is less than the right one, its equal, and greater. */
  const orders: Readonly<Record<string, readonly boolean[]>> = {
    Equals: [false, true, false],
    NotEquals: [true, false, true],
    LessThan: [true, false, false],
    LessThanEquals: [true, true, false],
    GreaterThan: [false, false, true],
    GreaterThanEquals: [false, true, true],
  };

  test.each(['Numeric', 'DateTime'])('%s… compares by order', (prefix) => {
    const values = prefix === 'Numeric' ? [1, 2, 10] : ['2026-01-02', '2026-01-10', '2026-10-01'];
    for (const [verb, expected] of Object.entries(orders)) {
      const operator = operators.get(`${prefix}${verb}`.toLowerCase());
      expect(operator?.name).toBe(prefix + verb);
      for (const [i, left] of values.entries()) {
        for (const [j, right] of values.entries()) {
          const order = i < j ? less : i === j ? equal : greater;
          expect([verb, left, right, operator?.test(left, right)]).toEqual([
            verb,
            left,
            right,
            expected[order],
          ]);
        }
      }
    }
  });

  test.each([
    ['Guid', 'a', 'b'],
    ['Bool', true, false],
  ] as const)('%s… compares for equality', (prefix, one, other) => {
    const asked = (verb: string) =>
      [
        [one, one],
        [one, other],
        [other, one],
      ].map(([left, right]) => operators.get(`${prefix}${verb}`.toLowerCase())?.test(left!, right!));
    expect(asked('Equals')).toEqual([true, false, false]);
    expect(asked('NotEquals')).toEqual([false, true, true]);
  });

  test.each([
    ['StringEquals', ['ab']],
    ['StringEqualsIgnoreCase', ['ab', 'AB']],
    ['StringStartsWith', ['ab', 'abc']],
    ['StringStartsWithIgnoreCase', ['ab', 'AB', 'abc', 'ABC']],
    ['StringLike', ['ab']],
    ['StringLikeIgnoreCase', ['ab', 'AB']],
  ])('%s %j, and its negation what remains', (name, expected) => {
    const texts = ['', 'a', 'ab', 'AB', 'abc', 'ABC', 'xab'];
    const passed = (of: string) => {
      const operator = operators.get(of.toLowerCase());
      expect(operator?.name).toBe(of);
      const compiled = operator?.compile?.('ab');
      for (const text of texts) expect(compiled?.(text)).toBe(operator?.test(text, 'ab'));
      // What is told in capitals too, where case does not count.
      if (of.endsWith('IgnoreCase'))
        for (const text of texts) expect(operator?.test(text, 'aB')).toBe(compiled?.(text));
      return texts.filter((text) => compiled?.(text));
    };
    expect(passed(name)).toEqual(expected);
    expect(passed(name.replace('String', 'StringNot'))).toEqual(texts.filter((it) => !expected.includes(it)));
  });

  test('takes several values on either side where the documentation says so', () => {
    const single = Array.from(operators.values(), ({ name, quantified }) => (quantified ? '' : name)).filter(
      Boolean,
    );
    expect(single.every((name) => /^(DateTime|Bool)|StartsWith/.test(name))).toBe(true);
    expect(single).toHaveLength(6 + 2 + 4);
    expect(operators.size).toBe(12 + 6 + 6 + 2 + 2);
  });
});
