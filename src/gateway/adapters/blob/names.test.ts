import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blobScope } from '../../../policy/blob-scope.ts';
import { isWithin, normalizeScope } from '../../../policy/scope.ts';
import { checkContainerName, decodeBlobName, scopeOfBlob, scopeOfListing } from './names.ts';

const account = '/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/acct';
const container = `${account}/blobservices/default/containers/data`;

const awkward = fc.constantFrom(
  ...Array.from('aAbB/.%2efF +?#;:~-_éK\u212aßẞıİ\u{1f600}\u{10ffff}\u00a0\ufeff'),
  'e\u0301',
);
const name = fc
  .array(awkward, { minLength: 1, maxLength: 24 })
  .map((chars) => chars.join(''))
  .filter((text) => !text.split('/').some((segment) => segment === '.' || segment === '..'));

const scopeOf = (name: string) => scopeOfBlob(account, 'data', name);

describe('the scope of a blob', () => {
  it('differs whenever the names differ', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(scopeOf(a) === scopeOf(b)).toBe(a === b);
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same however the name is percent-encoded', () => {
    fc.assert(
      fc.property(name, fc.infiniteStream(fc.boolean()), (name, encode) => {
        const spelt = Array.from(name, (char) => (encode.next().value ? percentEncoded(char) : keep(char)));
        expect(decodeBlobName(spelt.join(''))).toBe(name);
      }),
      { numRuns: 1000 },
    );
  });

  it('is in normal form, beneath its container and nowhere else', () => {
    fc.assert(
      fc.property(name, (name) => {
        expect(normalizeScope(scopeOf(name))).toBe(scopeOf(name));
        expect(isWithin(scopeOf(name), `${container}/blobs`)).toBe(true);
      }),
    );
  });

  it('lies within the scope where listing any prefix of its name is decided', () => {
    fc.assert(
      fc.property(name, fc.nat(24), (name, length) => {
        const chars = Array.from(name);
        const prefix = chars.slice(0, length).join('');
        expect(isWithin(scopeOf(name), scopeOfListing(account, 'data', prefix))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('lies within the scope of a folder only if the name is in that folder', () => {
    fc.assert(
      fc.property(name, name, (folder, name) => {
        expect(isWithin(scopeOf(name), scopeOf(folder))).toBe(
          name === folder || name.startsWith(`${folder}/`),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('is the one that the rest of the house computes', () => {
    fc.assert(
      fc.property(
        name.filter((text) => !text.endsWith('/')),
        (name) => {
          expect(scopeOf(name)).toBe(blobScope(account, 'data', name));
        },
      ),
    );
  });
});

describe('the scope of a listing', () => {
  it.each([
    ['', container],
    ['train', container],
    ['train/', `${container}/blobs/train`],
    ['train/a', `${container}/blobs/train`],
    ['train/a/', `${container}/blobs/train/a`],
    ['Train/', `${container}/blobs/%54rain`],
  ])('with prefix %j is %s', (prefix, scope) => {
    expect(scopeOfListing(account, 'data', prefix)).toBe(scope);
  });
});

describe('a blob name', () => {
  it('is decoded once', () => {
    expect(decodeBlobName('a%2Fb')).toBe('a/b');
    expect(decodeBlobName('a%252Fb')).toBe('a%2Fb');
    expect(decodeBlobName('a+b')).toBe('a+b');
  });

  it.each([
    ['..', 'InvalidResourceName'],
    ['a/../b', 'InvalidResourceName'],
    ['a%2F..%2Fb', 'InvalidResourceName'],
    ['a/%2e%2E/b', 'InvalidResourceName'],
    ['./a', 'InvalidResourceName'],
    ['a/%2e', 'InvalidResourceName'],
    ['a%00', 'InvalidResourceName'],
    ['a%0d%0ab', 'InvalidResourceName'],
    ['a%7f', 'InvalidResourceName'],
    ['a%c2%85', 'InvalidResourceName'],
    ['a%5Cb', 'InvalidResourceName'],
    ['a\\b', 'InvalidResourceName'],
    ['%ef%bf%bf', 'InvalidResourceName'],
    ['%c0%ae%c0%ae/a', 'InvalidUri'],
    ['%ff', 'InvalidUri'],
    ['%ed%a0%80', 'InvalidUri'],
    ['%', 'InvalidUri'],
    ['%zz', 'InvalidUri'],
    ['a'.repeat(1025), 'InvalidResourceName'],
    [`${'a/'.repeat(254)}a`, 'InvalidResourceName'],
  ])('%j is refused as %s', (raw, blobCode) => {
    expect(() => decodeBlobName(raw)).toThrow(expect.objectContaining({ details: { blobCode } }));
  });

  it('is refused when no scope could hold it', () => {
    expect(() => scopeOf('語'.repeat(1024))).toThrow('too long');
  });
});

describe('a container name', () => {
  it.each(['abc', 'a-b', '123', 'a'.repeat(63)])('%j is admitted', (text) => {
    expect(checkContainerName(text)).toBe(text);
  });

  it.each([
    '',
    'ab',
    'Abc',
    'a--b',
    '-abc',
    'abc-',
    'a_b',
    '$root',
    '$web',
    'a.b',
    '%61bc',
    'a'.repeat(64),
    'abc\n',
  ])('%j is refused', (text) => {
    expect(() => checkContainerName(text)).toThrow('container name');
  });
});

function percentEncoded(char: string): string {
  return Array.from(Buffer.from(char), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

function keep(char: string): string {
  return char === '%' ? '%25' : char;
}
