import type { TLSSocket } from 'node:tls';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { webSurface } from './adapters/web/surface.ts';
import { alice, allow, callerOf, TestGateway } from './testing/gateway.ts';
import { proxyOptions } from './testing/proxy-options.ts';
import { route, thingsSurface } from './testing/things-surface.ts';
import { EchoUpstream } from './testing/upstream.ts';
import type { Surface } from './types.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (how?: { readonly type: 'minor' | 'major' }) => void;

const rounds = 10;
const perRound = 100;
const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()?.();
});

async function gatewayTo(surface: Surface): Promise<TestGateway> {
  const gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
  cleanUp.push(() => gateway.close());
  return gateway;
}

async function proxied(answer: EchoUpstream['answer']): Promise<Surface> {
  const upstream = await EchoUpstream.start();
  upstream.answer = answer;
  const rules = [{ methods: ['GET'], path: '/*', action: 'Contoso.Things/read' }] as const;
  const surface = webSurface(
    { name: 'things', upstream: upstream.origin, scope: '/things', rules },
    proxyOptions,
  );
  cleanUp.push(async () => {
    await surface.close();
    await upstream.close();
  });
  return surface;
}

describe('a request leaves next to nothing behind that outlives a short collection of memory', () => {
  // 6,580 bytes of each when one object of a request was written with an accessor in it.
  const most = 500;

  test('when it is served here', async () => {
    const gateway = await gatewayTo(thingsSurface([route({ method: 'GET', path: '/things/:id' })]));
    const socket = await gateway.connect();
    const ask = async () => asked(socket, '/things/1?a=1');
    expect(await leftBehind(ask, gateway)).toBeLessThan(most);
    socket.destroy();
  });

  test('when it is passed on, with an answer that comes at once', async () => {
    const gateway = await gatewayTo(await proxied((_request, response) => void response.end('whole')));
    const socket = await gateway.connect();
    const ask = async () => asked(socket, '/connections/things/1?a=1');
    expect(await leftBehind(ask, gateway)).toBeLessThan(most);
    socket.destroy();
  });

  test('when it is passed on, with an answer in pieces', async () => {
    const surface = await proxied((_request, response) => {
      response.write('in ');
      setTimeout(() => response.end('pieces'), 1);
    });
    const gateway = await gatewayTo(surface);
    const socket = await gateway.connect();
    const ask = async () => asked(socket, '/connections/things/1?a=1');
    expect(await leftBehind(ask, gateway)).toBeLessThan(most);
    socket.destroy();
  });
});

/** Bytes that a request, and asking for it, adds to what only a full collection looks at. */
async function leftBehind(ask: () => Promise<void>, gateway: TestGateway): Promise<number> {
  const round = async (): Promise<void> => {
    for (let i = 0; i < perRound; i++) await ask();
    gateway.facts.length = 0;
  };
  // What is compiled, and what was made until then, is none of any request's.
  for (let i = 0; i < rounds; i++) await round();
  collect();
  const before = oldBytes();
  for (let i = 0; i < rounds; i++) {
    await round();
    collect({ type: 'minor' });
  }
  return (oldBytes() - before) / (rounds * perRound);
}

/** Of a known length, or in chunks up to the last. */
const wholeAnswer = /content-length[^]*\r\n\r\n.|\r\n0\r\n\r\n$/i;

async function asked(socket: TLSSocket, path: string): Promise<void> {
  let answer = '';
  const whole = new Promise<void>((resolve) => {
    const take = (piece: Buffer): void => {
      answer += piece.toString('latin1');
      if (!wholeAnswer.test(answer)) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n`);
  await whole;
  expect(answer.slice(0, 15)).toBe('HTTP/1.1 200 OK');
}

function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name.startsWith('old'))
    .reduce((sum, { space_used_size: used }) => sum + used, 0);
}
