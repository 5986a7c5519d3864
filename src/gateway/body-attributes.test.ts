import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failure } from '../lib/errors.ts';
import type { RequestFact } from '../ledger/events.ts';
import type { Access } from '../policy/types.ts';
import { parseJson } from './bodies/parse-body.ts';
import type { Route } from './routes.ts';
import { alice, allow, callerOf, TestGateway, until, type GatewayParts } from './testing/gateway.ts';
import { route, thingsSurface } from './testing/things-surface.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

const plain: Access = { action: 'Contoso.Things/write', dataAction: false, scope: '/things' };
/** The time is asked with everything. */
const timed = { ...plain, attributes: { environment: { utcnow: expect.any(String) as unknown } } };
const thing = z.object({ colour: z.string() });
const deny = { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice } as const;

class House {
  readonly asked: Access[] = [];
  served = 0;
  gateway!: TestGateway;

  /** A thing may be painted red; `decide` says what is allowed of everything else. */
  static async build(parts: Partial<GatewayParts> = {}, over: Partial<Route> = {}): Promise<House> {
    const house = new House();
    const paint = route({
      method: 'PUT',
      path: '/things',
      body: { kind: 'buffered', maxBytes: 1_000_000, mediaTypes: ['application/json'] },
      guard: () => ({
        kind: 'action',
        access: plain,
        accessFromBody: (bytes) => ({
          ...plain,
          attributes: { request: { 'contoso.things:colour': parseJson(bytes, thing).colour } },
        }),
      }),
      serve: (exchange) => {
        house.served += 1;
        return Promise.resolve({ status: 200, body: exchange.json(thing).colour });
      },
      ...over,
    });
    const decide = parts.decide ?? redOnly;
    house.gateway = await TestGateway.start({
      surfaces: [thingsSurface([paint])],
      tokens: new Map([['good', callerOf(alice)]]),
      ...parts,
      decide: (authorities, access) => {
        house.asked.push(access);
        return decide(authorities, access);
      },
    });
    open.push(house.gateway);
    return house;
  }

  async put(body: string, token = 'good'): Promise<{ status: number; code: string | null }> {
    const response = await this.gateway.fetch('/things', {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    });
    const text = await response.text();
    const code = response.status === 200 ? null : z.object({ error: z.object({ code: z.string() }) });
    return { status: response.status, code: code === null ? null : code.parse(JSON.parse(text)).error.code };
  }

  get decided(): Extract<RequestFact, { kind: 'request.decided' }>[] {
    return this.gateway.facts.filter((fact) => fact.kind === 'request.decided');
  }
}

function redOnly(_: unknown, access: Access) {
  return access.attributes?.request?.['contoso.things:colour'] === 'red' ? allow() : deny;
}

function headOf(length: number, more: readonly string[] = []): string {
  return [
    'PUT /things HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${length}`,
    ...more,
    '\r\n',
  ].join('\r\n');
}

const signed = 'Authorization: Bearer good';

describe('a decision on what the body says', () => {
  it('is made once, with the attributes of the body, and what is allowed is served with that body', async () => {
    const house = await House.build();
    expect(await house.put('{"colour":"red"}')).toEqual({ status: 200, code: null });
    expect(await house.put('{"colour":"blue"}')).toEqual({ status: 403, code: 'AuthorizationFailed' });
    expect(house.asked.map(({ attributes }) => attributes?.request)).toEqual([
      { 'contoso.things:colour': 'red' },
      { 'contoso.things:colour': 'blue' },
    ]);
    expect(house.served).toBe(1);
    expect(house.decided).toMatchObject([{ allowed: true }, { allowed: false }]);
  });

  it('waits for a slow body, and nothing is decided, recorded or served before its last byte', async () => {
    const house = await House.build();
    const socket = await house.gateway.connect();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.write(headOf(16, [signed, 'Expect: 100-continue']));
    await until(() => answer.includes('100 Continue'));
    socket.write('{"colour":"re');
    await house.gateway.fetch('/things', { method: 'GET' }).then((response) => response.text());
    expect(house.asked).toEqual([]);
    expect(house.decided.filter(({ method }) => method === 'PUT')).toEqual([]);
    socket.write('d"}');
    await until(() => answer.includes('200 OK'));
    expect(house.asked).toHaveLength(1);
    socket.destroy();
  });

  it('is refused to a caller whose identity ends while the body is on its way', async () => {
    let ended = false;
    const house = await House.build({
      checkLive: () => (ended ? failure('revoked_token', 'The identity has ended.') : null),
    });
    const socket = await house.gateway.connect();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.write(headOf(16, [signed, 'Expect: 100-continue']));
    await until(() => answer.includes('100 Continue'));
    ended = true;
    socket.write('{"colour":"red"}');
    await until(() => answer.includes('401 Unauthorized'));
    expect(house.asked).toEqual([]);
    expect(house.served).toBe(0);
    expect(house.decided).toMatchObject([{ allowed: false, reason: 'unauthenticated' }]);
    socket.destroy();
  });

  it.each([
    ['nobody', [], null],
    ['a forged token', ['Authorization: Bearer forged'], null],
    ['an ended identity', [signed], failure('revoked_token', 'The identity has ended.')],
  ])('never reads the body of %s', async (_, credential, ended) => {
    const house = await House.build({ checkLive: () => ended });
    const answer = await house.gateway.raw(headOf(16, [...credential, 'Expect: 100-continue']));
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).not.toContain('100 Continue');
    expect(house.asked).toEqual([]);
  });

  it.each([
    ['a body that is no JSON', '{"colour":', 'InvalidRequestContent', 400],
    ['a body without the member', '{}', 'InvalidRequest', 400],
    ['no body', '', 'InvalidRequestContent', 400],
    ['a body beyond 64 KiB', `{"colour":"red","x":"${'x'.repeat(65_536)}"}`, 'RequestBodyTooLarge', 413],
  ])(
    'is made without attributes for %s, which is then answered and not served',
    async (_, body, code, status) => {
      const denied = await House.build();
      expect(await denied.put(body)).toEqual({ status: 403, code: 'AuthorizationFailed' });
      expect(denied.asked).toEqual([timed]);

      const allowed = await House.build({ decide: allow });
      expect(await allowed.put(body)).toEqual({ status, code });
      expect(allowed.asked).toEqual([timed]);
      expect(allowed.served).toBe(0);
      expect(allowed.decided).toMatchObject([{ allowed: true }]);
    },
  );

  it('refuses a chunked body that grows beyond 64 KiB, whoever may do the plain thing', async () => {
    const house = await House.build({ decide: allow });
    const head = headOf(0, [signed, 'Transfer-Encoding: chunked']).replace('Content-Length: 0\r\n', '');
    const chunk = `8000\r\n${' '.repeat(0x8000)}\r\n`;
    const answer = await house.gateway.raw(`${head}${chunk.repeat(3)}10\r\n{"colour":"red"}\r\n0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(house.asked).toEqual([timed]);
    expect(house.served).toBe(0);
  });

  it('is made without attributes when the body breaks off, recorded with its end, and leaves nothing behind', async () => {
    const house = await House.build({ decide: allow });
    const socket = await house.gateway.connect();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.write(headOf(16, [signed, 'Expect: 100-continue']));
    await until(() => answer.includes('100 Continue'));
    socket.write('{"colour":"red"');
    socket.destroy();
    await until(() => house.gateway.facts.length === 2);
    expect(house.asked).toEqual([timed]);
    expect(house.served).toBe(0);
    expect(house.gateway.facts).toMatchObject([
      { kind: 'request.decided', allowed: true },
      { kind: 'request.ended', status: 0 },
    ]);
    expect(house.gateway.sessions.size).toBe(0);
  });

  it.each([
    [
      'falls over',
      () => {
        throw new TypeError('broken');
      },
    ],
    ['says another action', () => ({ ...plain, action: 'Contoso.Things/read' })],
    ['says another scope', () => ({ ...plain, scope: '/' })],
  ] satisfies [string, () => Access][])(
    'is a deny when the reading of attributes %s',
    async (_, accessFromBody) => {
      const house = await House.build(
        { decide: allow },
        { guard: () => ({ kind: 'action', access: plain, accessFromBody }) },
      );
      expect(await house.put('{"colour":"red"}')).toEqual({ status: 503, code: 'PolicyUnavailable' });
      expect(house.served).toBe(0);
      expect(house.decided).toMatchObject([{ allowed: false, reason: 'policy-unavailable' }]);
    },
  );

  it('keeps the attributes on the live exchange, so that a change of policy is put to them too', async () => {
    const going = Promise.withResolvers<void>();
    const house = await House.build(
      {},
      {
        serve: async () => {
          await going.promise;
          return { status: 200 };
        },
      },
    );
    const answer = house.put('{"colour":"red"}');
    await until(() => house.gateway.sessions.size === 1);
    let accesses: readonly Access[] = [];
    house.gateway.sessions.review((session) => {
      accesses = session.accesses;
      return null;
    });
    expect(accesses[0]?.attributes?.request).toEqual({ 'contoso.things:colour': 'red' });
    going.resolve();
    await answer;
  });
});
