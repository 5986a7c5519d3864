import { assert, constantFrom, property, string, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { formActionSource, redirectUriAllowed } from './redirect-uri.ts';

const native = {
  publicClient: true,
  redirectUris: ['http://localhost/callback', 'http://127.0.0.1', 'com.example.app:/done'],
};
const web = {
  publicClient: false,
  redirectUris: ['https://portal.example/done', 'http://localhost:3000/callback'],
};

test('a public client may choose its loopback port; a confidential one may not', () => {
  expect(redirectUriAllowed(native, 'http://localhost:51000/callback')).toBe(true);
  expect(redirectUriAllowed(native, 'http://127.0.0.1:1')).toBe(true);
  expect(redirectUriAllowed(native, 'com.example.app:/done')).toBe(true);
  expect(redirectUriAllowed(native, 'http://127.0.0.1/callback')).toBe(false);
  expect(redirectUriAllowed(web, 'http://localhost:3000/callback')).toBe(true);
  expect(redirectUriAllowed(web, 'http://localhost:3001/callback')).toBe(false);
});

test('schemes that a browser runs are refused even where someone registered them', () => {
  for (const uri of [
    'javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:x',
  ]) {
    expect(redirectUriAllowed({ publicClient: true, redirectUris: [uri] }, uri)).toBe(false);
  }
});

test('nothing put before, into or after a registered address is accepted', () => {
  const noise = string({
    unit: constantFrom('/', '\\', '@', '.', ':', '#', '?', '%', '\t', '\u200b', 'a', '8'),
  });
  const pieces = tuple(constantFrom(...native.redirectUris, ...web.redirectUris), noise, noise);
  assert(
    property(pieces, ([uri, before, after]) => {
      const changed = `${before}${uri}${after}`;
      if (changed === uri || !redirectUriAllowed(native, changed)) return;
      const { hostname, protocol } = new URL(changed);
      expect(protocol).toBe('http:');
      expect(['localhost', '127.0.0.1']).toContain(hostname);
    }),
    { numRuns: 2000 },
  );
});

test('the form-action source of an address is its origin or its scheme, and cannot carry another directive', () => {
  expect(formActionSource('https://portal.example/done?x=1')).toBe('https://portal.example');
  expect(formActionSource('http://127.0.0.1:5000/callback')).toBe('http://127.0.0.1:5000');
  expect(formActionSource('com.example.app:/done')).toBe('com.example.app:');
  expect(formActionSource("https://a.example; script-src 'unsafe-inline'")).toBeNull();
});
