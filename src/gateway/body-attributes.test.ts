import { afterEach, describe, expect, it } from 'vitest';
import type { Response } from 'undici';
import { z } from 'zod';
import { failure } from '../lib/errors.ts';
import type { Access } from '../policy/types.ts';
import type { Route } from './routes.ts';
import { alice, allow, callerOf, TestGateway, type GatewayParts } from './testing/gateway.ts';
import { actionGuard, route, thingsSurface } from './testing/things-surface.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

const headers = { authorization: 'Bearer good', 'content-type': 'application/json' };
const purposeName = 'things/jobs:purpose';

/** Allows what is for research, and nothing that does not say what it is for. */
const researchOnly: NonNullable<GatewayParts['decide']> = (authorities, access) =>
  access.attributes?.request?.[purposeName] === 'research'
    ? allow()
    : { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: authorities[0] ?? null };

class Scene {
  readonly asked: Access[] = [];
  served = 0;
  read = 0;
  readonly #gateway: TestGateway;

  private constructor(gateway: TestGateway) {
    this.#gateway = gateway;
  }

  static async open(parts: Partial<GatewayParts> = {}, guard: Partial<Access> = {}): Promise<Scene> {
    const decide = parts.decide ?? researchOnly;
    const scene: { current: Scene | null } = { current: null };
    const plain = actionGuard('things/jobs/write');
    if (plain.kind !== 'action') throw new Error('an action is guarded by an action');
    const create: Route = route({
      method: 'POST',
      path: '/things',
      effect: 'change',
      body: { kind: 'buffered', maxBytes: 1_000_000, mediaTypes: ['application/json'] },
      guard: () => ({
        ...plain,
        accessFromBody: (bytes: Buffer): Access => {
          if (scene.current) scene.current.read++;
          const parsed = z.object({ purpose: z.string() }).safeParse(JSON.parse(bytes.toString()));
          if (!parsed.success) throw failure('invalid_request', 'purpose: a text is needed');
          return {
            ...plain.access,
            ...guard,
            attributes: { request: { [purposeName]: parsed.data.purpose } },
          };
        },
      }),
      serve: () => {
        if (scene.current) scene.current.served++;
        return Promise.resolve({ status: 201, body: 'made' });
      },
    });
    const gateway = await TestGateway.start({
      surfaces: [thingsSurface([create])],
      tokens: new Map([['good', callerOf(alice)]]),
      ...parts,
      decide: (authorities, access) => {
        scene.current?.asked.push(access);
        return decide(authorities, access);
      },
    });
    open.push(gateway);
    scene.current = new Scene(gateway);
    return scene.current;
  }

  post(body: string, more: Record<string, string> = headers): Promise<Response> {
    return this.#gateway.fetch('/things', { method: 'POST', headers: more, body });
  }

  raw(bytes: string): Promise<string> {
    return this.#gateway.raw(bytes, 1_500);
  }

  decided() {
    return this.#gateway.facts.filter((fact) => fact.kind === 'request.decided');
  }
}

describe('a request that is decided on its body', () => {
  it('is decided once, with the attributes of the body', async () => {
    const scene = await Scene.open();
    expect((await scene.post('{"purpose":"research"}')).status).toBe(201);
    expect((await scene.post('{"purpose":"marketing"}')).status).toBe(403);
    expect(scene.asked.map(({ attributes }) => attributes?.request)).toEqual([
      { [purposeName]: 'research' },
      { [purposeName]: 'marketing' },
    ]);
    expect(scene.served).toBe(1);
    expect(scene.decided().map(({ allowed }) => allowed)).toEqual([true, false]);
  });

  it('is decided without them where the body tells none, which gives no more, and is then not served', async () => {
    const scene = await Scene.open();
    expect((await scene.post('{"purpose":7}')).status).toBe(403);
    const lenient = await Scene.open({ decide: allow });
    const answer = await lenient.post('{"purpose":7}');
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('purpose');
    expect(lenient.served).toBe(0);
    expect(lenient.decided()).toHaveLength(1);
  });

  it('is not read for a caller who is not recognised, or no longer alive', async () => {
    const scene = await Scene.open();
    expect(
      (await scene.post('{"purpose":"research"}', { ...headers, authorization: 'Bearer bad' })).status,
    ).toBe(401);
    const ended = await Scene.open({ checkLive: () => failure('revoked_token', 'The session has ended.') });
    expect((await ended.post('{"purpose":"research"}')).status).toBe(401);
    expect([scene.read, ended.read, scene.served, ended.served]).toEqual([0, 0, 0, 0]);
  });

  it('may not have a body beyond 64 KiB', async () => {
    const scene = await Scene.open({ decide: allow });
    expect((await scene.post(`{"purpose":"${'x'.repeat(70_000)}"}`)).status).toBe(413);
    expect([scene.read, scene.served]).toEqual([0, 0]);
  });

  it('is decided and recorded when the body never comes whole', async () => {
    const scene = await Scene.open({ decide: allow });
    const head = `POST /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: 40\r\nConnection: close\r\n\r\n`;
    await scene.raw(`${head}{"purpose":`);
    expect(scene.served).toBe(0);
  });

  it.each([{ action: 'things/secrets/read' }, { scope: '/' }, { dataAction: true }])(
    'cannot be decided on another access than its route says: %j',
    async (other) => {
      const scene = await Scene.open({ decide: allow }, other);
      expect((await scene.post('{"purpose":"research"}')).status).toBe(503);
      expect(scene.served).toBe(0);
    },
  );

  it('is denied where reading its attributes fails for our own reasons', async () => {
    const scene = await Scene.open({ decide: allow });
    expect((await scene.post('not json')).status).toBe(503);
    expect(scene.served).toBe(0);
  });
});
