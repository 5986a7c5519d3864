import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Access } from '../../policy/types.ts';
import type { Route } from '../routes.ts';
import { alice, allow, callerOf, TestGateway, until, type GatewayParts } from '../testing/gateway.ts';
import { flags, frame, FrameConnection, frameTypes, type Frame } from '../testing/http2-frames.ts';
import { actionGuard, route, thingsSurface } from '../testing/things-surface.ts';
import type { Reply } from '../types.ts';

const cleanUp: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

/** Room for two whole bodies of each caller, and of all for not much more than the beginnings of four. */
const memory = { all: 250_000, perCaller: 110_000 };
const bob = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const carol = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc' as PrincipalId;
const tokens = new Map(
  Object.entries({ alice, bob, carol }).map(([name, id]) => [name, callerOf(id, { tokenId: `uti-${name}` })]),
);
/** Of the length that each body says it has. */
const whole = 50_000;
const part = 40_000;

const deny = { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice } as const;
const access: Access = { action: 'Contoso.Things/write', dataAction: false, scope: '/things' };
const body = { kind: 'buffered', maxBytes: 64_000, mediaTypes: ['*/*'] } as const;
const read = {
  method: 'PUT',
  path: '/read',
  body,
  guard: () => actionGuard('Contoso.Things/write'),
} as const;

async function start(parts: Partial<GatewayParts> = {}, over: Partial<Route> = {}): Promise<TestGateway> {
  const asked = {
    ...read,
    path: '/asked',
    guard: () => ({ kind: 'action', access, accessFromBody: () => access }) as const,
    ...over,
  };
  const surfaces = [thingsSurface([route(asked), route(read)])];
  const gateway = await TestGateway.start({ surfaces, tokens, memory, decide: allow, ...parts });
  cleanUp.push(() => gateway.close());
  return gateway;
}

interface Sender {
  readonly socket: TLSSocket;
  readonly answer: () => string;
}

/** Sends the head of a request and the beginning of its body, as soon as it is read. */
async function begin(gateway: TestGateway, who: string, path = '/asked', bytes = part): Promise<Sender> {
  const socket = await gateway.connect();
  cleanUp.push(() => void socket.destroy());
  let text = '';
  socket.on('error', () => undefined).on('data', (data: Buffer) => (text += data.toString('latin1')));
  const lines = [
    `PUT ${path} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${who}`,
    'Content-Type: application/octet-stream',
    `Content-Length: ${whole}`,
    'Expect: 100-continue',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await until(() => text.includes('100 Continue'));
  await new Promise<void>((resolve) => socket.write(Buffer.alloc(bytes, 0x20), () => resolve()));
  return { socket, answer: () => text.replace('HTTP/1.1 100 Continue\r\n\r\n', '') };
}

async function answered({ answer }: Sender): Promise<string> {
  await until(() => answer().startsWith('HTTP/1.1 '));
  return answer();
}

/** More often than there is room for. */
const times = [1, 2, 3, 4];

async function put(
  gateway: TestGateway,
  body: Buffer | Readable,
  { who = 'alice', path = '/asked' } = {},
): Promise<number> {
  const headers = { authorization: `Bearer ${who}`, 'content-type': 'application/octet-stream' };
  const { status } = await gateway.fetch(path, { method: 'PUT', headers, body, duplex: 'half' });
  return status;
}

/** Two of these, and no more, are what a caller may hold. */
async function expectRoomFor(gateway: TestGateway, who: string): Promise<void> {
  const senders = [await begin(gateway, who), await begin(gateway, who)];
  for (const { socket } of senders) socket.write(Buffer.alloc(whole - part, 0x20));
  for (const sender of senders) expect(await answered(sender)).toMatch(/^HTTP\/1\.1 200 /);
}

describe.each(['/asked', '/read'])('the bodies of one caller that have no end yet, to %s', (path) => {
  it('hold no more than a share: one more is told to come again, others are read', async () => {
    const gateway = await start();
    await begin(gateway, 'alice', path);
    const second = await begin(gateway, 'alice', path);
    const third = await answered(await begin(gateway, 'alice', path));
    expect(third).toMatch(/^HTTP\/1\.1 429 /);
    expect(third).toMatch(/^retry-after: 1\r$/im);
    expect(third).toContain('TooManyConcurrentRequests');
    await begin(gateway, 'bob', path);
    second.socket.write(Buffer.alloc(whole - part, 0x20));
    expect(await answered(second)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('are told that the server is busy where those of others hold too much', async () => {
    const gateway = await start();
    for (const who of ['alice', 'bob', 'alice', 'bob']) await begin(gateway, who, path);
    const busy = await answered(await begin(gateway, 'carol', path, 48_000));
    expect(busy).toMatch(/^HTTP\/1\.1 503 /);
    expect(busy).toMatch(/^retry-after: 1\r$/im);
    expect(busy).toContain('ServerBusy');
    // Who comes with little still finds room.
    expect(await put(gateway, Buffer.alloc(20_000), { who: 'carol', path })).toBe(200);
  });
});

it('refuses as what cannot be decided, and records it once, whoever may do what they ask', async () => {
  for (const decide of [allow, () => deny]) {
    const gateway = await start({ decide });
    await begin(gateway, 'alice');
    await begin(gateway, 'alice');
    expect(await answered(await begin(gateway, 'alice'))).toMatch(/^HTTP\/1\.1 429 /);
    expect(gateway.facts).toMatchObject([
      { kind: 'request.decided', allowed: false, reason: 'policy-unavailable' },
    ]);
  }
});

it('counts the pieces of a body as well as its bytes, for each takes memory of its own', async () => {
  const gateway = await start();
  const { socket, answer } = await begin(gateway, 'alice', '/asked', 0);
  socket.setNoDelay(true);
  for (let i = 0; i < 1000 && answer() === ''; i++) {
    await new Promise<void>((resolve) => socket.write(' ', () => resolve()));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answered({ socket, answer })).toMatch(/^HTTP\/1\.1 429 /);
});

it('refuses streams of a connection one by one: those beside them go on', async () => {
  const gateway = await start();
  const connection = await FrameConnection.open(gateway);
  cleanUp.push(() => connection.close());
  const streams = Array.from({ length: 20 }, (_, i) => 2 * i + 1);
  for (const id of streams) {
    connection.headers(
      id,
      [
        [':method', 'PUT'],
        [':scheme', 'https'],
        [':authority', 'localhost'],
        [':path', '/asked'],
        ['authorization', 'Bearer alice'],
        ['content-type', 'application/octet-stream'],
      ],
      flags.endHeaders,
    );
    connection.send(frame(frameTypes.data, flags.none, id, Buffer.alloc(16_000)));
  }
  const isHead = ({ type }: Frame): boolean => type === frameTypes.headers;
  const read = Math.floor(memory.perCaller / 16_256);
  await until(() => connection.frames.filter(isHead).length === streams.length - read);
  const refused = new Set(connection.frames.filter(isHead).map(({ stream }) => stream));
  expect(gateway.facts).toHaveLength(refused.size);
  const [left = 0] = streams.filter((id) => !refused.has(id));
  connection.send(frame(frameTypes.data, flags.endStream, left, Buffer.alloc(1)));
  expect(await connection.body(left)).toBe('served');
});

describe('what a body holds is given back', () => {
  it.each(['/asked', '/read'])('when its client goes (%s)', async (path) => {
    const gateway = await start();
    for (const _ of times) {
      const facts = gateway.facts.length;
      const { socket } = await begin(gateway, 'alice', path);
      socket.destroy();
      await until(() => gateway.facts.length === facts + 2);
    }
    await expectRoomFor(gateway, 'alice');
  });

  it.each([
    ['is denied', 403, () => deny],
    ['cannot be decided on', 503, broken],
  ] as const)('when the request %s', async (_, status, refuse) => {
    let decide: NonNullable<GatewayParts['decide']> = refuse;
    const gateway = await start({ decide: (...question) => decide(...question) });
    for (const _ of times) expect(await put(gateway, Buffer.alloc(whole))).toBe(status);
    decide = allow;
    await expectRoomFor(gateway, 'alice');
  });

  it('when nobody can say what the body says', async () => {
    let accessFromBody: () => Access = broken;
    const guard = () => ({ kind: 'action', access, accessFromBody: () => accessFromBody() }) as const;
    const gateway = await start({}, { guard });
    for (const _ of times) expect(await put(gateway, Buffer.alloc(whole))).toBe(503);
    accessFromBody = () => access;
    await expectRoomFor(gateway, 'alice');
  });

  it('when it is decided on, while it is still served', async () => {
    const going = Promise.withResolvers<Reply>();
    const gateway = await start({}, { serve: () => going.promise });
    const statuses = times.map(() => put(gateway, Buffer.alloc(whole)));
    await until(() => gateway.sessions.size === times.length);
    going.resolve({ status: 200 });
    expect(await Promise.all(statuses)).toEqual(times.map(() => 200));
    await expectRoomFor(gateway, 'alice');
  });

  it('when it turns out to be too large', async () => {
    const gateway = await start();
    // Its length is not said beforehand.
    for (const _ of times) {
      const pieces = Readable.from([Buffer.alloc(whole), Buffer.alloc(whole)]);
      expect(await put(gateway, pieces)).toBe(413);
    }
    await expectRoomFor(gateway, 'alice');
  });
});

function broken(): never {
  throw new TypeError('broken');
}
