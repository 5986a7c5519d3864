import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failure, LockstepError } from '../lib/errors.ts';
import type { Access } from '../policy/types.ts';
import { parseJson } from './bodies/parse-body.ts';
import type { Route } from './routes.ts';
import { alice, allow, callerOf, TestGateway, type GatewayParts } from './testing/gateway.ts';
import { route, thingsSurface } from './testing/things-surface.ts';
import type { Guard } from './types.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});

type Locate = NonNullable<Extract<Guard, { kind: 'action' }>['locate']>;

const plain: Access = { action: 'Contoso.Things/write', dataAction: false, scope: '/things' };
const deny = { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice } as const;
const box = z.object({ box: z.string() });
const byBox: Locate = (bytes) =>
  Promise.resolve({ ...plain, scope: `/things/boxes/${parseJson(bytes, box).box}` });
/** Only what lies in the red box may be written. */
const redBox: NonNullable<GatewayParts['decide']> = (_, access) =>
  access.scope === '/things/boxes/red' ? allow() : deny;

async function put(
  locate: Locate,
  body: string,
  parts: Partial<GatewayParts> = {},
  over: Partial<Route> = {},
): Promise<{ status: number; code: string | null; gateway: TestGateway }> {
  const thing = route({
    method: 'PUT',
    path: '/things',
    body: { kind: 'buffered', maxBytes: 8_000_000, mediaTypes: ['application/json'] },
    guard: () => ({ kind: 'action', access: plain, locate }),
    ...over,
  });
  const gateway = await TestGateway.start({
    surfaces: [thingsSurface([thing])],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: redBox,
    ...parts,
  });
  open.push(gateway);
  const response = await gateway.fetch('/things', {
    method: 'PUT',
    headers: { authorization: 'Bearer good', 'content-type': 'application/json' },
    body,
  });
  const text = await response.text();
  const error = z.object({ error: z.object({ code: z.string() }) });
  return {
    status: response.status,
    code: response.status === 200 ? null : error.parse(JSON.parse(text)).error.code,
    gateway,
  };
}

function scopesDecided(gateway: TestGateway): string[] {
  return gateway.facts.flatMap((fact) => (fact.kind === 'request.decided' ? [fact.scope] : []));
}

describe('an access that is located', () => {
  it('is decided once, where it lies', async () => {
    const { status, gateway } = await put(byBox, '{"box":"red"}');
    expect(status).toBe(200);
    expect(scopesDecided(gateway)).toEqual(['/things/boxes/red']);
  });

  it('is refused where it lies', async () => {
    const { status, gateway } = await put(byBox, '{"box":"blue"}');
    expect(status).toBe(403);
    expect(scopesDecided(gateway)).toEqual(['/things/boxes/blue']);
  });

  it('whose body tells no place is decided at the plain scope, and never served', async () => {
    expect(await put(byBox, '{"box":7}')).toMatchObject({ status: 403 });
    expect(await put(byBox, '{"box":7}', { decide: allow })).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
    });
  });

  it('whose body is larger than 4 MiB is answered with that, and not located', async () => {
    const body = JSON.stringify({ box: 'red', filling: 'x'.repeat(4_194_304) });
    expect(await put(byBox, body, { decide: allow })).toMatchObject({ status: 413 });
  });

  it('that cannot be located for now is denied with a status that clients repeat', async () => {
    const away: Locate = () => Promise.reject(new LockstepError({ code: 'upstream_unreachable' }));
    const { status, gateway } = await put(away, '{}', { decide: allow });
    expect(status).toBe(502);
    expect(gateway.facts).toMatchObject([
      { kind: 'request.decided', allowed: false, reason: 'policy-unavailable' },
    ]);
  });

  it('is denied when locating it falls over', async () => {
    const broken: Locate = () => Promise.reject(new TypeError('no'));
    expect(await put(broken, '{}', { decide: allow })).toMatchObject({ status: 503 });
  });

  it.each<[string, Access]>([
    ['another action', { ...plain, action: 'Contoso.Things/read' }],
    ['a data action', { ...plain, dataAction: true }],
    ['a scope above', { ...plain, scope: '/' }],
    ['a scope beside', { ...plain, scope: '/things2' }],
  ])('must not become %s', async (_, access) => {
    expect(await put(() => Promise.resolve(access), '{}', { decide: allow })).toMatchObject({ status: 503 });
  });

  it('is not looked for, nor its body read, for a caller who is refused anyway', async () => {
    let asked = 0;
    const counting: Locate = () => {
      asked += 1;
      return Promise.resolve(plain);
    };
    const checkLive = () => failure('revoked_token', 'The identity has ended.');
    expect(await put(counting, '{}', { checkLive })).toMatchObject({ status: 401 });
    expect(asked).toBe(0);
  });

  it('is refused when the right or the identity ends while it is looked for', async () => {
    let live = true;
    const slow: Locate = () => {
      live = false;
      return Promise.resolve(plain);
    };
    const checkLive = () => (live ? null : failure('revoked_token', 'The identity has ended.'));
    expect(await put(slow, '{}', { decide: allow, checkLive })).toMatchObject({ status: 401 });
  });

  it('may be found without a body', async () => {
    const over: Partial<Route> = { body: { kind: 'streamed', maxBytes: 100 } };
    const red: Locate = (bytes) =>
      Promise.resolve({ ...plain, scope: bytes.length === 0 ? '/things/boxes/red' : plain.scope });
    expect(await put(red, 'anything', {}, over)).toMatchObject({ status: 200 });
  });
});
