import { signedWith } from '../../testing/proxy-options.ts';
import { createHash } from 'node:crypto';
import { decodeProtectedHeader, generateKeyPair, jwtVerify } from 'jose';
import type { Response } from 'undici';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { alice, allow, callerOf, TestGateway, until } from '../../testing/gateway.ts';
import { EchoUpstream, parseEcho, received, type Echo } from '../../testing/upstream.ts';
import { assertionType } from '../../../identity/tokens/sign-assertion.ts';
import { upstreamAddress } from '../../upstream/address.ts';
import type { ProxiedSurface } from './proxied.ts';
import { responseHeaders } from './response-headers.ts';
import { webSurface, type WebConnection } from './surface.ts';

const hosts = { names: ['localhost', '127.0.0.1'], baseDomain: 'localhost' };
const jobId = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc' as PrincipalId;
const job = {
  ...callerOf(alice),
  chain: [
    { kind: 'user', id: alice, name: 'alice' },
    { kind: 'ci-run', id: 'https://ci#7', name: 'ci 7' },
    { kind: 'job', id: jobId, name: 'train' },
  ],
} as const;
const tokens = new Map([
  ['good', callerOf(alice)],
  ['job', job],
]);
const anyRule: WebConnection['rules'] = [
  {
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    path: '/*',
    action: 'Contoso.Tracker/runs/write',
  },
];

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let upstream: EchoUpstream;
let gateway: TestGateway;
let surface: ProxiedSurface;
const cleanUp: (() => Promise<void>)[] = [];

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
});

async function begin(connection: Partial<WebConnection> = {}): Promise<void> {
  surface = webSurface(
    {
      name: 'tracker',
      upstream: upstream.origin,
      scope: '/Connections/Tracker',
      rules: anyRule,
      ...connection,
    },
    {
      hosts,
      issuer: 'https://localhost/t/v2.0',
      clock: systemClock,
      identityOf: ({ subject }) => ({
        id: subject.id,
        userPrincipalName: 'alice@example.test',
        displayName: 'Alice',
        groups: [{ id: jobId, displayName: 'a,admins' }],
      }),
      sign: signedWith(keys.privateKey),
    },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens,
    decide: allow,
    hostnames: ['tracker.localhost', 'other.localhost'],
  });
  const mine = [gateway, surface];
  cleanUp.push(async () => {
    for (const one of mine) await one.close();
  });
}

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  await begin();
});
afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()?.();
  await upstream.close();
});

const bearer = { authorization: 'Bearer good' };

async function echo(path: string, headers: Record<string, string> = {}, init = {}): Promise<Echo> {
  const response = await gateway.fetch(`/connections/tracker${path}`, {
    headers: { ...bearer, ...headers },
    ...init,
  });
  expect(response.status).toBe(200);
  return parseEcho(await response.json());
}

/** The JSON in the answer to a request written by hand. */
async function rawEcho(head: string): Promise<Echo> {
  const answer = await gateway.raw(
    `${head}\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  return parseEcho(JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? ''));
}

describe('what is forwarded', () => {
  it('is the decided path and the query, byte for byte', async () => {
    for (const path of [
      '/a/b',
      '/a;p=1/b%20c',
      "/x'()*!$&,=:@~",
      '/%E2%82%AC?q=%2F..%2F&r=a+b',
      '/t/',
      '/?',
    ]) {
      const got = await rawEcho(`GET /connections/tracker${path} HTTP/1.1`);
      expect(got.url).toBe(path === '/?' ? '/' : path);
    }
  });

  it('is reached on a host of its own without a prefix', async () => {
    const got = parseEcho(
      JSON.parse(
        /\{.*\}/s.exec(
          await gateway.raw(
            'GET /runs?x=1 HTTP/1.1\r\nHost: tracker.localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n',
            5000,
            'tracker.localhost',
          ),
        )?.[0] ?? '',
      ),
    );
    expect(got.url).toBe('/runs?x=1');
    expect(received(got, 'x-forwarded-prefix')).toEqual([]);
  });

  it('streams bodies of known and of unknown length', async () => {
    const known = await echo('/x', {}, { method: 'POST', body: 'hello' });
    expect(known.body).toBe('hello');
    expect(received(known, 'content-length')).toEqual(['5']);
    const pieces = async function* (): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('a'));
      yield await Promise.resolve(Buffer.from('b'));
    };
    const unknown = await echo('/x', {}, { method: 'PUT', body: pieces(), duplex: 'half' });
    expect(unknown.body).toBe('ab');
    expect(received(unknown, 'transfer-encoding')).toEqual(['chunked']);
  });
});

describe('rules', () => {
  beforeEach(async () => {
    await begin({
      rules: [
        { methods: ['GET'], path: '/runs/:id', action: 'Contoso.Tracker/runs/read' },
        { methods: ['POST'], path: '/runs', action: 'Contoso.Tracker/runs/write', dataAction: true },
      ],
    });
  });

  it.each([
    ['GET', '/runs/7', 200],
    ['POST', '/runs', 200],
    ['HEAD', '/runs/7', 403],
    ['OPTIONS', '/runs/7', 403],
    ['DELETE', '/runs/7', 403],
    ['GET', '/runs', 403],
    ['GET', '/runs/', 403],
    ['GET', '/runs/7/artifacts', 403],
    ['GET', '/RUNS/7', 403],
    ['GET', '/runs/7/', 403],
    ['GET', '/admin?/runs/7', 403],
    ['GET', '/runs/..%2fadmin', 400],
    ['GET', '/runs/%2e%2e/admin', 400],
  ])('%s %s answers %i', async (method, path, status) => {
    const answer = await gateway.raw(
      `${method} /connections/tracker${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.split(' ')[1]).toBe(String(status));
    expect(upstream.seen).toHaveLength(status === 200 ? 1 : 0);
  });

  it('records the action of the rule at the scope of the connection', async () => {
    await gateway.fetch('/connections/tracker/runs', { method: 'POST', headers: bearer });
    expect(gateway.facts[0]).toMatchObject({
      action: 'Contoso.Tracker/runs/write',
      dataAction: true,
      scope: '/connections/tracker',
      effect: 'change',
      surface: 'web:tracker',
    });
  });

  it('are not reached through the host of another connection', async () => {
    const ask = (path: string, host: string): Promise<string> =>
      gateway.raw(
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n`,
        5000,
        host,
      );
    expect(await ask('/connections/tracker/runs/7', 'other.localhost')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask('/runs/7', 'other.localhost')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask('/connections/tracker/runs/7', 'tracker.localhost')).toMatch(/^HTTP\/1\.1 403 /);
    expect(upstream.seen).toHaveLength(0);
  });

  it('does not answer for a name that merely begins like its own', async () => {
    expect((await gateway.fetch('/connections/tracker2/runs/7', { headers: bearer })).status).toBe(403);
    expect((await gateway.fetch('/connections/tracker', { headers: bearer })).status).toBe(403);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe('the identity that the upstream is told', () => {
  it('is signed, for this request and this connection, for a minute', async () => {
    const got = await echo('/runs/7?a=1', { authorization: 'Bearer job' });
    const [assertion = ''] = received(got, 'x-lockstep-assertion');
    const { payload } = await jwtVerify(assertion, keys.publicKey, {
      audience: 'tracker',
      issuer: 'https://localhost/t/v2.0',
      typ: assertionType,
      algorithms: ['ES256'],
    });
    expect(payload).toMatchObject({
      sub: alice,
      oid: alice,
      method: 'GET',
      host: new URL(upstream.origin).host,
      path_sha256: createHash('sha256').update('/runs/7?a=1').digest('base64url'),
      act: { sub: jobId, kind: 'job', act: { sub: 'https://ci#7' } },
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    expect(payload['lockstep_decision']).toBe(gateway.facts[0]?.attribution.decisionId);
    expect(decodeProtectedHeader(assertion)).toMatchObject({ alg: 'ES256', typ: assertionType });
  });

  it('is left out where the connection says so, and cannot be put in by a caller', async () => {
    await begin({ assertion: false });
    const got = await rawEcho(
      ['X-Lockstep-Assertion', 'x_lockstep_assertion', 'X.Lockstep.Assertion'].reduce(
        (lines, name) => `${lines}\r\n${name}: forged`,
        'GET /connections/tracker/x HTTP/1.1',
      ),
    );
    expect(JSON.stringify(got.rawHeaders)).not.toMatch(/forged|assertion/i);
    expect(received(got, 'x-request-id')).toHaveLength(1);
  });

  it('cannot be forged in any spelling', async () => {
    const got = await rawEcho(
      [
        'GET /connections/tracker/x HTTP/1.1',
        'X-Lockstep-Assertion: forged',
        'x_lockstep_assertion: forged',
        'X.Lockstep.Assertion: forged',
        'X-LOCKSTEP-ASSERTION: forged',
        'X-Lockstep_Assertion: forged',
        'X-Lockstep-User: root',
        'X-Forwarded-For: 1.2.3.4',
        'X_Forwarded_For: 1.2.3.4',
        'X-Forwarded-Host: evil',
        'X-Forwarded-User: root',
        'X-Forwarded-Proto: http',
        'Forwarded: for=1.2.3.4',
        'X-Real-IP: 1.2.3.4',
        'Remote-User: root',
        'Remote_User: root',
        'X-Remote-User: root',
        'X-Remote-Group: system:masters',
        'Impersonate-User: root',
        'X-Auth-Request-User: root',
        'X-Auth-Request-Groups: a,*',
        'X-WebAuth-User: root',
        'X-MS-CLIENT-PRINCIPAL-ID: root',
        'X-Goog-IAP-JWT-Assertion: forged',
        'kubeflow-userid: root',
        'X-Original-URL: /admin',
        'X-Rewrite-URL: /admin',
        'SCRIPT_NAME: /admin',
        'Path-Info: /admin',
        'Request_Uri: /admin',
        'X-Script-Name: /admin',
        'X-Scheme: evil',
        'X-HTTP-Method-Override: DELETE',
        'X-HTTP-Method: DELETE',
        'X-Middleware-Subrequest: middleware',
        'Proxy: http://evil',
        'Proxy-Authorization: Basic eA==',
        'X-Request-Id: forged',
      ].join('\r\n'),
    );
    const text = JSON.stringify(got.rawHeaders);
    for (const bad of [
      'forged',
      'root',
      '1.2.3.4',
      'evil',
      '/admin',
      'DELETE',
      'masters',
      'middleware',
      'eA==',
    ]) {
      expect(text).not.toContain(bad);
    }
    expect(received(got, 'x-lockstep-assertion')).toHaveLength(1);
    expect(received(got, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(received(got, 'x-forwarded-proto')).toEqual(['https']);
  });

  it('is not taken away by a Connection header', async () => {
    await begin({ credential: { header: 'x-api-key', value: 'upstream-secret' } });
    const answer = await gateway.raw(
      'GET /connections/tracker/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nX-Custom: 1\r\n' +
        'Connection: close, X-Lockstep-Assertion, X-Api-Key, X-Forwarded-For, X-Custom, Content-Length\r\n\r\n',
    );
    const got = parseEcho(JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? ''));
    expect(received(got, 'x-lockstep-assertion')).toHaveLength(1);
    expect(received(got, 'x-api-key')).toEqual(['upstream-secret']);
    expect(received(got, 'x-forwarded-for')).toHaveLength(1);
    expect(received(got, 'x-custom')).toEqual([]);
  });
});

describe('credentials', () => {
  it('of the caller never reach the upstream', async () => {
    const got = await echo('/x', {
      cookie: '__Host-lockstep-session=mine; _interaction=i; up-tracker.sid=7',
    });
    expect(JSON.stringify(got)).not.toMatch(/Bearer good|mine|_interaction/);
    expect(received(got, 'cookie')).toEqual(['sid=7']);
    expect(received(got, 'authorization')).toEqual([]);
  });

  it('of the upstream take the place of the caller’s, and stay between Lockstep and the upstream', async () => {
    await begin({ credential: { header: 'X-Api-Key', value: 'upstream-secret' } });
    const got = await echo('/x', { 'x-api-key': 'callers', x_api_key: 'callers' });
    expect(received(got, 'x-api-key')).toEqual(['upstream-secret']);
    expect(JSON.stringify(gateway.facts)).not.toContain('upstream-secret');
  });

  it('may be many headers, each in the place of the caller’s in every spelling, trailers included', async () => {
    await begin({
      credential: { header: 'authorization', value: 'Bearer upstream' },
      headers: [
        { header: 'x-api-key', value: 'secret-key' },
        { header: 'x-team', value: 'ml' },
      ],
    });
    const answer = await gateway.raw(
      'POST /connections/tracker/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n' +
        'X-Team: a\r\nx-team: b\r\nX_TEAM: c\r\nX.Team: d\r\nConnection: x-team, X-Api-Key, close\r\nX-API_KEY: e\r\n' +
        'Trailer: X-Team\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '1\r\na\r\n0\r\nX-Team: trailer\r\nX_Api_Key: trailer\r\n\r\n',
    );
    const got = parseEcho(JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? ''));
    expect(received(got, 'x-team')).toEqual(['ml']);
    expect(received(got, 'x-api-key')).toEqual(['secret-key']);
    expect(received(got, 'authorization')).toEqual(['Bearer upstream']);
    expect([received(got, 'trailer'), got.body]).toEqual([[], 'a']);
    expect(JSON.stringify(gateway.facts)).not.toContain('secret-key');
  });

  it('tell who calls where the upstream takes that from headers, and nobody else can', async () => {
    await begin({
      identityHeaders: {
        'x-webauth-user': 'userPrincipalName',
        'my-groups': 'groupNames',
        roles: 'groupIds',
      },
    });
    const got = await rawEcho(
      'GET /connections/tracker/x HTTP/1.1\r\n' +
        'X-WEBAUTH-USER: root\r\nX_WebAuth_User: root\r\nMy-Groups: admins\r\nMY_GROUPS: admins\r\nmy.groups: admins\r\n' +
        'Roles: admins\r\nroles: admins\r\nConnection: x-webauth-user, my-groups, roles',
    );
    expect(received(got, 'x-webauth-user')).toEqual(['alice@example.test']);
    expect(received(got, 'my-groups')).toEqual(['a%2Cadmins']);
    expect(received(got, 'roles')).toEqual([jobId]);
    expect(JSON.stringify(got)).not.toMatch(/root|:"admins/);
  });

  it('do not stand in the error when the upstream is away', async () => {
    await begin({
      upstream: 'http://127.0.0.1:1',
      credential: { header: 'authorization', value: 'upstream-secret' },
    });
    const response = await gateway.fetch('/connections/tracker/x', { headers: bearer });
    const text = await response.text();
    expect(response.status).toBe(502);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(text).toContain('UpstreamUnreachable');
    expect(text).not.toMatch(/upstream-secret|127\.0\.0\.1|ECONN/);
  });
});

describe('the answer of the upstream', () => {
  async function answered(
    headers: Record<string, string | string[]>,
    status = 200,
  ): Promise<Response['headers']> {
    upstream.answer = (_, response) => {
      response.writeHead(status, headers).end('<html>');
    };
    const response = await gateway.fetch('/connections/tracker/x', { headers: bearer, redirect: 'manual' });
    expect(response.status).toBe(status);
    await response.text();
    return response.headers;
  }

  it('keeps its cookies to the path of the connection and cannot set ours', async () => {
    const headers = await answered({
      'set-cookie': [
        'sid=7; Path=/; Domain=localhost; HttpOnly',
        '__Host-lockstep-session=stolen; Path=/; Secure',
        '__HOST-LOCKSTEP-SESSION=stolen',
        'lockstep-x=1',
        '=bad',
      ],
    });
    expect(headers.getSetCookie()).toEqual([
      'up-tracker.sid=7; HttpOnly; Path=/connections/tracker/; Secure',
    ]);
  });

  it('loses what is hop by hop, what is ours, and what reaches beyond it', async () => {
    const headers = await answered({
      connection: 'x-hop, close',
      'x-hop': '1',
      'keep-alive': 'timeout=5',
      'x-lockstep-secret': '1',
      'clear-site-data': '"*"',
      'service-worker-allowed': '/',
      'access-control-allow-origin': '*',
      'strict-transport-security': 'max-age=1',
      'x-request-id': 'theirs',
      'x-kept': 'yes',
      'content-security-policy': "default-src 'self'",
    });
    for (const name of [
      'x-hop',
      'x-lockstep-secret',
      'clear-site-data',
      'service-worker-allowed',
      'access-control-allow-origin',
      'strict-transport-security',
    ]) {
      expect(headers.get(name)).toBeNull();
    }
    expect(headers.get('x-kept')).toBe('yes');
    expect(headers.get('x-request-id')).toMatch(/^req_/);
    expect(headers.get('content-security-policy')).toBe("default-src 'self', sandbox");
  });

  it('does not let a service worker of one folder see the others, on its own host either', () => {
    const realm = {
      address: upstreamAddress(upstream.origin),
      publicOrigin: 'https://tracker.localhost',
      pathPrefix: '',
      cookies: { namePrefix: '', path: null },
    };
    expect(responseHeaders({ 'service-worker-allowed': '/', 'x-kept': 'yes' }, realm)).toEqual({
      'x-kept': 'yes',
    });
  });

  it.each([
    ['/next?a=1', '/connections/tracker/next?a=1'],
    ['next', 'next'],
    ['UPSTREAM/next', 'ORIGIN/connections/tracker/next'],
    ['https://elsewhere.example/next', 'https://elsewhere.example/next'],
    ['//elsewhere.example/next', '//elsewhere.example/next'],
  ])('passes the redirect %s as %s and does not follow it', async (location, seen) => {
    const headers = await answered({ location: location.replace('UPSTREAM', upstream.origin) }, 302);
    expect(headers.get('location')).toBe(seen.replace('ORIGIN', gateway.origin));
  });

  it.each([
    ['/base', '/base//evil.example/x'],
    ['/base', '/base/\\evil.example/x'],
    ['/base', '/base/.//evil.example/x'],
    ['', '/.//evil.example/x'],
    ['', '/a/..//evil.example/x'],
  ])('keeps a redirect within an upstream (%s) at its own host: %s', (base, location) => {
    const address = upstreamAddress(`${upstream.origin}${base}`);
    const publicOrigin = 'https://tracker.localhost';
    const realm = { address, publicOrigin, pathPrefix: '', cookies: { namePrefix: '', path: null } };
    // What a browser makes of it where the upstream is asked directly.
    expect(new URL(location, upstream.origin).origin).toBe(upstream.origin);
    const told = String(responseHeaders({ location }, realm)['location']);
    expect(new URL(told, publicOrigin).origin).toBe(publicOrigin);
  });

  it('keeps bytes outside ASCII in its headers as they are', async () => {
    upstream.answer = (_, response) => {
      response.socket?.end(
        Buffer.from(
          'HTTP/1.1 200 OK\r\nx-latin: \u00e9\r\nx-utf: \u00c3\u00a9\r\ncontent-length: 2\r\n\r\nok',
          'latin1',
        ),
      );
    };
    const answer = await gateway.raw(
      'GET /connections/tracker/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('x-latin: \u00e9\r\n');
    expect(answer).toContain('x-utf: \u00c3\u00a9\r\n');
  });

  it('has no body where the protocol allows none', async () => {
    upstream.answer = (request, response) => {
      if (request.method === 'HEAD') response.writeHead(200, { 'content-length': '500' }).end();
      else response.writeHead(request.url === '/none' ? 204 : 304, { etag: '"a"' }).end();
    };
    const head = await gateway.fetch('/connections/tracker/x', { method: 'HEAD', headers: bearer });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '500']);
    for (const [path, status] of [
      ['none', 204],
      ['same', 304],
    ] as const) {
      const response = await gateway.fetch(`/connections/tracker/${path}`, { headers: bearer });
      expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([
        status,
        '"a"',
        '',
      ]);
    }
  });

  it('breaks off when the upstream breaks off', async () => {
    upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setImmediate(() => response.destroy());
    };
    const response = await gateway.fetch('/connections/tracker/x', { headers: bearer });
    await expect(response.text()).rejects.toThrow(/terminated/);
  });
});

describe('the connection to the upstream', () => {
  it('is given up when the caller goes', async () => {
    const gone = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    upstream.answer = (request) => {
      begun.resolve();
      request.socket.on('close', () => gone.resolve());
    };
    const socket = await gateway.connect();
    socket.on('error', () => undefined);
    socket.write(
      'GET /connections/tracker/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n',
    );
    await begun.promise;
    socket.destroy();
    await gone.promise;
    await until(() => gateway.sessions.size === 0);
    expect(upstream.seen).toEqual([]);
  });

  it('is never tried twice for a request that may have changed something', async () => {
    let calls = 0;
    upstream.answer = (request) => {
      calls++;
      request.socket.destroy();
    };
    const post = await gateway.fetch('/connections/tracker/x', { method: 'POST', headers: bearer });
    expect([post.status, calls]).toEqual([502, 1]);
    const get = await gateway.fetch('/connections/tracker/x', { headers: bearer });
    expect([get.status, calls]).toEqual([502, 3]);
  });

  it('carries 256 MiB each way with flat memory', async () => {
    const total = 256 * 1024 * 1024;
    const piece = Buffer.alloc(256 * 1024, 7);
    let uploaded = 0;
    upstream.answer = (request, response) => {
      request.on('data', (chunk: Buffer) => (uploaded += chunk.length));
      request.on('end', () => {
        response.writeHead(200, { 'content-length': String(total) });
        let sent = 0;
        const more = (): void => {
          while (sent < total) {
            sent += piece.length;
            if (!response.write(piece)) {
              response.once('drain', more);
              return;
            }
          }
          response.end();
        };
        more();
      });
    };
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < total; sent += piece.length) yield await Promise.resolve(piece);
    };
    const before = process.memoryUsage().rss;
    let highest = before;
    const response = await gateway.fetch('/connections/tracker/x', {
      method: 'PUT',
      headers: bearer,
      body: pieces(),
      duplex: 'half',
    });
    let downloaded = 0;
    for await (const chunk of response.body ?? []) {
      const { length } = chunk as Uint8Array;
      downloaded += length;
      if (downloaded % (1 << 22) < length) highest = Math.max(highest, process.memoryUsage().rss);
    }
    expect([uploaded, downloaded]).toEqual([total, total]);
    expect(highest - before).toBeLessThan(160 * 1024 * 1024);
  });
});

it.each([
  { upstream: 'ftp://x/' },
  { upstream: 'http://user:secret@x/' },
  { upstream: 'http://x/?a=1' },
  { scope: 'no-scope' },
  { name: 'Bad.Name' },
  { rules: [anyRule[0]!, anyRule[0]!] },
])('refuses the connection %j when it is made', (wrong) => {
  expect(() =>
    webSurface(
      { name: 'tracker', upstream: 'http://x/', scope: '/x', rules: anyRule, ...wrong },
      { hosts, issuer: 'i', clock: systemClock, sign: () => Promise.resolve('') },
    ),
  ).toThrow(/connection|upstream|already declared/i);
});
