import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from './testing/runs.ts';
import { caseSensitiveSegment, isNormalScope, isWithin, normalizeScope, scopeAndAncestors } from './scope.ts';

const normal = [
  '/',
  '/a',
  '/a/b',
  '/a/...',
  '/a/.b',
  '/a/b.',
  '/.../a',
  '/a/..b',
  '/a/.é',
  '/a/é',
  '/a/[b]',
  '/@/!',
];
const another: readonly (readonly [string, string])[] = [
  ['/a/', '/a'],
  ['/A/b', '/a/b'],
  ['/a/Z/', '/a/z'],
  ['/a/É', '/a/é'],
];
const none = [
  '',
  'a',
  'a/b',
  '//',
  '/a//b',
  '/a//',
  '//a',
  '/.',
  '/..',
  '/a/.',
  '/a/..',
  '/./a',
  '/../a',
  '/a/./b',
  '/a/../b',
  '/a/.é/..',
  '/a b',
  '/a/é /b',
  '/a/\u0000',
  '/a/\u001f',
  '/a/\u0020',
  '/a/\u007f',
  '/a\\b',
  '/a?b',
  '/a#b',
];
const longest = `/${'a'.repeat(4_095)}`;

describe('a scope', () => {
  test.each(normal)('%s is in normal form', (text) => {
    expect(normalizeScope(text)).toBe(text);
    expect(isNormalScope(text)).toBe(true);
  });

  test.each(another)('%s is %s in normal form', (text, wanted) => {
    expect(normalizeScope(text)).toBe(wanted);
    expect(isNormalScope(text)).toBe(false);
  });

  test.each(none)('%j is none', (text) => {
    expect(normalizeScope(text)).toBe(null);
    expect(isNormalScope(text)).toBe(false);
  });

  test('is at most 4096 characters long', () => {
    expect(normalizeScope(longest)).toBe(longest);
    expect(isNormalScope(longest)).toBe(true);
    expect(normalizeScope(`${longest}a`)).toBe(null);
    expect(isNormalScope(`${longest}a`)).toBe(false);
    expect(normalizeScope(`${longest}/`)).toBe(null);
  });

  const pieces = fc.constantFrom(
    ...'/ab.Z?#\\é'.split(''),
    ' ',
    '\u007f',
    '\u001f',
    '@',
    '[',
    'A',
    'z',
    '!',
    '\u0080',
    '..',
  );
  const texts = fc.array(pieces, { maxLength: 8 }).map((all) => `/${all.join('')}`);

  test('is in normal form when normalising changes nothing', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(isNormalScope(text)).toBe(normalizeScope(text) === text);
      }),
      { numRuns: runs(3_000) },
    );
  });

  test('is in normal form when what follows a prefix in normal form is', () => {
    fc.assert(
      fc.property(fc.constantFrom('/a', '/a/b', '/ab/.b'), texts, (known, rest) => {
        expect(isNormalScope(known + rest, known.length)).toBe(isNormalScope(known + rest));
      }),
      { numRuns: runs(2_000) },
    );
    expect(isNormalScope('/ab', 2)).toBe(false);
  });

  test('normalised again is the same', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const once = normalizeScope(text);
        if (once !== null) expect(normalizeScope(once)).toBe(once);
      }),
    );
  });
});

describe('the tree of scopes', () => {
  test('lists a scope and all above it, nearest first', () => {
    expect(scopeAndAncestors('/')).toEqual(['/']);
    expect(scopeAndAncestors('/a')).toEqual(['/a', '/']);
    expect(scopeAndAncestors('/a/b/c')).toEqual(['/a/b/c', '/a/b', '/a', '/']);
  });

  test('is compared by whole segments', () => {
    expect(isWithin('/a/b', '/')).toBe(true);
    expect(isWithin('/', '/')).toBe(true);
    expect(isWithin('/', '/a')).toBe(false);
    expect(isWithin('/a', '/a')).toBe(true);
    expect(isWithin('/a/b', '/a')).toBe(true);
    expect(isWithin('/ab', '/a')).toBe(false);
    expect(isWithin('/a', '/a/b')).toBe(false);
    expect(isWithin('/b/c', '/a')).toBe(false);
  });

  test('a scope is within exactly those that are listed above it', () => {
    const scopes = ['/', '/a', '/ab', '/a/b', '/a/b/c', '/a/bc', '/b', '/b/b'];
    for (const scope of scopes) {
      for (const other of scopes) {
        expect(isWithin(scope, other)).toBe(scopeAndAncestors(scope).includes(other));
      }
    }
  });
});

describe('a segment for a name whose case matters', () => {
  test.each([
    ['', '%'],
    ['.', '%2e'],
    ['..', '%2e%2e'],
    ['...', '...'],
    ['a.csv', 'a.csv'],
    ['az09._~-', 'az09._~-'],
    ['A', '%41'],
    ['aZ', 'a%5a'],
    ['\n', '%0a'],
    ['a/b', 'a%2fb'],
    ['é', '%c3%a9'],
    ['100%', '100%25'],
  ])('%j is %s', (name, segment) => {
    expect(caseSensitiveSegment(name)).toBe(segment);
  });

  test('is another for another name, and always a segment in normal form', () => {
    const names = fc.string({ unit: fc.constantFrom(...'aA.%2e/é'.split('')), maxLength: 4 });
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(caseSensitiveSegment(a) === caseSensitiveSegment(b)).toBe(a === b);
        expect(isNormalScope(`/${caseSensitiveSegment(a)}`)).toBe(true);
        expect(scopeAndAncestors(`/${caseSensitiveSegment(a)}`)).toHaveLength(2);
      }),
      { numRuns: runs(1_000) },
    );
  });
});
