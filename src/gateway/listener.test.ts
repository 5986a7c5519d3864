import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureLocalAuthority } from './certificates/local-authority.ts';
import { TestGateway } from './testing/gateway.ts';

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await TestGateway.start({ surfaces: [], hostnames: ['models.localhost'] });
});
afterEach(async () => gateway.close());

function greet(options: ConnectionOptions): TLSSocket {
  return connect({ port: gateway.port, host: '127.0.0.1', ca: gateway.ca, ...options });
}

/** What the certificate is for that is shown for this name; an empty one is not sent. */
async function shown(servername: string, ca = gateway.ca): Promise<string | undefined> {
  const socket = greet({ servername, ca });
  await once(socket, 'secureConnect');
  const { subjectaltname } = socket.getPeerCertificate();
  socket.destroy();
  return subjectaltname;
}

describe('the certificate of the listener', () => {
  // BoringSSL (gRPC's C core, Envoy) refuses every certificate with an address beneath constraints on addresses.
  it('holds no address for who names a host, and those of loopback for who does not', async () => {
    const names = 'DNS:localhost, DNS:*.localhost, DNS:models.localhost';
    expect(await shown('localhost')).toBe(names);
    expect(await shown('models.localhost')).toBe(names);
    const whole = (await shown(''))?.split(', ');
    expect(whole).toEqual(expect.arrayContaining([...names.split(', '), 'IP Address:127.0.0.1']));
  });

  it('is replaced for both', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lockstep-listener-'));
    const other = await ensureLocalAuthority(directory, ['other.localhost']);
    gateway.listener.replaceCertificate(other);
    for (const name of ['localhost', '']) {
      expect(await shown(name, other.cert)).toContain('DNS:other.localhost');
    }
  });

  it.each([
    ['localhost', 'TLSv1.2'],
    ['localhost', 'TLSv1.3'],
    ['', 'TLSv1.2'],
    ['', 'TLSv1.3'],
  ] as const)('lets sessions be resumed (for %j, by %s)', async (servername, maxVersion) => {
    const first = greet({ servername, maxVersion });
    const [session] = (await once(first, 'session')) as [Buffer];
    first.destroy();
    const second = greet({ servername, maxVersion, session });
    await once(second, 'secureConnect');
    expect(second.isSessionReused()).toBe(true);
    second.destroy();
  });
});
