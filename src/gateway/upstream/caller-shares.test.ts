import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PrincipalId } from '../../lib/ids.ts';
import { mlflowSurface } from '../adapters/mlflow/surface.ts';
import { webSurface } from '../adapters/web/surface.ts';
import type { ProxiedSurface } from '../adapters/web/proxied.ts';
import { alice, allow, callerOf, TestGateway, until } from '../testing/gateway.ts';
import { proxyOptions } from '../testing/proxy-options.ts';
import { EchoUpstream } from '../testing/upstream.ts';
import { WebSocketUpstream } from '../testing/web-socket-upstream.ts';
import { defaultUpstreamSettings } from './settings.ts';

const bob = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const settings = {
  ...defaultUpstreamSettings,
  bounds: { ...defaultUpstreamSettings.bounds, perCaller: 2, webSocketsPerCaller: 1 },
};
let upstream: EchoUpstream;
let sockets: WebSocketUpstream;
let surfaces: ProxiedSurface[];
let gateway: TestGateway;
let held: ServerResponse[];

beforeEach(async () => {
  held = [];
  upstream = await EchoUpstream.start();
  sockets = await WebSocketUpstream.start();
  upstream.answer = (request, response) => {
    if (request.url?.includes('slow') === true) held.push(response);
    else response.end('{}');
  };
  const rules = [
    { methods: ['GET' as const], path: '/*', action: 'Contoso/read' },
    { methods: ['GET' as const], path: '/socket', action: 'Contoso/read', upgrade: 'websocket' as const },
  ];
  surfaces = [
    webSurface({ name: 'web', upstream: upstream.origin, scope: '/s', settings, rules }, proxyOptions),
    webSurface({ name: 'ws', upstream: sockets.origin, scope: '/s', settings, rules }, proxyOptions),
    mlflowSurface(
      { name: 'ml', upstream: upstream.origin, scope: '/s', settings, workspace: null },
      proxyOptions,
    ),
  ];
  gateway = await TestGateway.start({
    surfaces,
    // Two tokens of one person are one caller.
    tokens: new Map([
      ['one', callerOf(alice)],
      ['two', callerOf(alice, { tokenId: 'uti-2' })],
      ['bob', callerOf(bob)],
    ]),
    decide: () => allow(),
  });
});
afterEach(async () => {
  await gateway.close();
  for (const surface of surfaces) await surface.close();
  await upstream.close();
  await sockets.close();
});

const ask = (token: string, path: string) =>
  gateway.fetch(`/connections/${path}`, { headers: { authorization: `Bearer ${token}` } });

it('a caller with as many requests under way as they may have is told so, in the words of the protocol', async () => {
  const slow = [ask('one', 'web/slow'), ask('two', 'web/slow')];
  await until(() => held.length === 2);
  const refused = await ask('two', 'web/quick');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.text()).toContain('You have 2 requests under way at this upstream');
  expect((await ask('bob', 'web/quick')).status).toBe(200);
  // Of another connection it is another share.
  const others = [ask('one', 'ml/version?slow'), ask('one', 'ml/version?slow')];
  await until(() => held.length === 4);
  const told = await ask('one', 'ml/version');
  expect([told.status, told.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await told.json()).toMatchObject({ error_code: 'REQUEST_LIMIT_EXCEEDED' });
  for (const response of held) response.end('{}');
  for (const answered of await Promise.all([...slow, ...others])) {
    expect(answered.status).toBe(200);
    await answered.text();
  }
  await until(() => surfaces.every((surface) => surface.upstreamView().requests === 0));
  expect((await ask('one', 'web/quick')).status).toBe(200);
});

it('what the gateway has to ask to decide a request is of its caller’s share too', async () => {
  upstream.answer = (request, response) => {
    if (request.url?.includes('runs/get') === true) held.push(response);
    else response.end('{}');
  };
  const run = (token: string, id: string) =>
    ask(token, `ml/api/2.0/mlflow/metrics/get-history?run_id=${id}&metric_key=m`);
  const asking = [run('one', 'a'.repeat(32)), run('two', 'b'.repeat(32))];
  await until(() => held.length === 2);
  expect((await ask('one', 'ml/version')).status).toBe(429);
  const refused = await run('one', 'c'.repeat(32));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect((await ask('bob', 'ml/version')).status).toBe(200);
  expect(held.length).toBe(2);
  const answer = JSON.stringify({ run: { info: { experiment_id: '5' } } });
  for (const response of held) response.end(answer);
  for (const answered of await Promise.all(asking)) expect(answered.status).toBe(200);
});

it('a caller with as many WebSockets as they may have is told so, until one ends', async () => {
  const open = (token: string) =>
    new WebSocket(`wss://localhost:${gateway.port}/connections/ws/socket`, {
      ca: gateway.ca,
      headers: { authorization: `Bearer ${token}` },
    });
  const first = open('one');
  await once(first, 'open');
  const second = open('two');
  const [fault] = (await once(second, 'error')) as [Error];
  expect(fault.message).toContain('429');
  const others = open('bob');
  await once(others, 'open');
  first.close();
  others.close();
  await until(() => surfaces[1]?.upstreamView().webSockets === 0);
  const again = open('two');
  await once(again, 'open');
  again.close();
  await once(again, 'close');
});
