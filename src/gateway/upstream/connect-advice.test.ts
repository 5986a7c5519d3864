import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { connect, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signCertificate } from '../certificates/certificate.ts';
import { advised } from './connect-advice.ts';
import { HealthCheck } from './health-check.ts';
import { openTransport } from './open-transport.ts';
import { defaultUpstreamSettings } from './settings.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const cert = signCertificate({
  commonName: 'lab',
  issuerCommonName: 'lab',
  publicKey,
  issuerKey: privateKey,
  issuerPublicKey: createPublicKey(privateKey),
  notBefore: Date.now() - 60_000,
  notAfter: Date.now() + 3_600_000,
  use: { kind: 'server', names: ['lab.internal'] },
});

let plain: Server;
let secure: TlsServer;

beforeAll(async () => {
  plain = createServer((_request, response) => response.end());
  secure = createTlsServer(
    { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    (_request, response) => response.end(),
  );
  for (const server of [plain, secure]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
});
afterAll(() => {
  plain.close();
  secure.close();
});

async function failureAt(server: Server | TlsServer, options: ConnectionOptions = {}): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const error = await new Promise<Error>((resolve) => {
    connect({ host: '127.0.0.1', port, servername: 'localhost', ...options }).on('error', resolve);
  });
  return advised(error, error.message);
}

it('a server that speaks no TLS is told to be that, without OpenSSL’s own words', async () => {
  expect(await failureAt(plain)).toBe('no TLS is spoken there: is its address one of http://?');
});

it('a certificate that nobody known vouches for leads to `tls.authorities`', async () => {
  expect(await failureAt(secure)).toMatch(/^[^;]+; the authority .* in `tls\.authorities`$/);
});

it('a certificate of another name leads to `tls.serverName`', async () => {
  expect(await failureAt(secure, { ca: cert })).toMatch(/altnames.*lab\.internal; .* as `tls\.serverName`$/);
});

it('what no setting mends is told in its own words', () => {
  expect(advised(new Error('its public key'), 'its public key')).toBe('its public key');
  expect(advised('closed', 'it closed the connection')).toBe('it closed the connection');
});

it('a health check tells it in the same words', async () => {
  const { port } = plain.address() as AddressInfo;
  const { timeouts } = defaultUpstreamSettings;
  const origin = `https://127.0.0.1:${port}`;
  const transport = openTransport({ origin, protocol: 'http1', tls: undefined, timeouts });
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = new HealthCheck({
    transport,
    path: '/',
    headers: ['host', `127.0.0.1:${port}`],
    settings: {
      path: '/',
      intervalMilliseconds: 100,
      timeoutMilliseconds: 5_000,
      failures: 1,
      passes: 1,
    },
    checked: resolve,
  });
  await promise;
  check.stop();
  await transport.close();
  expect(check.lastError).toBe(
    'the health check failed: no TLS is spoken there: is its address one of http://?',
  );
});
