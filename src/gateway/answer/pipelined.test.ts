import { afterEach, expect, it } from 'vitest';
import { until } from '../testing/gateway.ts';
import { answering, RawUpstream } from '../testing/raw-upstream.ts';
import { webGateway } from '../testing/web-gateway.ts';

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

const one = (path: string): string =>
  `GET /connections/web/${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\n\r\n`;

/** `/slow` is answered when it is released, `/secret` at once, and `/broken` breaks off. */
async function pipelined(...paths: string[]) {
  const held: (() => void)[] = [];
  const upstream = await RawUpstream.start((socket, head) => {
    if (head.includes('/slow')) held.push(() => answering('slow')(socket));
    else if (head.includes('/secret')) answering('SECRET')(socket);
    else {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
      setTimeout(() => socket.destroy(), 50);
    }
  });
  const { gateway, surface } = await webGateway({
    name: 'web',
    upstream: upstream.origin,
    scope: '/connections/web',
    rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Web/all/action' }],
  });
  cleanUp.push(
    () => upstream.close(),
    () => surface.close(),
    () => gateway.close(),
  );
  const socket = await gateway.connect();
  const got = { text: '', closed: false };
  socket.on('error', () => undefined).on('close', () => (got.closed = true));
  socket.on('data', (data: Buffer) => (got.text += data.toString('latin1')));
  socket.write(paths.map(one).join(''));
  await until(() => upstream.requests === paths.length);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { gateway, got, release: () => held.forEach((answer) => answer()) };
}

it('tells nothing of an answer that waits behind another once its session is cut', async () => {
  const { gateway, got, release } = await pipelined('slow', 'secret');
  const [victim] = gateway.sessions.list().filter(({ path }) => path.endsWith('/secret'));
  expect(gateway.sessions.cut(victim?.id ?? ('' as never), 'assignment-removed')).toBe(true);
  release();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(got.text).not.toContain('SECRET');
});

it('tells nothing of any that wait when all of them are cut', async () => {
  const { gateway, got } = await pipelined('slow', 'secret', 'secret', 'secret');
  expect(gateway.sessions.cutAll('assignment-removed')).toBe(4);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(got.text).not.toContain('SECRET');
});

it('gives the connection up for an answer that broke off while it waited', async () => {
  const { got, release } = await pipelined('slow', 'broken');
  release();
  await until(() => got.closed, 3000).catch(() => undefined);
  expect(got.closed).toBe(true);
});
