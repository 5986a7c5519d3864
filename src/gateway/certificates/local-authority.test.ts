import { execFile } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import { signCertificate } from './certificate.ts';
import { ensureLocalAuthority, type LocalCertificate } from './local-authority.ts';

const run = promisify(execFile);
const day = 86_400_000;

async function directory(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'lockstep-ca-')), 'tls');
}

async function serving<T>(certificate: LocalCertificate, use: (port: number) => Promise<T>): Promise<T> {
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (_, response) =>
    response.end('ok'),
  );
  await new Promise((resolve) => server.listen(0, () => resolve(undefined)));
  const address = server.address();
  try {
    return await use(typeof address === 'object' && address !== null ? address.port : 0);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function leafOf(certificate: Pick<LocalCertificate, 'cert'>): X509Certificate {
  return new X509Certificate(certificate.cert);
}

describe('ensureLocalAuthority', () => {
  it('makes a certificate that an unmodified Node trusts by NODE_EXTRA_CA_CERTS', async () => {
    const certificate = await ensureLocalAuthority(await directory(), ['labstore.blob.localhost']);
    const script = `for (const host of ['localhost', '127.0.0.1', 'labstore.blob.localhost']) {
      const { get } = await import('node:https');
      const status = await new Promise((resolve, reject) => get({ host: '127.0.0.1', port: process.argv[1], servername: host === '127.0.0.1' ? '' : host, headers: { host } }, (r) => resolve(r.statusCode)).on('error', reject));
      if (status !== 200) throw new Error(host);
    } console.log('trusted')`;
    const { stdout } = await serving(certificate, (port) =>
      run(process.execPath, ['--input-type=module', '-e', script, String(port)], {
        env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.caCertificatePath },
      }),
    );
    expect(stdout).toContain('trusted');
  });

  it('keeps to the strict profile: constraints, key use, a life under 825 days', async () => {
    const certificate = await ensureLocalAuthority(await directory(), []);
    const [leafPem = '', authorityPem = ''] = certificate.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    const leaf = new X509Certificate(leafPem);
    const authority = new X509Certificate(authorityPem);
    expect(authority.ca).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(authority)).toBe(true);
    expect(leaf.verify(authority.publicKey)).toBe(true);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.validToDate.getTime() - leaf.validFromDate.getTime()).toBeLessThan(825 * day);
    expect(leaf.checkHost('localhost')).toBe('localhost');
    expect(leaf.checkIP('::1')).toBe('::1');
    expect(leaf.checkHost('example.com')).toBeUndefined();
  });

  it('makes one without addresses beside it, for clients that know no constraints on addresses', async () => {
    const { named } = await ensureLocalAuthority(await directory(), ['x.localhost', '127.0.0.2']);
    expect(leafOf(named).subjectAltName).toBe('DNS:localhost, DNS:*.localhost, DNS:x.localhost');
    expect(leafOf(named).checkPrivateKey(createPrivateKey(named.key))).toBe(true);
  });

  it('makes it where an earlier version made only the other', async () => {
    const where = await directory();
    const first = await ensureLocalAuthority(where, []);
    await rm(join(where, 'server-named.pem'));
    const later = await ensureLocalAuthority(where, []);
    expect(later.cert).toBe(first.cert);
    expect(leafOf(later.named).checkHost('localhost')).toBe('localhost');
  });

  it('cannot vouch for a host elsewhere, even with its key in the wrong hands', async () => {
    const where = await directory();
    const certificate = await ensureLocalAuthority(where, []);
    const { createPublicKey } = await import('node:crypto');
    const { readFile } = await import('node:fs/promises');
    const issuerKey = createPrivateKey(await readFile(join(where, 'authority-key.pem')));
    const authority = new X509Certificate(await readFile(certificate.caCertificatePath));
    const leafKey = createPrivateKey(certificate.key);
    for (const [name, trusted] of [
      ['evil.example', false],
      ['10.0.0.1', false],
      ['localhost', true],
    ] as const) {
      const forged = signCertificate({
        commonName: 'Lockstep',
        issuerCommonName: /CN=(.*)/.exec(authority.subject)?.[1] ?? '',
        publicKey: createPublicKey(leafKey),
        issuerKey,
        issuerPublicKey: createPublicKey(issuerKey),
        notBefore: Date.now() - day,
        notAfter: Date.now() + day,
        use: { kind: 'server', names: [name] },
      });
      const seen = await serving({ ...certificate, cert: forged }, async (port) => {
        const { connect } = await import('node:tls');
        return new Promise<string>((resolve) => {
          const socket = connect(
            {
              port,
              host: '127.0.0.1',
              ca: authority.toString(),
              servername: '',
              checkServerIdentity: () => undefined,
            },
            () => {
              socket.destroy();
              resolve('trusted');
            },
          );
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
        });
      });
      expect(seen === 'trusted').toBe(trusted);
    }
  });

  it('writes keys that nobody else may read, and leaves no half-written file', async () => {
    const where = await directory();
    await ensureLocalAuthority(where, []);
    expect((await readdir(where)).sort()).toEqual([
      'authority-key.pem',
      'authority.pem',
      'server-named.pem',
      'server.pem',
    ]);
    for (const name of ['authority-key.pem', 'server.pem', 'server-named.pem']) {
      expect((await stat(join(where, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(where)).mode & 0o777).toBe(0o700);
  });

  it('keeps the leaf while it is fit, and makes another in time or for other names, under the same authority', async () => {
    const where = await directory();
    const clock = new ManualClock(Date.now());
    const first = await ensureLocalAuthority(where, [], clock);
    clock.advance(50 * day);
    const again = await ensureLocalAuthority(where, [], clock);
    expect([again.cert, again.named.cert]).toEqual([first.cert, first.named.cert]);
    const more = await ensureLocalAuthority(where, ['x.localhost'], clock);
    for (const leaf of [more, more.named].map(leafOf)) {
      expect(leaf.checkHost('x.localhost')).toBe('x.localhost');
    }
    clock.advance(70 * day);
    expect(more.renewAt).toBeLessThan(clock.now());
    const renewed = await ensureLocalAuthority(where, ['x.localhost'], clock);
    expect(leafOf(renewed).serialNumber).not.toBe(leafOf(more).serialNumber);
    expect(leafOf(renewed.named).serialNumber).not.toBe(leafOf(more.named).serialNumber);
    expect(renewed.renewAt).toBeGreaterThan(clock.now());
    expect(renewed.cert.split('-----END CERTIFICATE-----')[1]).toBe(
      first.cert.split('-----END CERTIFICATE-----')[1],
    );
  });

  it('refuses a name that its authority may not vouch for rather than replace the authority', async () => {
    const where = await directory();
    await ensureLocalAuthority(where, ['lockstep.test']);
    await ensureLocalAuthority(where, ['tracker.lockstep.test', '*.lockstep.test']);
    await expect(ensureLocalAuthority(where, ['other.test'])).rejects.toThrow(
      /may not vouch for other\.test/,
    );
  });

  it('refuses to go on without the authority’s key once a new leaf is needed', async () => {
    const where = await directory();
    await ensureLocalAuthority(where, []);
    await rm(join(where, 'authority-key.pem'));
    await ensureLocalAuthority(where, []);
    await expect(ensureLocalAuthority(where, ['x.localhost'])).rejects.toThrow(
      /authority-key\.pem is missing/,
    );
  });

  it('begins anew when it was stopped before the authority was whole', async () => {
    const where = await directory();
    await ensureLocalAuthority(where, []);
    await rm(join(where, 'authority.pem'));
    await rm(join(where, 'server.pem'));
    await writeFile(join(where, 'server.pem.123.part'), 'half');
    const certificate = await ensureLocalAuthority(where, []);
    expect(leafOf(certificate).checkHost('localhost')).toBe('localhost');
  });
});
