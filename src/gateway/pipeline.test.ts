import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Response } from 'undici';
import { z } from 'zod';
import { failure } from '../lib/errors.ts';
import { newEventId } from '../lib/ids.ts';
import type { Access } from '../policy/types.ts';
import type { RequestFact } from '../ledger/events.ts';
import { alice, allow, callerOf, TestGateway, until, type GatewayParts } from './testing/gateway.ts';
import { actionGuard, route, streamText, thingsSurface } from './testing/things-surface.ts';
import type { Route } from './routes.ts';
import type { Surface } from './types.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

const bearer = { authorization: 'Bearer good' };
const tokens = new Map([['good', callerOf(alice)]]);

async function start(
  routes: readonly Route[],
  parts: Partial<GatewayParts> = {},
  surface: Partial<Surface> = {},
): Promise<TestGateway> {
  const gateway = await TestGateway.start({
    surfaces: [thingsSurface(routes, surface)],
    tokens,
    decide: allow,
    ...parts,
  });
  open.push(gateway);
  return gateway;
}

async function problem(
  response: Response,
): Promise<{ code: string; message: string; decision?: string; policy?: string }> {
  expect(response.headers.get('content-type')).toContain('application/json');
  return z
    .object({
      error: z.looseObject({
        code: z.string(),
        message: z.string(),
        decision: z.string().optional(),
        policy: z.string().optional(),
      }),
    })
    .parse(await response.json()).error as never;
}

function decided(gateway: TestGateway): Extract<RequestFact, { kind: 'request.decided' }>[] {
  return gateway.facts.filter((fact) => fact.kind === 'request.decided');
}

describe('deciding', () => {
  it('serves what policy allows, and records the decision and the end', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things/:name' })]);
    const response = await gateway.fetch('/things/one?sig=secret', { headers: bearer });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('served');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    await until(() => gateway.facts.length === 2);
    const [first, second] = gateway.facts;
    expect(first).toMatchObject({
      kind: 'request.decided',
      allowed: true,
      path: '/things/one',
      reason: 'role-assignment',
    });
    expect(second).toMatchObject({
      kind: 'request.ended',
      status: 200,
      responseBytes: 6,
      ending: 'completed',
    });
    expect(response.headers.get('x-request-id')).toBe(first?.attribution.requestId);
    expect(JSON.stringify(gateway.facts)).not.toContain('secret');
  });

  it('denies a path that no route describes, and says so in the record', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })]);
    const response = await gateway.fetch('/elsewhere', { headers: bearer });
    expect(response.status).toBe(403);
    expect((await problem(response)).code).toBe('RouteNotDescribed');
    expect(decided(gateway)).toMatchObject([
      { allowed: false, reason: 'unknown-route', attribution: { chain: [{ id: alice }] } },
    ]);
  });

  it('denies a method that the path does not have, and names those it has', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })]);
    const response = await gateway.fetch('/things', { method: 'DELETE', headers: bearer });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
    expect(decided(gateway)).toMatchObject([{ allowed: false, reason: 'unknown-route' }]);
  });

  it('asks for a credential where there is none, with a challenge, and records that', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })]);
    const response = await gateway.fetch('/things');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    expect(decided(gateway)).toMatchObject([
      { allowed: false, reason: 'unauthenticated', attribution: { chain: [{ kind: 'anonymous' }] } },
    ]);
  });

  it('refuses an unknown token and never takes it for anonymous', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })]);
    const response = await gateway.fetch('/things', { headers: { authorization: 'Bearer forged' } });
    expect(response.status).toBe(401);
    expect((await problem(response)).code).toBe('InvalidAuthenticationToken');
  });

  it('ignores a credential under a public guard', async () => {
    const gateway = await start([
      route({
        method: 'GET',
        path: '/open',
        guard: () => ({ kind: 'public', rule: 'open', scope: '/' }),
        serve: (exchange) =>
          Promise.resolve({ status: 200, body: exchange.caller === null ? 'nobody' : 'somebody' }),
      }),
    ]);
    const response = await gateway.fetch('/open', { headers: bearer });
    expect(await response.text()).toBe('nobody');
    expect(decided(gateway)).toMatchObject([
      { allowed: true, reason: 'public', attribution: { policyId: 'rule:open' } },
    ]);
  });

  it('names the action, the scope and the decision when policy denies', async () => {
    let served = 0;
    const gateway = await start(
      [
        route({
          method: 'POST',
          path: '/things',
          serve: () => Promise.resolve({ status: 200, body: String(++served) }),
        }),
      ],
      { decide: () => ({ allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice }) },
    );
    const response = await gateway.fetch('/things', { method: 'POST', headers: bearer });
    expect(response.status).toBe(403);
    const told = await problem(response);
    expect(told.message).toContain('Contoso.Things/read');
    expect(told.message).toContain('/things');
    expect(told.decision).toBe(decided(gateway)[0]?.attribution.decisionId);
    expect(told.policy).toBe('default:missing-grant');
    expect(served).toBe(0);
  });

  it.each([
    [
      'describing',
      {},
      {
        describe: () => {
          throw new TypeError('broken adapter');
        },
      },
    ],
    [
      'matching',
      {},
      {
        matches: () => {
          throw new TypeError('broken adapter');
        },
      },
    ],
    [
      'deciding',
      {
        decide: () => {
          throw new TypeError('broken policy');
        },
      },
      {},
    ],
    [
      'checking liveness',
      {
        checkLive: () => {
          throw new TypeError('broken liveness');
        },
      },
      {},
    ],
  ] satisfies [string, Partial<GatewayParts>, Partial<Surface>][])(
    'takes a fault while %s for a deny',
    async (_, parts, surface) => {
      const gateway = await start([route({ method: 'GET', path: '/things' })], parts, surface);
      const response = await gateway.fetch('/things', { headers: bearer });
      expect(response.status).toBe(503);
      const told = await problem(response);
      expect(told.code).toBe('PolicyUnavailable');
      expect(told.message).not.toContain('broken');
      expect(decided(gateway)).toMatchObject([{ allowed: false, reason: 'policy-unavailable' }]);
    },
  );

  it('refuses a caller whose identity has ended, though the token verifies', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })], {
      checkLive: () => failure('revoked_token', 'The identity behind this token has ended.'),
    });
    const response = await gateway.fetch('/things', { headers: bearer });
    expect(response.status).toBe(401);
    expect((await problem(response)).code).toBe('RevokedAuthenticationToken');
    expect(decided(gateway)).toMatchObject([{ allowed: false, attribution: { chain: [{ id: alice }] } }]);
  });

  it('records a further decision of the same request and hands it to the surface', async () => {
    const seen: Access[] = [];
    const gateway = await start(
      [
        route({
          method: 'POST',
          path: '/copy',
          serve: async (exchange) => {
            const also = await exchange.decideAlso({
              action: 'Contoso.Things/source/read',
              dataAction: true,
              scope: '/other',
            });
            return { status: also.allowed ? 200 : 403, body: also.id };
          },
        }),
      ],
      {
        decide: (_, access) => {
          seen.push(access);
          return access.scope === '/other'
            ? { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice }
            : allow();
        },
      },
    );
    const response = await gateway.fetch('/copy', { method: 'POST', headers: bearer });
    expect(response.status).toBe(403);
    const id = await response.text();
    expect(seen).toHaveLength(2);
    expect(decided(gateway)).toMatchObject([
      { allowed: true },
      { allowed: false, action: 'Contoso.Things/source/read', attribution: { decisionId: id } },
    ]);
  });
});

describe('correlation', () => {
  const guid = '0A0A0A0A-1111-4222-8333-444444444444';
  const serving = () => start([route({ method: 'GET', path: '/things' })]);

  it.each([
    ['client-request-id', guid, guid.toLowerCase()],
    ['x-ms-correlation-request-id', guid, guid.toLowerCase()],
    ['x-ms-client-request-id', 'upload-7.part:3', 'upload-7.part:3'],
    ['client-request-id', 'jane.doe@example.org', 'jane.doe@example.org'],
    ['client-request-id', '|4bf92f3577b34da6.00f067aa0ba902b7.', '|4bf92f3577b34da6.00f067aa0ba902b7.'],
    ['client-request-id', 'two words', null],
    ['client-request-id', '{"a":1}', null],
    ['client-request-id', 'a'.repeat(129), null],
  ])('%s: %s is recorded with every event of the request as %s', async (name, sent, kept) => {
    const gateway = await serving();
    await gateway.fetch('/things', { headers: { ...bearer, [name]: sent } });
    await until(() => gateway.facts.some((fact) => fact.kind === 'request.ended'));
    expect(gateway.facts.map(({ attribution }) => attribution.correlationId)).toEqual([kept, kept]);
  });

  it('is taken from the address of a browser that is on its way to sign in', async () => {
    const gateway = await serving();
    await gateway.fetch(`/things?client-request-id=${guid}`, { headers: bearer });
    expect(decided(gateway)[0]?.attribution.correlationId).toBe(guid.toLowerCase());
  });

  it('never takes the place of our own id', async () => {
    const gateway = await serving();
    const first = await gateway.fetch('/things', { headers: bearer });
    const id = first.headers.get('x-request-id') ?? '';
    await gateway.fetch('/things', { headers: { ...bearer, 'client-request-id': id } });
    const [one, two] = decided(gateway).map(({ attribution }) => attribution);
    expect(one?.requestId).toBe(id);
    expect(two?.requestId).not.toBe(id);
    expect(two?.correlationId).toBe(id);
  });
});

describe('a list', () => {
  const list = (scopes: readonly string[]) =>
    route({
      method: 'GET',
      path: '/list',
      serve: async (exchange) => {
        const decisions = await exchange.decideEach(
          scopes.map((scope) => ({ action: 'Contoso.Things/read', dataAction: false, scope })),
        );
        return { status: 200, body: decisions.map(({ allowed }) => (allowed ? 'y' : 'n')).join('') };
      },
    });
  const odd: Partial<GatewayParts> = {
    decide: (_, { scope }) =>
      /[13579]$/.test(scope)
        ? { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice }
        : allow(),
  };

  it('is one record with counts, however much it looks at', async () => {
    const scopes = Array.from({ length: 1_000 }, (_, index) => `/things/${index}`);
    const gateway = await start([list(scopes)], odd);
    const response = await gateway.fetch('/list', { headers: bearer });
    expect(await response.text()).toBe('yn'.repeat(500));
    const listed = gateway.facts.filter((fact) => fact.kind === 'request.listed');
    expect(listed).toMatchObject([
      { asked: [{ action: 'Contoso.Things/read', looked: 1_000, allowed: 500 }] },
    ]);
    expect(listed[0]?.shown).toHaveLength(100);
    expect(decided(gateway)).toHaveLength(1);
    expect(listed[0]?.attribution).toEqual(decided(gateway)[0]?.attribution);
  });

  it('of nothing records nothing more', async () => {
    const gateway = await start([list([])], odd);
    expect(await (await gateway.fetch('/list', { headers: bearer })).text()).toBe('');
    expect(gateway.facts.some((fact) => fact.kind === 'request.listed')).toBe(false);
  });

  it('is not answered when its record cannot be written', async () => {
    const gateway = await start([list(['/things/0'])], {
      ...odd,
      record: (fact) =>
        fact.kind === 'request.listed'
          ? Promise.reject(new Error('the disk is full'))
          : Promise.resolve(newEventId(0)),
    });
    const response = await gateway.fetch('/list', { headers: bearer });
    expect(response.status).toBe(503);
    expect((await problem(response)).message).not.toContain('disk');
  });
});

describe('recording', () => {
  it('serves a change only after its record is durable', async () => {
    const durable = Promise.withResolvers<void>();
    let served = false;
    const gateway = await start(
      [
        route({
          method: 'POST',
          path: '/things',
          serve: () => {
            served = true;
            return Promise.resolve({ status: 201 });
          },
        }),
      ],
      {
        record: async (fact) => {
          if (fact.kind === 'request.decided') await durable.promise;
          return newEventId(0);
        },
      },
    );
    const answer = gateway.fetch('/things', { method: 'POST', headers: bearer });
    await until(() => gateway.sessions.size === 1);
    expect(served).toBe(false);
    durable.resolve();
    expect((await answer).status).toBe(201);
    expect(served).toBe(true);
  });

  it('prepares a read while its record becomes durable, and holds its head back', async () => {
    const durable = Promise.withResolvers<void>();
    let served = false;
    let answered = false;
    const gateway = await start(
      [
        route({
          method: 'GET',
          path: '/things',
          serve: () => {
            served = true;
            return Promise.resolve({ status: 200, body: Readable.from(['a', 'b']) });
          },
        }),
      ],
      {
        record: async (fact) => {
          if (fact.kind === 'request.decided') await durable.promise;
          return newEventId(0);
        },
      },
    );
    const answer = gateway.fetch('/things', { headers: bearer }).then((response) => {
      answered = true;
      return response;
    });
    await until(() => served);
    expect(answered).toBe(false);
    durable.resolve();
    expect(await (await answer).text()).toBe('ab');
  });

  it.each(['GET', 'POST', 'DELETE'] as const)(
    'serves nothing and says 503 when the ledger cannot write (%s)',
    async (method) => {
      let changed = false;
      let destroyed = false;
      const body = new Readable({ read() {} });
      body.once('close', () => (destroyed = true));
      const gateway = await start(
        [
          route({
            method: 'POST',
            path: '/things',
            serve: () => {
              changed = true;
              return Promise.resolve({ status: 201 });
            },
          }),
          route({
            method: 'GET',
            path: '/things',
            serve: () => Promise.resolve({ status: 200, body }),
          }),
        ],
        { record: () => Promise.reject(new Error('disk full')) },
      );
      const response = await gateway.fetch('/things', { method, headers: bearer });
      expect(response.status).toBe(503);
      expect((await problem(response)).code).toBe('LedgerUnavailable');
      expect(changed).toBe(false);
      if (method === 'GET') await until(() => destroyed);
    },
  );

  it('outlives a body that breaks while the record is not durable yet', async () => {
    const durable = Promise.withResolvers<void>();
    const body = new Readable({ read() {} });
    const gateway = await start(
      [route({ method: 'GET', path: '/things', serve: () => Promise.resolve({ status: 200, body }) })],
      {
        record: async (fact) => {
          if (fact.kind === 'request.decided') await durable.promise;
          return newEventId(0);
        },
      },
    );
    const answer = gateway.fetch('/things', { headers: bearer }).then((response) => response.text());
    const broken = expect(answer).rejects.toThrow(/terminated|fetch failed/);
    await until(() => gateway.sessions.size === 1);
    const gone = new Promise((resolve) => body.once('close', resolve));
    body.destroy(new Error('upstream broke'));
    await gone;
    durable.resolve();
    await broken;
    await until(() => gateway.facts.length === 2);
    expect(gateway.facts[1]).toMatchObject({ ending: 'failed' });
  });

  it('bounds and escapes what a stranger writes into the record', async () => {
    const gateway = await start([]);
    const path = `/x${'y'.repeat(5000)}`;
    await gateway.fetch(path, { headers: { 'user-agent': 'u'.repeat(3000) } });
    await gateway.raw('GET /\u0001\u001b[31m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [long, control] = decided(gateway);
    expect(long?.path.length).toBeLessThan(1100);
    expect(long?.path).toContain('…[+');
    expect(long?.userAgent?.length).toBeLessThan(300);
    // eslint-disable-next-line no-control-regex
    expect(JSON.stringify(control)).not.toMatch(/\\u00[01]|[\u0000-\u001f]/);
  });
});

describe('bodies', () => {
  const json: Route['body'] = { kind: 'buffered', maxBytes: 100, mediaTypes: ['application/json'] };
  const echoJson = route({
    method: 'POST',
    path: '/things',
    body: json,
    serve: (exchange) => {
      const { name } = exchange.json(z.strictObject({ name: z.string() }));
      return Promise.resolve({ status: 200, body: name });
    },
  });

  it('parses a buffered JSON body and names the member that does not fit', async () => {
    const gateway = await start([echoJson]);
    const send = (body: string): Promise<Response> =>
      gateway.fetch('/things', {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/json; charset=utf-8' },
        body,
      });
    expect(await (await send('{"name":"ok"}')).text()).toBe('ok');
    expect((await problem(await send('{"name":7}'))).message).toContain('name');
    expect((await problem(await send('{"name":'))).code).toBe('InvalidRequestContent');
    expect((await problem(await send(''))).code).toBe('InvalidRequestContent');
  });

  it.each([
    ['text/plain', 415],
    ['application/json; charset=utf-16', 415],
  ])('refuses the media type %s', async (type, status) => {
    const gateway = await start([echoJson]);
    const response = await gateway.fetch('/things', {
      method: 'POST',
      headers: { ...bearer, 'content-type': type },
      body: '{}',
    });
    expect(response.status).toBe(status);
    expect((await problem(response)).message).toMatch(/application\/json|UTF-8/);
  });

  it('records as ended well what a client has read whole, though it goes before it has sent all', async () => {
    const gateway = await start([
      route({
        method: 'POST',
        path: '/things',
        body: { kind: 'buffered', maxBytes: 10, mediaTypes: ['*/*'] },
        serve: () => Promise.resolve({ status: 200 }),
      }),
    ]);
    const socket = connectTls({
      port: gateway.port,
      host: '127.0.0.1',
      ca: gateway.ca,
      servername: 'localhost',
    });
    let text = '';
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        // As a client does that has asked whether to send a body, and was told no.
        if (/\r\n\r\n[^]*\}$/.test(text)) socket.destroy();
      });
    socket.write(
      'POST /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Type: text/plain\r\n' +
        'Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n',
    );
    await until(() => gateway.facts.some(({ kind }) => kind === 'request.ended'));
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(gateway.facts.at(-1)).toMatchObject({ kind: 'request.ended', status: 413, ending: 'completed' });
  });

  it('refuses a body that is too large, announced or not, and lets the sender read why', async () => {
    const gateway = await start([
      echoJson,
      route({
        method: 'PUT',
        path: '/things',
        body: { kind: 'streamed', maxBytes: 1000 },
        serve: async (exchange) => ({ status: 200, body: await streamText(exchange) }),
      }),
    ]);
    const headers = { ...bearer, 'content-type': 'application/json' };
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let i = 0; i < 600; i++) yield await Promise.resolve(Buffer.alloc(1000));
    };
    for (const body of [() => 'x'.repeat(600_000), pieces]) {
      for (const method of ['POST', 'PUT']) {
        const response = await gateway.fetch('/things', { method, headers, body: body(), duplex: 'half' });
        expect(response.status).toBe(413);
        expect((await problem(response)).code).toBe('RequestBodyTooLarge');
      }
    }
  });

  it('refuses a body where the route takes none', async () => {
    const gateway = await start([route({ method: 'DELETE', path: '/things' })]);
    const response = await gateway.fetch('/things', { method: 'DELETE', headers: bearer, body: 'x' });
    expect(response.status).toBe(400);
  });

  it('refuses a form field that stands twice', async () => {
    const gateway = await start([
      route({
        method: 'POST',
        path: '/form',
        body: { kind: 'buffered', maxBytes: 1000, mediaTypes: ['application/x-www-form-urlencoded'] },
        serve: (exchange) => Promise.resolve({ status: 200, body: exchange.form().get('a') ?? '' }),
      }),
    ]);
    const send = (body: string): Promise<Response> =>
      gateway.fetch('/form', {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/x-www-form-urlencoded' },
        body,
      });
    expect(await (await send('a=1&b=2')).text()).toBe('1');
    expect((await problem(await send('a=1&a=2'))).message).toContain('a');
  });

  it('says 100 Continue only once the request is allowed', async () => {
    const routes = [
      route({
        method: 'PUT',
        path: '/things',
        body: { kind: 'streamed', maxBytes: 1000 },
        serve: async (exchange) => ({ status: 200, body: await streamText(exchange) }),
      }),
    ];
    const request = (token: string): string =>
      `PUT /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const gateway = await start(routes);
    expect(await gateway.raw(request('forged'))).toMatch(/^HTTP\/1\.1 401 /);
    expect(await gateway.raw(`${request('good')}abc`)).toMatch(
      /^HTTP\/1\.1 100 Continue[\s\S]*200 OK[\s\S]*abc$/,
    );
  });

  it('aborts what it serves when the client goes', async () => {
    const gone = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const gateway = await start([
      route({
        method: 'GET',
        path: '/slow',
        serve: (exchange) => {
          begun.resolve();
          exchange.signal.addEventListener('abort', () => gone.resolve());
          return new Promise((_, reject) => {
            exchange.signal.addEventListener('abort', () => reject(new Error('aborted')));
          });
        },
      }),
    ]);
    const socket = await gateway.connect();
    socket.on('error', () => undefined);
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n');
    await begun.promise;
    socket.destroy();
    await gone.promise;
    await until(() => gateway.facts.some((fact) => fact.kind === 'request.ended'));
    expect(gateway.facts.at(-1)).toMatchObject({ ending: 'client-gone', status: 0 });
  });

  it('answers HEAD without a body', async () => {
    const gateway = await start([route({ method: 'GET', path: '/things' })]);
    const text = await gateway.raw(
      'HEAD /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/content-length: 6/i);
    expect(text).toMatch(/\r\n\r\n$/);
  });

  it('does not let a body that breaks off look whole', async () => {
    const gateway = await start([
      route({
        method: 'GET',
        path: '/things',
        serve: () =>
          Promise.resolve({
            status: 200,
            body: Readable.from(
              (async function* () {
                yield 'half';
                await new Promise((resolve) => setImmediate(resolve));
                throw new Error('upstream broke');
              })(),
            ),
          }),
      }),
    ]);
    const response = await gateway.fetch('/things', { headers: bearer });
    await expect(response.text()).rejects.toThrow(/terminated/);
    await until(() => gateway.facts.some((fact) => fact.kind === 'request.ended'));
    expect(gateway.facts.at(-1)).toMatchObject({ ending: 'failed' });
  });
});

describe('one credential', () => {
  const cookies = new Map([['c1', callerOf(alice, { kind: 'session-cookie', tokenId: 'ses_1' })]]);
  const cookie = { cookie: '__Host-lockstep-session=c1' };
  const routes = [
    route({ method: 'GET', path: '/things' }),
    route({ method: 'POST', path: '/things' }),
    route({ method: 'GET', path: '/change', effect: 'change' }),
  ];

  it('refuses a token and a session cookie together', async () => {
    const gateway = await start(routes, { cookies });
    const response = await gateway.fetch('/things', { headers: { ...bearer, ...cookie } });
    expect(response.status).toBe(400);
    expect((await problem(response)).code).toBe('ConflictingCredentials');
  });

  it('refuses two session cookies', async () => {
    const gateway = await start(routes, { cookies });
    const response = await gateway.fetch('/things', {
      headers: { cookie: '__Host-lockstep-session=c1; __Host-lockstep-session=c2' },
    });
    expect(response.status).toBe(400);
  });

  it('ignores the cookie where the surface does not take it', async () => {
    const gateway = await start(routes, { cookies }, { acceptsSessionCookie: false });
    expect((await gateway.fetch('/things', { headers: cookie })).status).toBe(401);
    expect((await gateway.fetch('/things', { headers: { ...bearer, ...cookie } })).status).toBe(200);
  });

  const visit = {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
  it.each([
    ['POST', '/things', {}, 403],
    ['POST', '/things', { 'sec-fetch-site': 'cross-site' }, 403],
    ['POST', '/things', { 'sec-fetch-site': 'same-site' }, 403],
    ['POST', '/things', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    ['POST', '/things', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
    ['POST', '/things', { origin: 'https://evil.example' }, 403],
    ['POST', '/things', { origin: 'null' }, 403],
    ['POST', '/things', { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, 403],
    ['POST', '/things', { 'sec-fetch-site': 'same-origin' }, 200],
    ['POST', '/things', { 'sec-fetch-site': 'none' }, 200],
    ['POST', '/things', { origin: 'OURS' }, 200],
    ['GET', '/change', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
    ['GET', '/things', visit, 200],
    ['GET', '/things', { ...visit, 'sec-fetch-site': 'same-site' }, 200],
    ['GET', '/things', { ...visit, 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'iframe' }, 403],
    ['GET', '/things', { ...visit, 'sec-fetch-dest': 'object' }, 403],
    ['GET', '/things', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
    ['GET', '/things', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    ['GET', '/things', {}, 200],
  ])('%s %s by cookie with %j answers %i', async (method, path, headers, status) => {
    const gateway = await start(routes, { cookies });
    const lines = Object.entries({ ...cookie, ...headers }).map(
      ([name, value]) => `${name}: ${value === 'OURS' ? gateway.origin : value}\r\n`,
    );
    const answer = await gateway.raw(
      `${method} ${path} HTTP/1.1\r\nHost: localhost:${gateway.port}\r\nConnection: close\r\n${lines.join('')}\r\n`,
    );
    expect(answer.split(' ')[1]).toBe(String(status));
  });

  it.each([
    'Basic Z29vZA==',
    'Bearer',
    'Bearer good extra',
    'Bearer good,Bearer good',
    'good',
    'SharedKey a:b',
  ])('refuses the Authorization header %j', async (authorization) => {
    const gateway = await start(routes);
    expect((await gateway.fetch('/things', { headers: { authorization } })).status).toBe(401);
  });
});

it('denies an encoded slash unless the surface admits it', async () => {
  const routes = [
    route({
      method: 'GET',
      path: '/things/*',
      guard: () => actionGuard('Contoso.Things/read'),
      serve: (_, params) => Promise.resolve({ status: 200, body: params['*'] ?? '' }),
    }),
  ];
  const strict = await start(routes);
  expect((await strict.fetch('/things/a%2Fb', { headers: bearer })).status).toBe(400);
  const lenient = await start(routes, {}, { admitsEncodedSlash: true });
  expect(await (await lenient.fetch('/things/a%2Fb', { headers: bearer })).text()).toBe('a/b');
  expect((await lenient.fetch('/things/a%2F..%2Fb', { headers: bearer })).status).toBe(400);
});

it('denies an empty segment unless the surface admits it, and where there is no surface', async () => {
  const routes = [
    route({
      method: 'GET',
      path: '/things/*',
      guard: () => actionGuard('Contoso.Things/read'),
      serve: (_, params) => Promise.resolve({ status: 200, body: params['*'] ?? '' }),
    }),
  ];
  const strict = await start(routes);
  for (const path of ['/things//a', '//things/a', '/nothing//a'])
    expect((await strict.fetch(path, { headers: bearer })).status).toBe(400);
  const lenient = await start(routes, {}, { admitsEmptySegments: true });
  expect((await lenient.fetch('/things/a//b', { headers: bearer })).status).toBe(200);
});

/** Ask so many times, on a connection each, and are gone with the last byte. On a thread: there they are as quick as clients are. */
const hastyClients = {
  'HTTP/1.1': `
const { connect } = require('node:tls');
const { workerData: { port, ca, authorization, last, rounds } } = require('node:worker_threads');
const ask = 'GET /things HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: ' + authorization + '\\r\\n\\r\\n';
const once = (left) => {
  if (left === 0) return;
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' }, () => socket.write(ask));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.endsWith(last)) socket.destroy();
  });
  socket.once('close', () => once(left - 1));
};
once(rounds);`,
  'HTTP/2': `
const { connect } = require('node:http2');
const { workerData: { port, ca, authorization, last, rounds } } = require('node:worker_threads');
const once = (left) => {
  if (left === 0) return;
  const session = connect('https://localhost:' + port, { ca });
  const stream = session.request({ ':path': '/things', authorization });
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
    if (text.endsWith(last)) session.destroy();
  });
  session.once('close', () => once(left - 1));
};
once(rounds);`,
};

it.each(Object.entries(hastyClients))(
  'tells an answer that was taken whole from one that was not, however soon the client goes (%s)',
  async (_version, client) => {
    const last = 'x'.repeat(300);
    const gateway = await start([
      route({
        method: 'GET',
        path: '/things',
        guard: () => actionGuard('Contoso.Things/read'),
        serve: () => Promise.resolve({ status: 200, body: last }),
      }),
    ]);
    const rounds = 100;
    const workerData = { ...bearer, port: gateway.port, ca: gateway.ca, last, rounds };
    const thread = new Worker(client, { eval: true, workerData });
    await new Promise((resolve, reject) => thread.once('exit', resolve).once('error', reject));
    const endings = () => gateway.facts.filter((fact) => fact.kind === 'request.ended');
    await until(() => endings().length === rounds);
    expect(endings().filter((fact) => fact.ending !== 'completed')).toEqual([]);
  },
);
