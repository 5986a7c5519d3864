import { request } from 'node:https';
import { text as textOf } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { webSurface } from '../../gateway/adapters/web/surface.ts';
import type { ProxiedSurface } from '../../gateway/adapters/web/proxied.ts';
import { allow, TestGateway } from '../../gateway/testing/gateway.ts';
import { proxyOptions } from '../../gateway/testing/proxy-options.ts';
import { PolicySnapshot } from '../../policy/snapshot.ts';
import { group, rows } from '../../policy/testing/people.ts';
import { navigation } from '../entra/testing/browser.ts';
import { refusalPages } from './pages.ts';

let gateway: TestGateway;
let surface: ProxiedSurface;

beforeEach(async () => {
  const signInAddress = () => 'https://lockstep.example/signin/connection';
  surface = webSurface(
    {
      name: 'lab',
      upstream: 'http://127.0.0.1:1',
      scope: group,
      rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Lab/pages/read' }],
    },
    {
      ...proxyOptions,
      signInAddress,
      refusalPage: refusalPages({
        publicUrl: 'https://lockstep.example',
        snapshot: PolicySnapshot.from(rows),
        originOf: (name) => `https://${name}.localhost`,
        signInAddress,
      }),
    },
  );
  gateway = await TestGateway.start({ surfaces: [surface], tokens: new Map(), decide: allow });
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
});

it('tells nobody who has not signed in where a connection lies and what its pages are to policy', async () => {
  // `fetch` says itself that it is no navigation.
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: gateway.port,
        ca: gateway.ca,
        servername: 'localhost',
        agent: false,
        path: '/connections/lab/page',
        headers: { ...navigation, host: 'localhost' },
      },
      resolve,
    )
      .on('error', reject)
      .end();
  });
  const page = (await textOf(response)).replaceAll(/<wbr ?\/?>/g, '');
  expect(response.statusCode).toBe(401);
  expect(response.headers['content-type']).toContain('text/html');
  expect(page).not.toContain('Contoso.Lab');
  expect(page).not.toContain('/subscriptions/');
});
