import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSecretName, mayHoldCredential, withoutCredentials } from './credentials.ts';

const secretNames = [
  'password',
  'secret',
  'client_secret',
  'clientsecret',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'assertion',
  'client_assertion',
  'subject_token',
  'authorization',
  'cookie',
  'set-cookie',
  'private_key',
  'privatekey',
];
/** Each letter in either case; the Kelvin sign too, which is a `k` in lower case. */
const inAnyCase = (name: string) =>
  fc
    .tuple(...Array.from(name, (letter) => fc.constantFrom(letter, letter.toUpperCase(), kelvin(letter))))
    .map((letters) => letters.join(''));
const kelvin = (letter: string) => (letter === 'k' ? '\u212a' : letter);

describe('names of secrets', () => {
  it.each(secretNames)('%s is one, in any case', (name) => {
    fc.assert(
      fc.property(inAnyCase(name), (written) => {
        expect(isSecretName(written)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('are these alone', () => {
    const near = fc.constantFrom(...secretNames).chain((name) =>
      fc
        .record({
          at: fc.nat(name.length),
          cut: fc.nat(2),
          put: fc.string({ maxLength: 2, unit: 'binary' }),
        })
        .map(({ at, cut, put }) => name.slice(0, at) + put + name.slice(at + cut)),
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary', maxLength: 80 })), (name) => {
        expect(isSecretName(name)).toBe(secretNames.includes(name.toLowerCase()));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('what looks like a credential', () => {
  const pieces = fc.constantFrom(
    'eyJ',
    'ey',
    'yJ',
    'e',
    'y',
    'J',
    'EYJ',
    'PRIVATE',
    'PRIV',
    'ATE',
    'private',
    'sig=',
    'SiG=',
    'sIg',
    'sig',
    '=',
    '\u017fig=',
    '.',
    'a.b.c',
    '\u00e9',
    '\u20ac',
    '\ud83d',
    '\udc27',
    '"',
    '\\',
    '\n',
    '+KEY+',
  );
  const text = fc.oneof(
    fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
  );

  it('is found wherever the pattern of it would be found', () => {
    fc.assert(
      fc.property(text, (given) => {
        expect(mayHoldCredential(given)).toBe(/eyJ|PRIVATE|[sS][iI][gG]=/.test(given));
      }),
      { numRuns: 10_000 },
    );
  });

  it('is found in printed JSON when it is in one of its texts', () => {
    fc.assert(
      fc.property(text, (given) => {
        if (mayHoldCredential(given)) expect(mayHoldCredential(JSON.stringify({ a: [given] }))).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it('is taken out, and the rest of the text is left', () => {
    expect(withoutCredentials('see https://a.test/b?sig=c2VjcmV0&se=1')).toBe(
      'see https://a.test/b?[credential withheld]&se=1',
    );
    expect(withoutCredentials('eyJ alone, sig alone, x=y')).toBe('eyJ alone, sig alone, x=y');
  });
});
