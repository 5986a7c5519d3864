import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { withheld } from '../../store/recorded-change.ts';
import { cleanObject, cleanText } from './clean.ts';

describe('clean text', () => {
  const odd = fc.constantFrom(
    '__proto__',
    '10',
    '9',
    'token',
    'Password',
    'to\u212aen',
    '\ud800',
    '\\ud800',
    'sig=x',
    'eyJhbGciOiJub25lIn0.e30.',
    'PRIVATE+KEY+x',
    '"token":',
    '\u20ac',
    '\ufb33',
    '\u{1f600}',
  );
  const key = fc.oneof(fc.string({ maxLength: 6 }), odd);
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.string({ maxLength: 12 }),
      odd,
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom(null, undefined, -0),
      fc.array(tie('node'), { maxLength: 4 }),
      tie('object'),
    ),
    object: fc.dictionary(key, tie('node'), { maxKeys: 6 }),
  }));

  it('is the canonical JSON of the cleaned object, for every object', () => {
    fc.assert(
      fc.property(value.object, (object) => {
        const given = Object(object) as object;
        expect(cleanText(given)).toBe(canonicalJson(cleanObject(given)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('puts members in the order of RFC 8785 and drops what is undefined', () => {
    expect(cleanText({ b: [{ d: 1, c: null }], a: undefined, '\u{1f600}': 1, '\ufb33': 2 })).toBe(
      '{"b":[{"c":null,"d":1}],"\u{1f600}":1,"\ufb33":2}',
    );
  });

  it('withholds on the quick way too', () => {
    expect(cleanText({ a: 'x', token: 'y' })).toBe(`{"a":"x","token":"${withheld}"}`);
  });
});
