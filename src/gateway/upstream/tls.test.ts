import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { connect as connectTcp, createServer as createTcp, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { ConnectionTls } from '../../config/connections.ts';
import { certificate, certificatePin } from '../../lib/testing/certificate.ts';
import { Proxied } from '../adapters/web/proxied.ts';
import { ensureLocalAuthority } from '../certificates/local-authority.ts';
import { until } from '../testing/gateway.ts';
import { proxyOptions } from '../testing/proxy-options.ts';
import { dialWebSocket } from '../web-socket/dial.ts';
import { upstreamAddress } from './address.ts';
import { openTransport } from './open-transport.ts';
import { defaultUpstreamSettings } from './settings.ts';
import { pinOf } from './tls.ts';

const directory = mkdtempSync(join(tmpdir(), 'lockstep-upstream-tls-'));
const anyone: ConnectionTls = { authorities: null, certificate: null, key: null, serverName: null, pins: [] };
let server: Server;
let origin: string;
let ours: { ca: string; cert: string; key: string };
let theirs: { ca: string; cert: string; key: string };
/** Names of the certificates that clients have shown. */
const shown: string[] = [];

async function authority(name: string): Promise<typeof ours> {
  const { caCertificatePath, cert, key } = await ensureLocalAuthority(join(directory, name), [
    'lab.localhost',
  ]);
  return { ca: await readFile(caCertificatePath, 'utf8'), cert, key };
}

beforeAll(async () => {
  [ours, theirs] = [await authority('ours'), await authority('theirs')];
  server = createServer(
    { cert: theirs.cert, key: theirs.key, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      if (request.url === '/close') response.setHeader('connection', 'close');
      response.end('hello');
    },
  );
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (webSocket) => webSocket.on('error', () => undefined));
  server.on('secureConnection', (socket: TLSSocket) => {
    shown.push(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
  origin = `https://localhost:${address.port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

const { signal } = new AbortController();
const handshake = { 'sec-websocket-version': '13' };

/** What a request, and a WebSocket, get from the upstream: `hello` and `open`, or why they are not sent. */
async function reached(tls: Partial<ConnectionTls> | null, at = origin): Promise<string[]> {
  const address = upstreamAddress(at);
  const wholly = tls === null ? undefined : { ...anyone, ...tls };
  const { timeouts } = defaultUpstreamSettings;
  const transport = openTransport({ origin: address.origin, protocol: 'http1', tls: wholly, timeouts });
  const request = transport
    .request({ method: 'GET', path: '/', headers: [], body: null, signal })
    .then(({ body }) => text(body));
  const webSocket = dialWebSocket({
    address,
    tls: wholly,
    target: '/',
    headers: Object.entries(handshake).flat(),
    subprotocols: [],
    signal,
  }).then((dialed) => {
    if (dialed.kind === 'open') dialed.upstream.webSocket.terminate();
    return dialed.kind;
  });
  const outcomes = await Promise.allSettled([request, webSocket]);
  await transport.close();
  return outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : String((outcome.reason as Error).cause),
  );
}

const good = ['hello', 'open'];
const bothSay = (words: string): unknown => [expect.stringContaining(words), expect.stringContaining(words)];

describe('an https upstream', () => {
  it('is not reached when nobody known vouches for it', async () => {
    expect(await reached(null)).toEqual(bothSay('self-signed certificate in certificate chain'));
    expect(await reached({})).toEqual(bothSay('self-signed certificate in certificate chain'));
    expect(await reached({ authorities: ours.ca })).toEqual(bothSay('certificate'));
  });

  it('is reached when its authority is the one that was given', async () => {
    expect(await reached({ authorities: theirs.ca })).toEqual(good);
  });

  it('is reached only under a name that its certificate is for', async () => {
    const byAddress = origin.replace('localhost', '127.0.0.1');
    expect(await reached({ authorities: theirs.ca, serverName: 'lab.localhost' })).toEqual(good);
    expect(await reached({ authorities: theirs.ca, serverName: 'mlflow.example' }, byAddress)).toEqual(
      bothSay("does not match certificate's altnames"),
    );
  });

  it('is reached only with the key that is pinned, if any is, whoever vouches for it', async () => {
    const pins = [pinOf(ours.cert), pinOf(theirs.cert)];
    expect(await reached({ authorities: theirs.ca, pins })).toEqual(good);
    expect(await reached({ authorities: theirs.ca, pins: [pinOf(ours.cert)] })).toEqual(
      bothSay('is none of those that are pinned'),
    );
    // A pin adds to what the authorities say, and never takes their place.
    expect(await reached({ pins })).toEqual(bothSay('self-signed certificate in certificate chain'));
  });

  it('that ends with a fault of TLS is told by that fault, not as if it had closed the connection', async () => {
    const { port } = new URL(origin);
    // A record that does not decrypt, and the end right behind it, where an alert would be.
    const broken = Buffer.concat([Buffer.from([0x17, 3, 3, 0, 32]), Buffer.alloc(32)]);
    const relay = createTcp((client) => {
      const upstream = connectTcp(Number(port), 'localhost');
      client.pipe(upstream).pipe(client, { end: false });
      server.once('secureConnection', () => {
        upstream.unpipe(client);
        client.end(broken);
      });
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.on('close', () => upstream.destroy());
    });
    relay.listen(0, 'localhost');
    await once(relay, 'listening');
    const transport = openTransport({
      origin: `https://localhost:${(relay.address() as AddressInfo).port}`,
      protocol: 'http1',
      tls: { ...anyone, authorities: theirs.ca },
      timeouts: defaultUpstreamSettings.timeouts,
    });
    const request = transport.request({ method: 'GET', path: '/', headers: [], body: null, signal });
    await expect(request).rejects.toMatchObject({
      kind: 'closed',
      cause: { code: expect.stringMatching(/^ERR_SSL_/) as unknown },
    });
    await transport.close();
    await new Promise((resolve) => relay.close(resolve));
  });

  it('is reached so by whatever adapter stands before it', async () => {
    const connection = { name: 'lab', upstream: origin, scope: '/lab' };
    const known = new Proxied({ ...connection, tls: { ...anyone, authorities: theirs.ca } }, proxyOptions);
    const unknown = new Proxied(connection, proxyOptions);
    expect(await text((await known.ask('GET', '/', { signal, caller: null })).body)).toBe('hello');
    await expect(unknown.ask('GET', '/', { signal, caller: null })).rejects.toThrow();
    await Promise.all([known.close(), unknown.close()]);
  });

  it('is shown the certificate of Lockstep, and none without', async () => {
    shown.length = 0;
    expect(await reached({ authorities: theirs.ca })).toEqual(good);
    expect(new Set(shown)).toEqual(new Set(['none']));
    shown.length = 0;
    expect(await reached({ authorities: theirs.ca, certificate: ours.cert, key: ours.key })).toEqual(good);
    expect(shown).toHaveLength(2);
    expect(shown).not.toContain('none');
  });
});

describe('a TLS session', () => {
  /** Whether each of the connections went on from an earlier one. */
  async function resumptions(tls: Partial<ConnectionTls>, times: number): Promise<boolean[]> {
    const resumed: boolean[] = [];
    const onSecure = (socket: TLSSocket): void => void resumed.push(socket.isSessionReused());
    server.on('secureConnection', onSecure);
    const transport = openTransport({
      origin,
      protocol: 'http1',
      tls: { ...anyone, ...tls },
      timeouts: defaultUpstreamSettings.timeouts,
    });
    try {
      for (let i = 0; i < times; i++) {
        const before = resumed.length;
        const asked = transport.request({ method: 'GET', path: '/close', headers: [], body: null, signal });
        await asked.then(({ body }) => text(body)).catch(() => undefined);
        await until(() => resumed.length > before);
      }
    } finally {
      await transport.close();
      server.off('secureConnection', onSecure);
    }
    return resumed;
  }

  it('is gone on from by the next connection to the same upstream', async () => {
    expect(await resumptions({ authorities: theirs.ca }, 3)).toEqual([false, true, true]);
  });

  it('of an upstream that was not found to be the right one is never gone on from, which would ask it nothing more', async () => {
    // In TLS 1.2 the session is there before the name and the key are looked at.
    const older = createServer(
      { cert: theirs.cert, key: theirs.key, maxVersion: 'TLSv1.2' },
      (_request, response) => response.end('hello'),
    ).listen(0, '127.0.0.1');
    await once(older, 'listening');
    const address = older.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
    const wrong = { authorities: theirs.ca, pins: [pinOf(ours.cert)] };
    const transport = openTransport({
      origin: `https://localhost:${address.port}`,
      protocol: 'http1',
      tls: { ...anyone, ...wrong },
      timeouts: defaultUpstreamSettings.timeouts,
    });
    for (let i = 0; i < 3; i++) {
      const asked = transport.request({ method: 'GET', path: '/', headers: [], body: null, signal });
      await expect(asked).rejects.toMatchObject({ kind: 'connect', sent: false });
    }
    await transport.close();
    older.closeAllConnections();
    await new Promise((resolve) => older.close(resolve));
  });
});

describe('a record behind an answer that fills its own', () => {
  it('is never taken for the answer to the next request, however soon that is asked', async () => {
    const start = 'HTTP/1.1 200 OK\r\ncontent-length: 16000\r\nx-fill: ';
    const answer = `${start}${'f'.repeat(384 - start.length - 4)}\r\n\r\n${'a'.repeat(16_000)}`;
    const behind = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    let connections = 0;
    const splitting = createTls({ cert: theirs.cert, key: theirs.key }, (socket) => {
      connections++;
      socket.on('error', () => undefined).on('data', () => socket.write(answer + behind));
    }).listen(0, '127.0.0.1');
    await once(splitting, 'listening');
    const address = splitting.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream is not listening');
    const transport = openTransport({
      origin: `https://localhost:${address.port}`,
      protocol: 'http1',
      tls: { ...anyone, authorities: theirs.ca },
      timeouts: defaultUpstreamSettings.timeouts,
    });
    const got: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      const one = await transport.request({ method: 'GET', path: '/', headers: [], body: null, signal });
      got.push(one.whole?.length);
    }
    expect(got).toEqual([16_000, 16_000, 16_000, 16_000, 16_000]);
    expect(connections).toBe(5);
    await transport.close();
    await new Promise((resolve) => splitting.close(resolve));
  });
});

describe('a pin', () => {
  it('is what openssl makes of a public key', () => {
    expect(pinOf(certificate)).toBe(certificatePin);
  });
});
