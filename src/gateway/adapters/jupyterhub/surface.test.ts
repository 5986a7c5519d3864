import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { isWithin } from '../../../policy/scope.ts';
import type { Caller } from '../../../identity/caller.ts';
import { alice, allow, callerOf, TestGateway } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream, parseEcho, received } from '../../testing/upstream.ts';
import { jupyterActions as actions } from '../jupyter/actions.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterHubSurface } from './surface.ts';

// The hub itself is asked in test/interop/jupyterhub.interop.ts.

const scope = '/subscriptions/s/computes/hub';
const bob = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
const session = '__Host-lockstep-session=mine';
/** What Alice may do: at a scope and beneath it, everything or these. */
let grants: { scope: string; actions?: readonly string[] }[];
let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;

const byJob: Caller = {
  ...callerOf(alice),
  chain: [
    { kind: 'user', id: alice, name: 'alice@example.test' },
    { kind: 'job', id: bob, name: 'job' },
  ],
};

beforeEach(async () => {
  grants = [{ scope: `${scope}/own` }];
  upstream = await EchoUpstream.start();
  surface = jupyterHubSurface(
    { name: 'hub', upstream: upstream.origin, scope },
    { ...proxyOptions, signInAddress: () => 'https://localhost/signin', holdRolesWithin: () => true },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    hostnames: ['hub.localhost'],
    tokens: new Map([
      ['good', callerOf(alice)],
      ['job', byJob],
    ]),
    cookies: new Map([['mine', callerOf(alice, { kind: 'session-cookie' })]]),
    decide: (_, access) =>
      grants.some(
        (grant) => isWithin(access.scope, grant.scope) && grant.actions?.includes(access.action) !== false,
      )
        ? allow()
        : { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice },
  });
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

interface Asked {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const bearer = { authorization: 'Bearer good' };
const inBrowser = { cookie: `${session}; jupyterhub-hub-login=h; _xsrf=x`, 'sec-fetch-site': 'same-origin' };

async function ask(path: string, asked: Asked = {}) {
  const { method = 'GET', host = 'hub.localhost', headers = bearer, body = '' } = asked;
  const framing = method === 'GET' ? {} : { 'content-length': String(body.length) };
  const lines = Object.entries({ host, connection: 'close', ...headers, ...framing });
  const text = await gateway.raw(
    `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    5000,
    host,
  );
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, text: rest.join('\r\n\r\n') };
}

const own = [
  ['GET', '/'],
  ['GET', '/hub/home'],
  ['GET', '/hub/spawn'],
  ['POST', '/hub/spawn'],
  ['GET', '/hub/user-redirect/lab/tree/a.ipynb'],
  ['GET', `/hub/spawn/${alice}`],
  ['GET', `/hub/spawn-pending/${alice}`],
  ['GET', `/hub/user/${alice}/lab`],
  ['GET', `/hub/api/users/${alice}`],
  ['POST', `/hub/api/users/${alice}/server`],
  ['DELETE', `/hub/api/users/${alice}/server`],
  ['GET', `/hub/api/users/${alice}/server/progress`],
  ['GET', `/user/${alice}`],
  ['GET', `/user/${alice}/lab`],
  ['POST', `/user/${alice}/api/kernels`],
  ['GET', `/user/${alice}/api/me`],
  ['PUT', `/user/${alice}/api/contents/a.ipynb`],
  ['GET', `/user/${alice}/files/a.ipynb`],
] as const;

describe('a person', () => {
  it.each(own)('has a server of their own, and the way to it: %s %s', async (method, path) => {
    expect((await ask(path, { method })).status).toBe(200);
    const [decided] = gateway.facts;
    const places = [`${scope}/own/${alice}`, `${scope}/own/${alice}/directories/a.ipynb`];
    expect(decided).toMatchObject({ allowed: true });
    expect(places).toContain(decided?.kind === 'request.decided' ? decided.scope : null);
    expect(upstream.seen.map(({ url }) => url)).toEqual([path]);
  });

  it.each(own.filter(([, path]) => path.includes(alice)))(
    'has nobody else’s: %s %s',
    async (method, path) => {
      const others = path.replace(alice, bob);
      expect((await ask(others, { method })).status).toBe(403);
      expect(upstream.seen).toEqual([]);
      grants.push({ scope: `${scope}/users/${bob}` });
      expect((await ask(others, { method })).status).toBe(200);
    },
  );

  it('has none without a role, and no hub either', async () => {
    grants = [{ scope: `${scope}/users` }, { scope: `${scope}/own/${bob}` }];
    for (const [method, path] of own) expect((await ask(path, { method })).status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  it('has it when a job acts for them, which has no other', async () => {
    const headers = { authorization: 'Bearer job' };
    expect((await ask(`/user/${alice}/api/me`, { headers })).status).toBe(200);
    expect((await ask(`/user/${bob}/api/me`, { headers })).status).toBe(403);
  });

  it.each([
    ['start', 'POST', `/hub/api/users/${bob}/server`],
    ['stop', 'DELETE', `/hub/api/users/${bob}/server`],
    ['look', 'GET', `/hub/api/users/${bob}/server/progress`],
  ] as const)('may be let to %s somebody’s server and nothing else', async (right, method, path) => {
    grants = [{ scope: `${scope}/users`, actions: [actions[right]] }];
    expect((await ask(path, { method })).status).toBe(200);
    for (const other of ['POST', 'DELETE'].filter((one) => one !== method)) {
      expect((await ask(`/hub/api/users/${bob}/server`, { method: other })).status).toBe(403);
    }
  });
});

describe('somebody else’s server', () => {
  beforeEach(() => {
    grants.push({ scope: `${scope}/users/${bob}` });
  });

  it.each([`/user/${bob}/lab`, `/user/${bob}/api/contents`, `/user/${bob}/files/x.html`])(
    'is opened in no browser, where its pages would act as the visitor: %s',
    async (path) => {
      const refused = await ask(path, { headers: inBrowser });
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('its pages would act as you');
      expect(upstream.seen).toEqual([]);
      expect((await ask(path.replace(bob, alice), { headers: inBrowser })).status).not.toBe(403);
    },
  );

  it('nor does a page open its WebSockets', async () => {
    const socket = new WebSocket(`wss://hub.localhost:${gateway.port}/user/${bob}/api/kernels/k/channels`, {
      ca: gateway.ca,
      origin: `https://hub.localhost:${gateway.port}`,
      headers: { cookie: session },
      lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    });
    const status = await new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.on('open', () => resolve(101));
      socket.on('unexpected-response', (_sent, response) => resolve(response.statusCode));
    });
    socket.terminate();
    expect(status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  it('is open by directories, as any notebook server is', async () => {
    upstream.answer = (request, response) => {
      const isRoot = request.url?.includes('/api/contents?') === true;
      const content = ['shared', 'private'].map((name) => ({ name, type: 'directory' }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(isRoot ? { type: 'directory', content } : { type: 'file' }));
    };
    const base = `/user/${bob}`;
    grants = [
      { scope: `${scope}/users/${bob}`, actions: [actions.look] },
      { scope: `${scope}/users/${bob}/directories/shared`, actions: [actions.readFiles] },
    ];
    expect((await ask(`${base}/api/contents/shared/a.txt`)).status).toBe(200);
    for (const [method, path, body] of [
      ['GET', '/api/contents/private/a.txt', ''],
      ['GET', '/files/private/a.txt', ''],
      ['GET', '/api/contents/Shared/a.txt', ''],
      ['PUT', '/api/contents/shared/a.txt', '{}'],
      ['POST', '/api/contents/shared', '{"copy_from":"private/a.txt"}'],
      ['POST', '/api/kernels', '{}'],
    ] as const) {
      expect((await ask(base + path, { method, body })).status).toBe(403);
    }
  });
});

describe('cookies', () => {
  it('of the hub are between it and the browser, and Lockstep’s never reach it', async () => {
    upstream.answer = (request, response) => {
      response.setHeader('set-cookie', ['_xsrf=y; Path=/hub/', '__Host-lockstep-session=evil; Path=/']);
      response.end(
        JSON.stringify({ ...parseEcho({ method: '', url: '', body: '', rawHeaders: request.rawHeaders }) }),
      );
    };
    const { text, head } = await ask('/hub/home', { headers: inBrowser });
    const echo = parseEcho(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)));
    expect(received(echo, 'cookie')).toEqual(['jupyterhub-hub-login=h; _xsrf=x']);
    expect(head).toContain('_xsrf=y; Path=/hub/; Secure');
    expect(head).not.toContain('lockstep-session');
  });

  it('are no business of a server, which neither gets nor sets any', async () => {
    upstream.answer = (request, response) => {
      response.setHeader('set-cookie', 'jupyterhub-user-x=1; Path=/user/');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ cookie: request.headers.cookie ?? 'none' }));
    };
    const { text, head } = await ask(`/user/${alice}/api/me`, { headers: inBrowser });
    expect(text).toContain('{"cookie":"none"}');
    expect(head).not.toMatch(/set-cookie/i);
  });

  it('and a token besides are two credentials', async () => {
    const { status } = await ask(`/user/${alice}/api/me`, { headers: { ...inBrowser, ...bearer } });
    expect(status).toBe(400);
  });

  it('of the hub’s alone are none', async () => {
    const { status } = await ask('/hub/home', { headers: { cookie: 'jupyterhub-hub-login=h' } });
    expect(status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });

  it.each(['/hub/spawn', `/hub/api/users/${alice}/server`, `/user/${alice}/api/kernels`])(
    'do nothing for another site’s page: POST %s',
    async (path) => {
      for (const site of ['cross-site', 'same-site']) {
        const headers = { ...inBrowser, 'sec-fetch-site': site };
        expect((await ask(path, { method: 'POST', headers })).status).toBe(403);
      }
      expect(upstream.seen).toEqual([]);
    },
  );
});

describe('a server that does not run', () => {
  const base = `/user/${alice}`;

  beforeEach(() => {
    // As JupyterHub's PrefixRedirectHandler does, which its proxy asks then.
    upstream.answer = ({ method, url }, response) => {
      response.setHeader('content-type', 'text/html');
      response.setHeader(
        'content-security-policy',
        "frame-ancestors 'none'; report-uri /hub/security/csp-report",
      );
      if (method === 'GET') response.writeHead(302, { location: `/hub${url}` }).end();
      else response.writeHead(403).end('<p>_xsrf missing');
    };
  });

  it.each([
    ['GET', '/api/status'],
    ['GET', '/api/contents'],
    ['GET', '/api/contents/a.ipynb'],
    ['GET', '/lab/api/settings'],
    ['POST', '/api/kernels'],
    ['DELETE', '/api/contents/a.ipynb'],
    ['PUT', '/api/contents/a.ipynb'],
  ])('is said to be so to programs: %s %s', async (method, path) => {
    const { status, text } = await ask(base + path, { method });
    expect(status).toBe(503);
    expect(text).toContain(`This server does not run. Start it at /hub/spawn/${alice}.`);
  });

  it('is started by people, who are led there', async () => {
    const { status, head } = await ask(`${base}/lab`, { headers: inBrowser });
    expect(status).toBe(302);
    expect(head).toContain(`location: /hub${base}/lab`);
  });

  it('is not what a redirect within the server means', async () => {
    upstream.answer = (_, response) => void response.writeHead(302, { location: `${base}/files/b` }).end();
    expect((await ask(`${base}/files/a`)).status).toBe(302);
  });
});

describe('whatever the role', () => {
  it.each([
    ['GET', '/hub/token'],
    ['GET', '/hub/admin'],
    ['POST', '/hub/login'],
    ['GET', '/hub/metrics'],
    ['GET', '/hub/api/user'],
    ['GET', '/hub/api/users'],
    ['GET', '/hub/api/groups'],
    ['GET', '/hub/api/services'],
    ['POST', `/hub/api/users/${alice}/tokens`],
    ['GET', `/hub/api/users/${alice}/tokens`],
    ['POST', `/hub/api/users/${alice}`],
    ['POST', `/hub/api/users/${alice}/activity`],
    ['POST', `/hub/spawn/${alice}/lab`],
    ['POST', `/hub/api/users/${alice}/servers/lab`],
    ['DELETE', `/hub/api/users/${alice}/servers/`],
    ['GET', '/hub/api/oauth2/authorize?client_id=x'],
    ['POST', '/hub/api/oauth2/authorize'],
    ['POST', '/hub/api/oauth2/token'],
    ['GET', '/hub/api/authorizations/token/x'],
    ['GET', '/hub/api/proxy'],
    ['POST', '/hub/api/shutdown'],
    ['GET', '/hub/api/shares/x'],
    ['GET', '/api/routes'],
    ['GET', '/services/x/'],
    ['GET', `/user/${alice.toUpperCase()}/lab`],
    ['GET', '/user/alice/lab'],
    ['GET', '/user/alice@example.test/lab'],
    ['GET', `/user/${alice}x/lab`],
    ['GET', `/user/${alice}/logout`],
    ['GET', `/user/${alice}/metrics`],
    ['GET', `/user/${alice}/proxy/8080/`],
    ['GET', `/user/${alice}/oauth_callback?code=1&state=2`],
    ['GET', `/user/${alice}/named/lab`],
    ['GET', '/HUB/spawn'],
    ['GET', '/hub/spawn/'],
  ])('%s %s is denied', async (method, path) => {
    grants = [{ scope: '/' }];
    expect((await ask(path, { method })).status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    `/user/${alice}%2F..%2F${bob}/lab`,
    `/user/${alice}/..%2f${bob}/lab`,
    `/user/${bob}%2flab`,
    `/user/${bob.replace('-', '%2d')}/lab`,
    `/user//${bob}/lab`,
    `/hub/spawn/${alice}%2flab`,
  ])('a name is read one way only: %s', async (path) => {
    grants = [{ scope: '/' }];
    expect((await ask(path)).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });

  it.each(['/hub/home?token=secret', `/user/${alice}/api/me?token=secret&x=1`])(
    'no token in an address reaches the hub: %s',
    async (path) => {
      expect((await ask(path)).status).toBe(200);
      expect(upstream.seen[0]?.url).not.toContain('secret');
    },
  );

  it('is seen at its own host only', async () => {
    grants = [{ scope: '/' }];
    expect((await ask('/connections/hub/hub/home', { host: 'localhost' })).status).toBe(403);
    expect((await ask(`/connections/hub/user/${alice}/lab`, { host: 'localhost' })).status).toBe(403);
  });

  it('is given no credential, which would make everybody its owner', () => {
    const connection = { name: 'hub', upstream: upstream.origin, scope };
    const authorization = { header: 'authorization', value: 'token t' };
    for (const given of [{ credential: authorization }, { headers: [authorization] }]) {
      expect(() => jupyterHubSurface({ ...connection, ...given }, proxyOptions)).toThrow(/no credential/);
    }
  });
});
