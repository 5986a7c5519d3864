import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestGateway, until } from '../../testing/gateway.ts';
import { webGateway } from '../../testing/web-gateway.ts';
import { RawUpstream } from '../../testing/raw-upstream.ts';
import type { ProxiedSurface } from './proxied.ts';

// A client that waits to be told that its body is wanted, an upstream that says so or not, and us between them.

let upstream: RawUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
const heads: string[] = [];

async function open(answer: Parameters<typeof RawUpstream.start>[0]): Promise<void> {
  heads.length = 0;
  upstream = await RawUpstream.start((socket, head) => {
    heads.push(head);
    answer(socket, head);
  });
  ({ gateway, surface } = await webGateway({
    name: 'store',
    upstream: upstream.origin,
    scope: '/connections/store',
    rules: [{ methods: ['PUT'], path: '/*', action: 'Contoso.Store/write' }],
  }));
}
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

/** A client that has sent its head: what it was told, and its body when it likes. */
function asking(token = 'good') {
  const socket = connect({ port: gateway.port, host: '127.0.0.1', servername: 'localhost', ca: gateway.ca });
  let told = '';
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (told += chunk.toString('latin1')));
  socket.write(
    'PUT /connections/store/a HTTP/1.1\r\nhost: localhost\r\n' +
      `authorization: Bearer ${token}\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n`,
  );
  return { told: () => told, send: (text: string) => socket.write(text), close: () => socket.destroy() };
}

const taken = 'HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\ntaken';

describe('a client that waits to send its body', () => {
  it('is told to go on when the upstream wants it, and not before', async () => {
    let wanted = (): void => undefined;
    await open((socket) => {
      wanted = () => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        socket.once('data', () => socket.write(taken));
      };
    });
    const client = asking();
    await until(() => heads.length === 1);
    expect(heads[0]?.toLowerCase()).toContain('\r\nexpect: 100-continue');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(client.told()).toBe('');
    wanted();
    await until(() => client.told() === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    await until(() => client.told().includes('taken'));
    expect(client.told()).toContain('HTTP/1.1 201 Created');
    await until(() => gateway.facts.length === 2);
    expect(gateway.facts[1]).toMatchObject({ ending: 'completed', status: 201, requestBytes: 5 });
    client.close();
  });

  it.each(['401 Unauthorized', '403 Forbidden', '417 Expectation Failed', '200 OK'])(
    'is told %s in its place, and its body is asked for by nobody',
    async (status) => {
      await open((socket) => socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\nno`));
      const client = asking();
      await until(() => client.told().endsWith('no'));
      expect(client.told()).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
      expect(client.told()).not.toContain('100 Continue');
      await until(() => gateway.facts.length === 2);
      expect(gateway.facts[1]).toMatchObject({ requestBytes: 0 });
      // Nobody knows any more where a next request would begin, at either hop.
      expect(client.told().toLowerCase()).toContain('connection: close');
      await until(() => upstream.sockets.size === 0);
      client.close();
    },
  );

  it('is told to go on after a while where the upstream says nothing', async () => {
    await open((socket) => socket.once('data', () => socket.write(taken)));
    const client = asking();
    await until(() => client.told() === 'HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    await until(() => client.told().includes('taken'));
    expect(client.told()).toContain('HTTP/1.1 201 Created');
    client.close();
  });

  it('is told nothing of the upstream when it is refused here', async () => {
    await open(() => undefined);
    const client = asking('bad');
    await until(() => client.told().includes('\r\n\r\n'));
    expect(client.told()).toMatch(/^HTTP\/1.1 401/);
    expect(client.told()).not.toContain('100 Continue');
    expect(heads).toEqual([]);
    client.close();
  });

  it('leaves nothing waiting when it goes', async () => {
    await open(() => undefined);
    const client = asking();
    await until(() => heads.length === 1);
    client.close();
    await until(() => upstream.sockets.size === 0 && gateway.sessions.size === 0);
    expect(client.told()).toBe('');
  });

  it('is told nothing before the answer in HTTP/1.0, which knows no such thing', async () => {
    await open((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n');
      setTimeout(() => socket.write(taken), 100);
    });
    const answer = await gateway.raw(
      'PUT /connections/store/a HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer good\r\n' +
        'expect: 100-continue\r\ncontent-length: 5\r\n\r\nhello',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(heads[0]?.toLowerCase()).not.toContain('expect:');
  });

  it('is told so in HTTP/2 too', async () => {
    await open((socket) => {
      setTimeout(() => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        socket.once('data', () => socket.write(taken));
      }, 50);
    });
    const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, {
      ca: gateway.ca,
      servername: 'localhost',
    });
    const stream = session.request({
      ':method': 'PUT',
      ':path': '/connections/store/a',
      ':authority': 'localhost',
      authorization: 'Bearer good',
      'content-length': '5',
      expect: '100-continue',
    });
    let status: unknown;
    let isOver = false;
    stream.on('continue', () => stream.end('hello'));
    stream.on('response', (head) => (status = head[':status'])).on('close', () => (isOver = true));
    stream.resume();
    await until(() => isOver);
    expect(status).toBe(201);
    session.destroy();
  });
});
