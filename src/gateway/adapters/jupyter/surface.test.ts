import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, until } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream, parseEcho, received } from '../../testing/upstream.ts';
import { jupyterRoutes } from './routes.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterSurface } from './surface.ts';

// The server itself is asked in test/interop/jupyter.interop.ts; here is what it would have to misbehave for.

const secret = 'the-server-token-0123456789abcdef';
const scope =
  '/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/lab/computes/own';
let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
const headers = { authorization: 'token good' };

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  surface = jupyterSurface(
    {
      name: 'own',
      upstream: upstream.origin,
      scope,
      isolatedKernels: false,
      credential: { header: 'authorization', value: `token ${secret}` },
    },
    proxyOptions,
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

function answering(head: Record<string, string>, body: string | Buffer, status = 200): void {
  upstream.answer = (_, response) => void response.writeHead(status, head).end(body);
}

async function ask(path: string, init: Parameters<TestGateway['fetch']>[1] = {}) {
  const response = await gateway.fetch(`/connections/own${path}`, { headers, redirect: 'manual', ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const workspaces = 'Microsoft.MachineLearningServices/workspaces';
const files = '/directories';
const id = '11111111-1111-4111-8111-111111111111';

describe('a route', () => {
  it.each([
    ['GET', '/api/status', '', `${workspaces}/computes/read`],
    ['POST', '/api/kernels', '', `${workspaces}/computes/applicationaccess/action`],
    ['DELETE', `/api/kernels/${id}`, '', `${workspaces}/computes/applicationaccess/action`],
    ['POST', `/api/kernels/${id}/interrupt`, '', `${workspaces}/computes/applicationaccess/action`],
    ['PATCH', `/api/sessions/${id}`, '', `${workspaces}/computes/applicationaccess/action`],
    ['POST', '/api/terminals', '', `${workspaces}/computes/applicationaccess/action`],
    ['POST', '/lab/api/extensions', '', `${workspaces}/computes/applicationaccess/action`],
    ['GET', '/api/resolvePath', '', `${workspaces}/computes/applicationaccess/action`],
    ['POST', '/api/shutdown', '', `${workspaces}/computes/stop/action`],
    ['HEAD', '/api/contents/a/b.ipynb', `${files}/a/b.ipynb`, `${workspaces}/notebooks/storage/read`],
    ['GET', '/files/a.csv', `${files}/a.csv`, `${workspaces}/notebooks/storage/read`],
    ['PUT', '/api/contents/a/b.ipynb', `${files}/a/b.ipynb`, `${workspaces}/notebooks/storage/write`],
    ['POST', '/api/contents', files, `${workspaces}/notebooks/storage/write`],
    [
      'POST',
      '/api/contents/a.ipynb/checkpoints',
      `${files}/a.ipynb`,
      `${workspaces}/notebooks/storage/write`,
    ],
    ['POST', '/api/contents/a.ipynb/trust', `${files}/a.ipynb`, `${workspaces}/notebooks/storage/write`],
    ['DELETE', '/api/contents/a/b.ipynb', `${files}/a/b.ipynb`, `${workspaces}/notebooks/storage/delete`],
    ['GET', '/nbconvert/html/a.ipynb', `${files}/a.ipynb`, `${workspaces}/notebooks/storage/read`],
    ['GET', '/lab/tree/a.ipynb', '', `${workspaces}/computes/read`],
    ['GET', '/lab/api/settings/@jupyterlab%2Fapputils-extension:themes', '', `${workspaces}/computes/read`],
  ])('%s %s needs, at the connection’s scope and %s: %s', async (method, path, beneath, action) => {
    expect((await ask(path, { method })).status).toBe(200);
    expect(gateway.facts[0]).toMatchObject({
      action,
      scope: scope.toLowerCase() + beneath,
      surface: 'jupyter:own',
    });
    expect(upstream.seen[0]?.url).toBe(path);
  });

  it.each([
    ['GET', '/login', 403],
    ['POST', '/login', 403],
    ['GET', '/logout', 403],
    ['GET', '/metrics', 403],
    ['PATCH', '/api/me', 403],
    ['OPTIONS', '/api/kernels', 403],
    ['GET', '/api/kernels/', 403],
    ['GET', '/API/contents', 403],
    ['DELETE', '/api/contents', 403],
    ['GET', '/proxy/8080/', 403],
    ['GET', '/api/contents/a%2Fb', 400],
    ['DELETE', `/api/kernels/${id}%2Finterrupt`, 400],
  ])('%s %s is denied', async (method, path, status) => {
    const answer = await ask(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(
      status === 403
        ? /^\{"message":"This path is not described .*","reason":"RouteNotDescribed","decision":"dec_/
        : /^\{"message":"The request path holds an encoded slash .*","reason":"InvalidUri","decision":"dec_/,
    );
    expect(upstream.seen).toEqual([]);
  });

  it('does not lead out of a name that may hold slashes', async () => {
    for (const path of ['/lab/api/settings/..%2F..%2Fkernels', '/lab/api/settings/a%2F..%2F..%2Fkernels']) {
      expect((await ask(path)).status).toBe(400);
    }
    expect(upstream.seen).toEqual([]);
  });

  it('is upgraded only where kernels, terminals, events, language servers and documents speak', () => {
    expect(jupyterRoutes.filter(({ upgrade }) => upgrade !== undefined).map(({ path }) => path)).toEqual([
      '/api/events/subscribe',
      '/api/kernels/:id/channels',
      '/terminals/websocket/:name',
      '/lsp/ws/:server',
      '/api/collaboration/room/:room',
    ]);
  });
});

describe('tokens', () => {
  it('of a caller are Lockstep’s under Jupyter’s name too, and go no further', async () => {
    const { text } = await ask('/api/status?token=good&a=1', {
      headers: { ...headers, cookie: '_xsrf=1; up-own.username-x=2' },
    });
    const echo = parseEcho(JSON.parse(text));
    expect(echo.url).toBe('/api/status?a=1');
    expect(received(echo, 'authorization')).toEqual([`token ${secret}`]);
    expect(received(echo, 'cookie')).toEqual([]);
    expect(received(echo, 'x-lockstep-assertion')).toHaveLength(1);
  });

  it('are no credential in an address, nor under another scheme', async () => {
    expect((await ask('/api/status?token=good', { headers: {} })).status).toBe(401);
    expect((await ask('/api/status', { headers: { authorization: 'Basic good' } })).status).toBe(401);
    expect((await ask('/api/status', { headers: { authorization: 'good' } })).status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });

  it('of the server are taken out of its pages, cookies and all', async () => {
    answering(
      { 'content-type': 'text/html; charset=UTF-8', 'set-cookie': 'username-x=signed', etag: '"a"' },
      `<script>{"token": "${secret}", "again": "?token=${secret}", "ü": 1}</script>`,
    );
    const page = await ask('/lab');
    expect(page.text).toBe('<script>{"token": "", "again": "?token=", "ü": 1}</script>');
    expect(page.headers.getSetCookie()).toEqual([]);
    expect(page.headers.get('etag')).toBeNull();
  });

  it('of the server are taken out of its error pages too, wherever they stand', async () => {
    // jupyter-server's page.html, which its error.html extends.
    const body = (token: string) => `<body data-jupyter-api-token="${token}" dir="ltr">404</body>`;
    answering({ 'content-type': 'text/html' }, body(secret), 404);
    for (const path of ['/files/none', '/view/none.html', '/nbconvert/html/none.ipynb', '/static/none.js']) {
      expect(await ask(path)).toMatchObject({ status: 404, text: body('') });
    }
  });

  it('are not looked for in what people have written, however large it is', async () => {
    const text = `<p>${secret}</p>${' '.repeat(8 << 20)}`;
    answering({ 'content-type': 'text/html' }, text);
    expect((await ask('/nbconvert/html/a.ipynb')).text).toBe(text);
    expect((await ask('/lab/tree/a.ipynb')).status).toBe(413);
  });

  it('do not hide in a page that comes compressed all the same', async () => {
    answering({ 'content-type': 'text/html', 'content-encoding': 'gzip' }, gzipSync(secret));
    expect((await ask('/lab')).status).toBe(501);
  });
});

describe('programs', () => {
  it('get no page in place of an answer', async () => {
    answering({ 'content-type': 'text/html' }, '<html>500</html>', 500);
    const failed = await ask('/api/kernels');
    expect([failed.status, failed.headers.get('content-type')]).toEqual([
      500,
      'application/json; charset=utf-8',
    ]);
    expect(JSON.parse(failed.text)).toMatchObject({ reason: 'UpstreamAnsweredWithPage' });
    answering({ 'content-type': 'text/html' }, '<html>sign in</html>');
    expect((await ask('/api/kernels')).status).toBe(502);
  });

  it('get an answer without a body as it is, though the server calls it a page', async () => {
    answering({ 'content-type': 'text/html; charset=UTF-8', 'content-length': '0' }, '', 201);
    expect((await ask('/api/contents/a.ipynb/trust', { method: 'POST' })).status).toBe(201);
  });

  it('and people are not sent to the server’s own sign-in', async () => {
    answering({ location: '/login?next=%2Flab' }, '', 302);
    for (const path of ['/lab', '/api/kernels']) {
      const answer = await ask(path);
      expect([answer.status, answer.headers.get('location')]).toEqual([502, null]);
      expect(answer.text).toContain('does not take the credential');
    }
    answering({ location: '/lab?' }, '', 302);
    expect((await ask('/')).headers.get('location')).toBe('/connections/own/lab');
  });

  it('see a download whole, byte for byte', async () => {
    const bytes = Buffer.from(`${secret}\u0000\u00ff`, 'latin1');
    answering({ 'content-type': 'application/octet-stream' }, bytes);
    const response = await gateway.fetch('/connections/own/files/a.bin', { headers });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    await until(() => gateway.sessions.size === 0);
  });
});
