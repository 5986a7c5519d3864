import { afterEach, beforeEach, expect, it } from 'vitest';
import { startWatch } from '../../../lib/testing/processor-time.ts';
import { type TestGateway, until } from '../../testing/gateway.ts';
import { webGateway } from '../../testing/web-gateway.ts';
import { EchoUpstream } from '../../testing/upstream.ts';
import type { ProxiedSurface } from './proxied.ts';

let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
const headers = { authorization: 'Bearer good', accept: 'text/event-stream' };

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  ({ gateway, surface } = await webGateway({
    name: 'feed',
    upstream: upstream.origin,
    scope: '/connections/feed',
    rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Feed/read' }],
  }));
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

/** What has come of the answer until now. */
async function reading(path: string) {
  const response = await gateway.fetch(path, { headers });
  let text = '';
  const over = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
  })();
  over.catch(() => undefined);
  return { response, over, text: () => text };
}

it('sends the head of a stream of events at once, and each event as it comes', async () => {
  const next = Promise.withResolvers<void>();
  upstream.answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    void next.promise.then(() => response.write('data: 1\n\n'));
  };
  const { response, text } = await reading('/connections/feed/events');
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect(text()).toBe('');
  next.resolve();
  await until(() => text() === 'data: 1\n\n');
});

it('cuts a quiet stream within a second of the change, at both ends', async () => {
  const gone = Promise.withResolvers<void>();
  upstream.answer = (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    request.socket.on('close', () => gone.resolve());
  };
  const { over, text } = await reading('/connections/feed/events');
  await until(() => text() !== '');
  const elapsed = startWatch();
  expect(gateway.sessions.cutAll('policy-changed')).toBe(1);
  await expect(over).rejects.toThrow(/terminated/);
  await gone.promise;
  expect(elapsed()).toBeLessThan(1000);
  await until(() => gateway.facts.length === 2);
  expect(gateway.facts[1]).toMatchObject({ ending: 'policy-changed', status: 200, responseBytes: 9 });
});

it('tells a caller whose long poll is cut why, for its answer had not begun', async () => {
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  upstream.answer = (request) => {
    request.socket.on('close', () => gone.resolve());
    asked.resolve();
  };
  const answer = gateway.fetch('/connections/feed/poll', { headers });
  await asked.promise;
  gateway.sessions.cutAll('identity-ended');
  const response = await answer;
  expect([response.status, await response.json()]).toMatchObject([
    401,
    { error: { code: 'RevokedAuthenticationToken' } },
  ]);
  await gone.promise;
});
