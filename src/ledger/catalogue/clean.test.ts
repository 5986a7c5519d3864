import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { withheld } from '../../store/recorded-change.ts';
import { cleanObject, cleanText, cleanUnlessPlain, isPlain } from './clean.ts';

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
    'yJ',
    'eyJ',
    'a=b',
    'SIG=x&y',
    'private',
    'cooKie',
    '\\',
    '\udc00',
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

  it('takes names that become one as they come', () => {
    expect(cleanText({ '\udbff': 1, '\ud800': 2 })).toBe('{"\ufffd":2}');
    expect(cleanText({ b: 0, '\ud800': 2, '\udbff': 1 })).toBe('{"b":0,"\ufffd":1}');
  });

  it('withholds on the quick way too', () => {
    expect(cleanText({ a: 'x', token: 'y' })).toBe(`{"a":"x","token":"${withheld}"}`);
  });
});

describe('a plain object', () => {
  it('has its members in order and none named as a secret, however deep', () => {
    expect(isPlain({ a: 1, b: [{ c: { e: null, f: 'token' } }], '\u{1f600}': 1, '\ufb33': 2 })).toBe(true);
    expect(isPlain({ b: 1, a: undefined, c: 2 })).toBe(true);
    expect(isPlain({ b: 1, a: 2 })).toBe(false);
    expect(isPlain({ a: [{ d: 1, c: 2 }] })).toBe(false);
    expect(isPlain({ '\ufb33': 1, '\u{1f600}': 2 })).toBe(false);
    expect(isPlain({ a: { Token: 'x' } })).toBe(false);
    expect(isPlain({ 9: 1, 10: 2 })).toBe(false);
  });

  it('is taken as it is, and any other is put in order', () => {
    const plain = { a: 1, b: { c: 2 } };
    expect(cleanUnlessPlain(plain)).toBe(plain);
    expect(JSON.stringify(cleanUnlessPlain({ b: { d: 1, c: 2 }, a: 1 }))).toBe('{"a":1,"b":{"c":2,"d":1}}');
  });
});
