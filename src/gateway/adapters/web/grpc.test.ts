import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  ServerCredentials,
  status,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import { connect as connectHttp2, createServer } from 'node:http2';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { generateKeyPair } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionTls } from '../../../config/connections.ts';
import { systemClock } from '../../../lib/clock.ts';
import { signedWith } from '../../testing/proxy-options.ts';
import { ensureLocalAuthority } from '../../certificates/local-authority.ts';
import { alice, allow, callerOf, TestGateway, until } from '../../testing/gateway.ts';
import { echoService, GrpcUpstream } from '../../testing/grpc-upstream.ts';
import type { ProxiedSurface } from './proxied.ts';
import { webSurface, type WebConnection } from './surface.ts';

// The unmodified client and server of @grpc/grpc-js, with the gateway between them.

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let upstream: GrpcUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
let client: Client;
const ended: Client[] = [];

const rule = (name: string): WebConnection['rules'][number] => ({
  methods: ['POST'],
  path: `/contoso.Echo/${name}`,
  action: `Contoso.Echo/${name.toLowerCase()}/action`,
});

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
});
beforeEach(async () => {
  upstream = await GrpcUpstream.start();
  await open({ upstream: `http://127.0.0.1:${upstream.port}`, protocol: 'h2c' });
});
afterEach(async () => close());
afterAll(() => ended.forEach((one) => one.close()));

async function close(): Promise<void> {
  for (const one of ended.splice(0)) one.close();
  await gateway.close();
  await surface.close();
  upstream.close();
}

async function open(connection: Pick<WebConnection, 'upstream' | 'protocol' | 'tls'>): Promise<void> {
  surface = webSurface(
    {
      name: 'echo',
      scope: '/connections/echo',
      rules: ['Unary', 'Collect', 'Repeat', 'Talk', 'Fail', 'Wait'].map(rule),
      credential: { header: 'authorization', value: 'Bearer upstream-secret' },
      ...connection,
    },
    {
      hosts: { names: ['localhost'], baseDomain: 'localhost' },
      issuer: 'https://localhost/t/v2.0',
      clock: systemClock,
      sign: signedWith(keys.privateKey),
    },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: (authorities, access) =>
      access.action.includes('unlucky')
        ? { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: authorities[0] ?? null }
        : allow(),
    hostnames: ['echo.localhost'],
  });
  client = connect();
}

function connect(): Client {
  const Echo = makeGenericClientConstructor(echoService, 'Echo');
  const one = new Echo(`127.0.0.1:${gateway.port}`, credentials.createSsl(Buffer.from(gateway.ca)), {
    'grpc.ssl_target_name_override': 'echo.localhost',
    'grpc.default_authority': 'echo.localhost',
  });
  ended.push(one);
  return one;
}

function metadata(
  token: string | null = 'good',
  more: Readonly<Record<string, string | Buffer>> = {},
): Metadata {
  const out = new Metadata();
  if (token !== null) out.set('authorization', `Bearer ${token}`);
  for (const [name, value] of Object.entries(more)) out.set(name, value);
  return out;
}

type Unary = (
  request: Buffer,
  metadata: Metadata,
  options: object,
  done: (error: ServiceError | null, answer?: Buffer) => void,
) => ClientUnaryCall;
/** What the client's class has for each call, by its shape. */
interface Calls {
  readonly Unary: Unary;
  readonly Fail: Unary;
  readonly Wait: Unary;
  readonly Secret: Unary;
  readonly Collect: (
    metadata: Metadata,
    done: (error: ServiceError | null, answer?: Buffer) => void,
  ) => ClientWritableStream<Buffer>;
  readonly Repeat: (request: Buffer, metadata: Metadata) => ClientReadableStream<Buffer>;
  readonly Talk: (metadata: Metadata) => ClientDuplexStream<Buffer, Buffer>;
}

function call<Name extends keyof Calls>(name: Name): Calls[Name] {
  return (client as unknown as Calls)[name].bind(client) as Calls[Name];
}

async function unary(
  name: 'Unary' | 'Fail' | 'Wait' | 'Secret',
  request: string | Buffer,
  { meta = metadata(), deadline }: { meta?: Metadata; deadline?: number } = {},
): Promise<{ answer: string; initial: Metadata; status: StatusObject }> {
  const { promise, resolve } = Promise.withResolvers<{
    answer: string;
    initial: Metadata;
    status: StatusObject;
  }>();
  let answer = '';
  let initial = new Metadata();
  call(name)(Buffer.from(request), meta, deadline === undefined ? {} : { deadline }, (_error, bytes) => {
    answer = bytes?.toString('utf8') ?? '';
  })
    .on('metadata', (one: Metadata) => (initial = one))
    .on('status', (one: StatusObject) => setImmediate(() => resolve({ answer, initial, status: one })));
  return promise;
}

function talk(): ClientDuplexStream<Buffer, Buffer> {
  const stream = call('Talk')(metadata());
  stream.on('error', () => undefined);
  return stream;
}

async function statusOf(stream: {
  on(event: 'status', listener: (status: StatusObject) => void): unknown;
}): Promise<StatusObject> {
  return new Promise((resolve) => {
    stream.on('status', resolve);
  });
}

function calls(): void {
  it('carries a unary call, with metadata both ways and at the end', async () => {
    const meta = metadata('good', { 'x-text': 'as it is', 'x-bytes-bin': Buffer.from([0, 1, 254, 255]) });
    const { answer, initial, status: end } = await unary('Unary', 'hello', { meta });
    expect(answer).toBe('hello');
    expect(end.code).toBe(status.OK);
    expect(initial.get('x-initial')).toEqual(['yes']);
    expect(end.metadata.get('x-trailing')).toEqual(['yes']);
    expect(end.metadata.get('x-trailing-bin')).toEqual([Buffer.from([0, 255, 1])]);
    const [seen] = upstream.seen;
    expect(seen?.get('x-text')).toEqual(['as it is']);
    expect(seen?.get('x-bytes-bin')).toEqual([Buffer.from([0, 1, 254, 255])]);
    expect(seen?.get('authorization')).toEqual(['Bearer upstream-secret']);
    expect(seen?.get('x-lockstep-assertion')).toHaveLength(1);
  });

  it('carries a large message', async () => {
    const large = Buffer.alloc(3_000_000, 'a');
    expect((await unary('Unary', large)).answer.length).toBe(3_000_000);
  });

  it('carries a stream of the client', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const stream = call('Collect')(metadata(), (_error, answer) => resolve(answer?.toString('utf8') ?? ''));
    for (const part of ['a', 'b', 'c']) stream.write(Buffer.from(part));
    stream.end();
    expect(await promise).toBe('abc');
  });

  it('carries a stream of the client in which nothing is', async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    call('Collect')(metadata(), (_error, answer) => resolve(answer?.toString('utf8'))).end();
    expect(await promise).toBe('');
  });

  it('carries a stream of the server', async () => {
    const stream = call('Repeat')(Buffer.from('x'), metadata());
    const end = statusOf(stream);
    const parts: string[] = [];
    for await (const part of stream) parts.push((part as Buffer).toString('utf8'));
    expect(parts).toEqual(['x0', 'x1', 'x2', 'x3', 'x4']);
    expect((await end).code).toBe(status.OK);
  });

  it('carries both ways at once, each message when it is sent', async () => {
    const stream = talk();
    for (const part of ['one', 'two', 'three']) {
      stream.write(Buffer.from(part));
      expect((await once(stream, 'data'))[0]).toEqual(Buffer.from(part));
    }
    const end = statusOf(stream);
    stream.end();
    expect((await end).code).toBe(status.OK);
    await until(() => gateway.sessions.size === 0);
    expect(gateway.facts.at(-1)).toMatchObject({ kind: 'request.ended', ending: 'completed', status: 200 });
  });

  it('tells of the failure that the server tells of', async () => {
    const { status: end } = await unary('Fail', '');
    expect(end).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not ‘now’: 100%' });
  });
}

describe('over HTTP/2 in clear', () => {
  calls();

  it('carries many calls on few connections', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => unary('Unary', String(i))));
    expect(answers.map(({ answer }) => answer)).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
  });

  it('ends a call at the server whose deadline has passed', async () => {
    const { status: end } = await unary('Wait', '', { deadline: Date.now() + 300 });
    expect(end.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => upstream.canceled === 1);
    await until(() => gateway.sessions.size === 0);
    expect(upstream.seen[0]?.getMap()).not.toHaveProperty('te');
  });

  it('ends a call at the server that the client cancels', async () => {
    const stream = talk();
    stream.write(Buffer.from('one'));
    await once(stream, 'data');
    stream.cancel();
    await until(() => upstream.canceled === 1);
    await until(() => gateway.sessions.size === 0);
    expect(gateway.facts.at(-1)).toMatchObject({ kind: 'request.ended', ending: 'client-gone' });
  });

  it('tells a client that its server is gone', async () => {
    const stream = talk();
    const end = statusOf(stream);
    stream.write(Buffer.from('one'));
    await once(stream, 'data');
    upstream.close();
    expect((await end).code).not.toBe(status.OK);
  });

  it('answers UNAVAILABLE where no server is', async () => {
    upstream.close();
    expect((await unary('Unary', '')).status.code).toBe(status.UNAVAILABLE);
  });
});

describe('over TLS', () => {
  let tls: ConnectionTls;

  beforeEach(async () => {
    await close();
    const home = mkdtempSync(join(tmpdir(), 'lockstep-grpc-'));
    const { key, cert, caCertificatePath } = await ensureLocalAuthority(home, []);
    const authorities = await readFile(caCertificatePath, 'utf8');
    tls = { authorities, certificate: null, key: null, serverName: 'localhost', pins: [] };
    upstream = await GrpcUpstream.start(
      ServerCredentials.createSsl(null, [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }]),
    );
    await open({ upstream: `https://127.0.0.1:${upstream.port}`, protocol: 'http2', tls });
  });

  calls();

  it('sends nothing to a server whose certificate does not hold', async () => {
    await gateway.close();
    await surface.close();
    await open({ upstream: `https://127.0.0.1:${upstream.port}`, protocol: 'http2' });
    expect((await unary('Unary', '')).status.code).toBe(status.UNAVAILABLE);
    expect(upstream.seen).toEqual([]);
  });
});

describe('metadata of one name', () => {
  // What stands apart is seen in the frames: the client and server of `@grpc/grpc-js` join it themselves.
  it('keep their values apart, each way and at the end', async () => {
    const seen: (readonly string[])[] = [];
    const own = { 'x-two-bin': ['b25l', 'dHdv'], 'x-two': ['a, b', 'c'] };
    const server = createServer();
    server.on('stream', (stream, _headers, _flags, raw) => {
      seen.push(raw);
      stream.respond({ 'content-type': 'application/grpc', ...own }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...own }));
      stream.end('answer');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await close();
    await open({ upstream: `http://127.0.0.1:${port}`, protocol: 'h2c' });
    const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, {
      ca: gateway.ca,
      servername: 'echo.localhost',
    });
    const call = session.request({
      ':method': 'POST',
      ':path': '/contoso.Echo/Unary',
      ':authority': 'echo.localhost',
      'content-type': 'application/grpc',
      authorization: 'Bearer good',
      ...own,
    });
    call.end('question');
    for (const event of ['response', 'trailers']) {
      call.once(event, (_headers, _flags, raw: readonly string[]) => seen.push(raw));
    }
    call.resume();
    await once(call, 'close');
    session.close();
    server.close();
    expect(seen.map((raw) => valuesOf(raw, 'x-two-bin'))).toEqual(Array(3).fill(own['x-two-bin']));
    expect(seen.map((raw) => valuesOf(raw, 'x-two'))).toEqual(Array(3).fill(own['x-two']));
  });
});

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_text, i) => i % 2 === 1 && raw[i - 1] === name);
}

describe('who is refused', () => {
  it('is told so in gRPC’s words: no token, a wrong one, no rule, no grant', async () => {
    for (const [meta, code] of [
      [metadata(null), status.UNAUTHENTICATED],
      [metadata('forged'), status.UNAUTHENTICATED],
    ] as const) {
      expect((await unary('Unary', '', { meta })).status.code).toBe(code);
    }
    const { status: unknown } = await unary('Secret', '');
    expect(unknown.code).toBe(status.PERMISSION_DENIED);
    expect(unknown.details).toContain('not described');
    expect(upstream.seen).toEqual([]);
  });

  it('finds the decision in the details', async () => {
    const { status: end } = await unary('Secret', '');
    const [details] = end.metadata.get('grpc-status-details-bin');
    const text = Buffer.from(details ?? '').toString('latin1');
    const fact = gateway.facts.find(({ kind }) => kind === 'request.decided');
    expect(text).toContain('google.rpc.ErrorInfo');
    expect(text).toContain('unknown-route');
    expect(text).toMatch(/dec_\w+/);
    expect(fact).toMatchObject({ allowed: false });
  });

  it('is cut from a call under way within a second, with PERMISSION_DENIED at its end', async () => {
    const spared = talk();
    const stream = talk();
    const end = statusOf(stream);
    for (const one of [spared, stream]) {
      one.write(Buffer.from('one'));
      await once(one, 'data');
    }
    const cutAt = Date.now();
    const [, victim] = gateway.sessions.list();
    gateway.sessions.cut(victim?.id ?? ('' as never), 'assignment-removed');
    const { code, details } = await end;
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(details).toContain('assignment-removed');
    expect(Date.now() - cutAt).toBeLessThan(1000);
    await until(() => upstream.canceled === 1);
    spared.write(Buffer.from('two'));
    expect((await once(spared, 'data'))[0]).toEqual(Buffer.from('two'));
    spared.end();
    expect((await statusOf(spared)).code).toBe(status.OK);
  });

  it('is cut from a call that has had no answer yet', async () => {
    const answer = unary('Wait', '');
    await until(() => gateway.sessions.size === 1 && upstream.seen.length === 1);
    gateway.sessions.cutAll('identity-ended');
    expect((await answer).status.code).toBe(status.UNAUTHENTICATED);
    await until(() => upstream.canceled === 1);
  });

  it('is told UNAVAILABLE on a drain, so that it comes again', async () => {
    const stream = talk();
    const end = statusOf(stream);
    stream.write(Buffer.from('one'));
    await once(stream, 'data');
    await gateway.listener.drain(50);
    expect((await end).code).toBe(status.UNAVAILABLE);
  });
});
