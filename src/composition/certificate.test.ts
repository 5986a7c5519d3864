import { X509Certificate } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { serverCertificate } from './certificate.ts';

/** The certificate of an installation with so many connections beneath a domain. */
async function certificateOf(count: number, baseDomain: string): Promise<X509Certificate> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-certificate-'));
  const connection = {
    kind: 'web' as const,
    name: '',
    upstream: 'http://x',
    scope: '/',
    credential: null,
    rules: [],
  };
  const connections = Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, connection]));
  const config = { ...loadConfig({ home, environment: {} }), baseDomain, connections };
  const { cert } = await serverCertificate(config, 'lockstep.example.test', 'lab');
  return new X509Certificate(cert);
}

it('names each host beneath a top-level name, for clients that refuse a wildcard there', async () => {
  const certificate = await certificateOf(200, 'localhost');
  expect(certificate.subjectAltName).toContain('DNS:c199.localhost');
  expect(certificate.subjectAltName).toContain('DNS:*.localhost');
});

it('tells a stranger no connection beneath a real domain', async () => {
  const certificate = await certificateOf(3, 'apps.example.test');
  expect(certificate.subjectAltName).not.toContain('c1.');
  expect(certificate.checkHost('c1.apps.example.test')).toBe('*.apps.example.test');
  expect(certificate.checkHost('lab.blob.apps.example.test')).toBe('*.blob.apps.example.test');
});

it('stays small enough for every handshake, however many connections there are', async () => {
  for (const domain of ['localhost', 'apps.example.test']) {
    expect((await certificateOf(10_000, domain)).raw.length).toBeLessThan(10_000);
  }
});
