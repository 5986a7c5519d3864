import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allow, TestGateway, until } from '../testing/gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await TestGateway.start({ surfaces: [], decide: () => allow() });
});
afterEach(() => gateway.close());

/** Sends these bytes in clear, and resolves with what came back until the connection was closed. */
async function inClear(bytes: string | Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(gateway.port, '127.0.0.1');
  let got = '';
  socket.on('data', (chunk) => (got += chunk.toString('latin1')));
  socket.on('error', () => undefined).on('close', () => resolve(got));
  socket.write(bytes);
  return promise;
}

const secret = 'lsk_do_not_tell';

describe('a client that speaks plain HTTP to the port of TLS', () => {
  it.each([
    `GET /${secret}?a=${secret} HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer ${secret}\r\n\r\n`,
    `HEAD / HTTP/1.1\r\nhost: ${secret}\r\n\r\n`,
    `POST /x HTTP/1.1\r\nhost: ${secret}\r\ncontent-length: 4\r\n\r\n${secret}`,
    `PUT /x HTTP/1.1\r\nhost: ${secret}\r\ncontent-length: 400000\r\n\r\n${secret.repeat(1000)}`,
    `DELETE /x HTTP/1.1\r\nhost: ${secret}\r\n\r\n`,
    `PATCH /x HTTP/1.1\r\nhost: ${secret}\r\n\r\n`,
    `OPTIONS * HTTP/1.1\r\nhost: ${secret}\r\n\r\n`,
    `CONNECT ${secret}:443 HTTP/1.1\r\nhost: ${secret}\r\n\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ])('is told so, hears nothing of what it sent, and is recorded: %s', async (bytes) => {
    const answer = await inClear(bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('connection: close\r\n');
    expect(answer).toContain('This port speaks HTTPS');
    expect(answer).toContain('came here in clear');
    expect(answer).not.toContain(secret);
    expect(answer).not.toContain('evil.example');
    await until(() => gateway.facts.length > 0);
    expect(gateway.facts).toMatchObject([
      { kind: 'request.decided', allowed: false, reason: 'refused-at-edge' },
    ]);
    expect(JSON.stringify(gateway.facts)).not.toContain(secret);
  });

  it('that goes on sending is cut off', async () => {
    const body = Buffer.alloc(8 * 2 ** 20, 'x');
    const began = performance.now();
    await inClear(
      Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n`), body]),
    );
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

it('a handshake that fails as one of TLS is answered with nothing', async () => {
  // A record of TLS, and in it no handshake.
  expect(await inClear(Buffer.from('1603010005ffffffffff', 'hex'))).not.toContain('HTTP/1.1');
  expect(gateway.facts).toEqual([]);
});

it('whoever speaks TLS is served as ever meanwhile', async () => {
  await inClear('GET / HTTP/1.1\r\n\r\n');
  expect((await gateway.fetch('/')).status).toBe(403);
});
