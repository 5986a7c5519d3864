import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptySegmentOffence, hasEncodedSlash, pathOffence } from './path-form.ts';

const pieces = fc.constantFrom(
  '/',
  '.',
  '..',
  '%2e',
  '%2E',
  '%2f',
  '%2F',
  '%5c',
  '\\',
  '%00',
  '%25',
  '%252e',
  '%252f',
  ';',
  ';a=b',
  'a',
  'B',
  '%61',
  '%20',
  '%c3%a9',
  '%c0%af',
  '%ff',
  '~',
  '%7e',
  ':',
  '@',
  '#',
  '?',
  ' ',
  'é',
  '\t',
  '%0a',
  '%',
  '%2',
  '|',
  '[',
  ']',
  '{',
  '%3b',
  '%3a',
  '%40',
);
const paths = fc.array(pieces, { maxLength: 6 }).map((parts) => `/${parts.join('')}`);

describe('the one form of a path', () => {
  it.each([
    '/open/..;/admin',
    '/open/..;a=b/admin',
    '/open/.;/admin',
    '/..;',
    '/open/..%3b/admin',
    '/a%2f..;/b',
  ])('refuses %s, which a servlet container reads as a dot segment', (path) => {
    expect(pathOffence(path)?.publicMessage).toContain('`..` segment');
  });

  it('is one that a URL parser leaves alone', () => {
    fc.assert(
      fc.property(paths, (path) => {
        fc.pre(pathOffence(path) === null);
        expect(new URL(`https://host${path}`).pathname).toBe(path);
      }),
      { numRuns: 3000 },
    );
  });

  it('resolves to itself however often a lenient server decodes and normalises it', () => {
    fc.assert(
      fc.property(paths, (path) => {
        fc.pre(pathOffence(path) === null && !hasEncodedSlash(path) && emptySegmentOffence(path) === null);
        let current = path;
        const depth = path.split('/').length;
        for (let round = 0; round < 3; round++) {
          try {
            current = decodeURIComponent(current);
          } catch {
            break;
          }
          expect(current.split(/[/\\]/)).toHaveLength(depth);
          expect(current.split('/').some((segment) => segment === '.' || segment === '..')).toBe(false);
          expect(current.slice(1, -1)).not.toMatch(/(?:^|\/)\//);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('admits what clients send for every name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(!/(?:^|\/)\.\.?(?=[/;]|$)|[\p{Cc}\\]|%(?:2[ef]|5c|00|25)/iu.test(name));
        expect(pathOffence(`/x/${encodeURIComponent(name)}`)).toBeNull();
      }),
    );
  });

  it('names what offends', () => {
    const said = (path: string): unknown => pathOffence(path)?.details['offence'];
    expect(emptySegmentOffence('/a//b')?.details['offence']).toContain('//');
    expect(said('/a/../b')).toContain('..');
    expect(said('/a%5cb')).toContain('backslash');
    expect(said('/a%00')).toContain('control');
    expect(said('/a%2')).toContain('hexadecimal');
    expect(said('/%2e%2e')).toContain('%2e');
    expect(said('/%252f')).toContain('doubly');
    expect(said('/%ff')).toContain('UTF-8');
  });

  it('looks for dot segments behind encoded and doubled slashes', () => {
    for (const path of ['/a//../b', '//..', '/a//.', '/a%2f..%2fb', '/a%2F.', '/..%2Fa', '/a/..%2f'])
      expect(pathOffence(path)).not.toBeNull();
    expect(pathOffence('/a%2fb')).toBeNull();
    expect(hasEncodedSlash('/a%2fb')).toBe(true);
    expect(hasEncodedSlash('/a%252fb')).toBe(false);
  });
});
