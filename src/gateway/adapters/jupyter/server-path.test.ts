import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeScope, isWithin } from '../../../policy/scope.ts';
import { parentOf, pathOfAddress, pathOfText, scopeOfPath } from './server-path.ts';

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !/[/\\\p{Cc}]/u.test(text) && text.isWellFormed() && !['.', '..'].includes(text));
const path = fc.array(name, { maxLength: 6 });

describe('the scope of a path', () => {
  it('is a scope in normal form, another for each other path, and beneath that of its directory', () => {
    fc.assert(
      fc.property(path, path, (one, other) => {
        const scope = scopeOfPath('/nb', one);
        expect(normalizeScope(scope)).toBe(scope);
        expect(isWithin(scope, scopeOfPath('/nb', parentOf(one)))).toBe(true);
        expect(scope === scopeOfPath('/nb', other)).toBe(one.join('/') === other.join('/'));
      }),
    );
  });

  it('is the same for an address and for a body', () => {
    fc.assert(
      fc.property(path, (names) => {
        const address = names.map((one) => `/${encodeURIComponent(one)}`).join('');
        expect(pathOfAddress(address)).toEqual(names);
        expect(pathOfText(`/${names.join('/')}/`)).toEqual(names);
      }),
    );
  });

  it('tells case and Unicode forms apart, as the file system does', () => {
    const scopes = ['team-a', 'Team-A', 'ra\u0308ume', 'r\u00e4ume'].map((one) => scopeOfPath('/', [one]));
    expect(new Set(scopes).size).toBe(4);
    expect(scopes[1]).toBe('/directories/%54eam-%41');
  });

  it('is that of all files for the root', () => {
    expect(scopeOfPath('/nb', pathOfAddress('/'))).toBe('/nb/directories');
  });

  it('is found in no more time than its length, however many slashes it has', () => {
    const begun = performance.now();
    for (const slashes of ['/'.repeat(4_000_000), `a${'/'.repeat(4_000)}b`])
      for (let i = 0; i < 100; i++) expect(() => pathOfText(`a${slashes}b`)).toThrow();
    // A pattern that looks for slashes at the end took 1.6 s for 40,000 of them.
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  it('is none for what is longer than a scope', () => {
    expect(() => scopeOfPath('/nb', ['ä'.repeat(1000)])).toThrow(/too long/);
  });
});

describe('a path that has a second reading', () => {
  it.each([
    'team-a/../team-b',
    '../team-b',
    'team-a/./x',
    'team-a//x',
    'team-a/..',
    'team-a\\..\\team-b',
    'team-a/x\u0000.ipynb',
    'team-a/x\n',
    // Python writes these as the bytes of `é`.
    'caf\udcc3\udca9',
  ])('is refused: %j', (text) => {
    expect(() => pathOfText(text)).toThrow(/The path/);
  });
});
