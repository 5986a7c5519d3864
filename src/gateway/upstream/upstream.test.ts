import { once } from 'node:events';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { until } from '../testing/gateway.ts';
import { answering, RawUpstream } from '../testing/raw-upstream.ts';
import { upstreamAddress, type UpstreamAddress } from './address.ts';
import type { EndpointView } from './endpoint.ts';
import { defaultUpstreamSettings, type UpstreamSettings } from './settings.ts';
import { Upstream, type UpstreamRequest } from './upstream.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

async function raw(...arguments_: Parameters<typeof RawUpstream.start>): Promise<RawUpstream> {
  const server = await RawUpstream.start(...arguments_);
  cleanUp.push(() => server.close());
  return server;
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

function upstreamOf(origins: readonly string[], settings: Partial<UpstreamSettings> = {}) {
  const changes: EndpointView[] = [];
  const upstream = new Upstream({
    connection: 'tracker',
    addresses: origins.map(upstreamAddress),
    settings: { ...defaultUpstreamSettings, ...settings },
    clock: systemClock,
    healthHeaders: ({ authority }) => ['host', authority, 'authorization', 'Bearer upstream'],
    changed: (view) => changes.push(view),
  });
  cleanUp.push(() => upstream.close());
  const again: string[] = [];
  const ask = (request: Partial<UpstreamRequest> = {}) =>
    upstream.request({
      method: 'GET',
      path: '/x',
      headersFor: ({ authority }: UpstreamAddress) => ['host', authority],
      body: null,
      signal: new AbortController().signal,
      again: (kind) => again.push(kind),
      ...request,
    });
  return { upstream, ask, changes, again };
}

const quick = { ...defaultUpstreamSettings.timeouts, headMilliseconds: 150, idleMilliseconds: 1500 };
const circuit = { failures: 3, minMilliseconds: 200, maxMilliseconds: 1000, statuses: [] };

describe('several addresses', () => {
  it('are asked by who has the least to do, each under its own Host', async () => {
    const hosts: string[] = [];
    const hold: (() => void)[] = [];
    const slow = await raw((socket, head) => {
      hosts.push(/host: (\S+)/i.exec(head)?.[1] ?? '');
      hold.push(() => answering('slow')(socket));
    });
    const fast = await raw((socket, head) => {
      hosts.push(/host: (\S+)/i.exec(head)?.[1] ?? '');
      answering('fast')(socket);
    });
    const { upstream, ask } = upstreamOf([slow.origin, fast.origin]);
    const asked = Array.from({ length: 20 }, async () => {
      const answer = await ask();
      return { from: answer.address.origin, text: await text(answer.body) };
    });
    await until(() => hold.length > 0 && fast.requests > 0);
    // The slow one has one in hand; from here on the fast one has less to do.
    for (let i = 0; i < 10; i++) expect(await text((await ask()).body)).toBe('fast');
    for (const release of hold) release();
    for (const { from, text: said } of await Promise.all(asked)) {
      expect(from).toBe(said === 'slow' ? slow.origin : fast.origin);
    }
    expect(new Set(hosts)).toEqual(new Set([`127.0.0.1:${slow.port}`, `127.0.0.1:${fast.port}`]));
    await until(() => upstream.view.endpoints.every(({ outstanding }) => outstanding === 0));
  });

  it('make up for one that is away: any request goes to the other, and then only there', async () => {
    const alive = await raw(answering('here'));
    const away = `http://127.0.0.1:${await closedPort()}`;
    const { ask, changes, again, upstream } = upstreamOf([away, alive.origin], { circuit });
    for (let i = 0; i < 12; i++) {
      const body = Readable.from([Buffer.from('once')]);
      const answer = await ask({
        method: 'POST',
        body,
        headersFor: ({ authority }) => ['host', authority, 'content-length', '4'],
      });
      expect([answer.statusCode, await text(answer.body)]).toEqual([200, 'here']);
    }
    expect(alive.requests).toBe(12);
    expect(again).toEqual(['connect', 'connect', 'connect']);
    expect(changes).toMatchObject([
      { address: away, state: { kind: 'failing' } },
      { address: away, state: { kind: 'down' } },
    ]);
    expect(upstream.view.endpoints[0]?.state).toMatchObject({
      lastError: expect.stringContaining('no connection') as string,
    });
  });

  it('leave one that closes its connections for last, and never refuse for it', async () => {
    const rude = await raw((socket) => socket.destroy());
    const good = await raw(answering('good'));
    const { ask, upstream } = upstreamOf([rude.origin, good.origin], { circuit });
    for (let i = 0; i < 20; i++) expect(await text((await ask()).body)).toBe('good');
    expect(rude.requests).toBe(3);
    expect(upstream.view.endpoints).toMatchObject([
      {
        state: {
          kind: 'failing',
          failures: 3,
          limit: null,
          lastError: expect.stringContaining('closed') as string,
        },
      },
      { state: { kind: 'up' } },
    ]);
    const alone = upstreamOf([rude.origin], { circuit });
    for (let i = 0; i < 20; i++) {
      await expect(alone.ask()).rejects.toMatchObject({ code: 'upstream_unreachable' });
    }
  });
});

describe('a second attempt', () => {
  it('is never made for what may have been carried out, nor for a body that was streamed', async () => {
    const rude = await raw((socket) => socket.destroy());
    const other = await raw(answering('other'));
    for (const request of [
      { method: 'POST', body: null },
      { method: 'PUT', body: Buffer.from('x') },
      { method: 'DELETE', body: null },
      { method: 'GET', body: Buffer.from('x') },
    ]) {
      const { ask } = upstreamOf([rude.origin]);
      const before = rude.requests;
      await expect(ask(request)).rejects.toMatchObject({ code: 'upstream_unreachable' });
      expect(rude.requests).toBe(before + 1);
    }
    expect(other.requests).toBe(0);
  });

  it.each([
    ['a value with a line in it', ['x', 'a\r\nb: c']],
    ['a length that its body has not', ['content-length', '5']],
  ])('is not made for %s, nor is an address blamed for it', async (_what, fields) => {
    const servers = [await raw(answering('ok')), await raw(answering('ok'))];
    const { ask, again, upstream } = upstreamOf(
      servers.map(({ origin }) => origin),
      { circuit },
    );
    const headersFor = (): string[] => ['host', 'x', ...fields];
    for (let i = 0; i < 10; i++) {
      await expect(ask({ headersFor })).rejects.toMatchObject({ code: 'upstream_unreachable' });
    }
    expect([again, servers.map(({ connections }) => connections)]).toEqual([[], [0, 0]]);
    expect(upstream.view.endpoints).toMatchObject([
      { state: { kind: 'not-tried' }, outstanding: 0 },
      { state: { kind: 'not-tried' }, outstanding: 0 },
    ]);
    for (let i = 0; i < 2; i++) expect(await text((await ask()).body)).toBe('ok');
    expect(servers.map(({ requests }) => requests)).toEqual([1, 1]);
  });

  it('is made once, and not after the head of an answer', async () => {
    const rude = await raw((socket) => socket.destroy());
    const { ask, again } = upstreamOf([rude.origin]);
    await expect(ask()).rejects.toMatchObject({ code: 'upstream_unreachable' });
    expect([rude.requests, again]).toEqual([2, ['closed']]);

    const half = await raw((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
    });
    const broken = upstreamOf([half.origin]);
    const { body } = await broken.ask();
    await expect(text(body)).rejects.toThrow();
    expect(half.requests).toBe(1);
  });

  it('is not made for a timeout: its caller has waited long enough', async () => {
    const silent = await raw(() => undefined);
    const { ask } = upstreamOf([silent.origin, silent.origin], { timeouts: quick });
    await expect(ask()).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(silent.requests).toBe(1);
  });

  it('is kept to a tenth of the requests', async () => {
    let rude = true;
    const server = await raw((socket) => (rude ? socket.destroy() : answering('ok')(socket)));
    const { ask } = upstreamOf([server.origin]);
    for (let i = 0; i < 100; i++) await ask().catch(() => undefined);
    // Ten saved up, and one for each ten.
    expect(server.requests).toBeGreaterThanOrEqual(115);
    expect(server.requests).toBeLessThanOrEqual(121);
    rude = false;
    expect(await text((await ask()).body)).toBe('ok');
  });
});

describe('what is known of an address', () => {
  it('is said from the first failure on, and nothing is claimed before anybody was asked', async () => {
    const port = await closedPort();
    const { ask, upstream } = upstreamOf([`http://127.0.0.1:${port}`], { circuit });
    const shown = () => upstream.view.endpoints[0];
    const askedAgainAt = () => {
      const state = shown()?.state;
      return state?.kind === 'down' ? state.askedAgainAt : undefined;
    };
    const refused = expect.stringContaining('ECONNREFUSED') as string;
    expect(shown()?.state).toEqual({ kind: 'not-tried' });
    const started = shown()?.since;
    for (const failures of [1, 2]) {
      await expect(ask()).rejects.toThrow();
      expect(shown()?.state).toEqual({ kind: 'failing', failures, limit: 3, lastError: refused });
    }
    expect(shown()?.since).toBeGreaterThanOrEqual(started ?? Infinity);
    await expect(ask()).rejects.toThrow();
    expect(shown()?.state).toEqual({
      kind: 'down',
      askedAgainAt: expect.any(Number) as number,
      lastError: refused,
    });
    expect(askedAgainAt()).toBeLessThanOrEqual(Date.now() + 200);
    await until(() => askedAgainAt() === null);
    const down = shown()?.since;
    const held: (() => void)[] = [];
    const back = await raw((socket) => held.push(() => answering('back')(socket)), port);
    await until(() => back.server.listening);
    const probe = ask();
    await until(() => held.length === 1);
    expect(shown()).toMatchObject({ state: { kind: 'probing', lastError: refused }, since: down });
    held[0]?.();
    await text((await probe).body);
    expect(shown()?.state).toEqual({ kind: 'up' });
  });

  it('is what the health check says where it is the first to ask', async () => {
    let well = false;
    const server = await raw((socket) => answering('', well ? 204 : 500)(socket));
    const health = {
      path: '/healthz',
      intervalMilliseconds: 20,
      timeoutMilliseconds: 200,
      failures: 1000,
      passes: 1,
    };
    const { upstream } = upstreamOf([server.origin], { health });
    const shown = () => upstream.view.endpoints[0]?.state;
    expect(shown()).toEqual({ kind: 'not-tried' });
    await until(() => shown()?.kind === 'failing');
    expect(shown()).toMatchObject({ limit: 1000, lastError: 'it answered 500 to the health check' });
    well = true;
    await until(() => shown()?.kind === 'up');
  });
});

describe('the circuit', () => {
  it('refuses at once, says when to come again, and closes by one probe', async () => {
    const port = await closedPort();
    const { ask, changes } = upstreamOf([`http://127.0.0.1:${port}`], { circuit });
    for (let i = 0; i < 3; i++) await expect(ask()).rejects.toMatchObject({ code: 'upstream_unreachable' });
    const began = performance.now();
    await expect(ask()).rejects.toMatchObject({
      code: 'upstream_unavailable',
      details: { retryAfterSeconds: 1 },
    });
    expect(performance.now() - began).toBeLessThan(20);
    const answers: (() => void)[] = [];
    const back = await raw((socket) => answers.push(() => answering('back')(socket)), port);
    await until(() => back.server.listening);
    await new Promise((resolve) => setTimeout(resolve, 210));
    // A stampede: of five hundred who come in the same instant, one is let through.
    const crowd = Array.from({ length: 500 }, () =>
      ask().then(
        ({ body }) => text(body),
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    await until(() => answers.length === 1);
    answers[0]?.();
    const came = await Promise.all(crowd);
    expect(came.filter((one) => one === 'back')).toHaveLength(1);
    expect(came.filter((one) => one === 'upstream_unavailable')).toHaveLength(499);
    expect(back.requests).toBe(1);
    expect(changes.map(({ state }) => state.kind)).toEqual(['failing', 'down', 'up']);
  });

  it('tells of the first failure at once, but not of each of an address that fails now and then', async () => {
    let well = false;
    const upstream = await raw((socket) => answering('', well ? 200 : 503)(socket));
    const { ask, changes } = upstreamOf([upstream.origin], { circuit: { ...circuit, statuses: [503] } });
    for (let i = 0; i < 10; i++) {
      (await ask()).body.resume();
      well = !well;
    }
    expect(changes).toMatchObject([
      { state: { kind: 'failing', failures: 1, lastError: 'it answered 503' } },
    ]);
  });

  it('opens for an upstream that answers nobody, and stays closed for a page that is slow', async () => {
    const silent = await raw(() => undefined);
    const dead = upstreamOf([silent.origin], { circuit, timeouts: quick });
    await Promise.allSettled([dead.ask(), dead.ask(), dead.ask()]);
    await expect(dead.ask()).rejects.toMatchObject({ code: 'upstream_unavailable' });

    const server = await raw((socket, head) => {
      if (!head.includes('/slow')) answering('ok')(socket);
    });
    const { ask, upstream } = upstreamOf([server.origin], { circuit, timeouts: quick });
    const slow = Array.from({ length: 20 }, () => ask({ path: '/slow' }));
    for (const one of slow) one.catch(() => undefined);
    const over = new AbortController();
    const others = (async () => {
      while (!over.signal.aborted) expect(await text((await ask()).body)).toBe('ok');
    })();
    await Promise.allSettled(slow);
    over.abort();
    await others;
    expect(upstream.view.endpoints[0]?.state).toEqual({ kind: 'up' });
  });

  it('is not opened by what the upstream answers, unless that is configured', async () => {
    const failing = await raw(answering('no', 503));
    const { ask } = upstreamOf([failing.origin], { circuit });
    for (let i = 0; i < 20; i++) {
      const { statusCode, body } = await ask();
      body.resume();
      expect(statusCode).toBe(503);
    }
    const strict = upstreamOf([failing.origin], { circuit: { ...circuit, statuses: [503] } });
    for (let i = 0; i < 3; i++) (await strict.ask()).body.resume();
    await expect(strict.ask()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(strict.changes).toMatchObject([
      { state: { kind: 'failing', failures: 1 } },
      { state: { kind: 'down', lastError: 'it answered 503' } },
    ]);
  });

  it('takes nothing from a client that goes', async () => {
    const silent = await raw(() => undefined);
    const { ask, upstream } = upstreamOf([silent.origin], { circuit });
    for (let i = 0; i < 10; i++) {
      const gone = new AbortController();
      const asking = ask({ signal: gone.signal });
      await until(() => silent.requests === i + 1);
      gone.abort(new Error('gone'));
      await expect(asking).rejects.toMatchObject({ code: 'upstream_unreachable' });
    }
    expect(upstream.view).toMatchObject({
      requests: 0,
      endpoints: [{ state: { kind: 'not-tried' }, outstanding: 0 }],
    });
  });
});

describe('time', () => {
  it.each([
    ['a head that comes byte by byte', 'HTTP/1.1 200 OK\r\nx-long: '],
    ['headers without an end, slowly', null],
    ['interim answers, slowly', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
  ])('is up for %s', async (_what, start) => {
    const timers: NodeJS.Timeout[] = [];
    const server = await raw((socket) => {
      let i = 0;
      if (start !== null && !start.includes('103')) socket.write(start);
      timers.push(
        setInterval(() => {
          if (start?.includes('103')) socket.write(i++ < 10 ? start : '');
          else socket.write(start === null ? (i++ === 0 ? 'HTTP/1.1 200 OK\r\n' : `x-${i}: y\r\n`) : 'a');
        }, 20),
      );
    });
    cleanUp.push(async () => timers.forEach(clearInterval));
    const { ask } = upstreamOf([server.origin], { timeouts: quick });
    const began = performance.now();
    await expect(ask()).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect(performance.now() - began).toBeLessThan(1000);
    await until(() => server.sockets.size === 0);
  });

  it('of a connection that does not come about is bounded too', async () => {
    // A listener whose queue is full drops what comes: nothing is refused, and nothing accepted.
    const { ask } = upstreamOf(['http://192.0.2.1:9'], {
      timeouts: { ...quick, connectMilliseconds: 100 },
    });
    const fault = await ask().then(
      () => null,
      (error: unknown) => error as { code: string },
    );
    // Where there is no route to anywhere, the system itself says so.
    expect(['upstream_timeout', 'upstream_unreachable']).toContain(fault?.code);
  });

  it('of a body is from piece to piece, and without an end where that was asked for', async () => {
    const server = await raw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
    });
    const timeouts = { ...quick, idleMilliseconds: 1000 };
    const { ask, upstream } = upstreamOf([server.origin], { timeouts });
    const patient = await ask({ idleMilliseconds: 0 });
    const { body } = await ask();
    await expect(text(body)).rejects.toThrow();
    expect(patient.body.destroyed).toBe(false);
    patient.body.destroy();
    await until(() => upstream.view.requests === 0);
  });

  it('begins when an upload has ended, not when it began', async () => {
    const server = await raw((socket) => {
      socket.once('data', () => setTimeout(() => answering('taken')(socket), 100));
    });
    const { ask } = upstreamOf([server.origin], { timeouts: { ...quick, headMilliseconds: 250 } });
    const body = Readable.from(
      (async function* () {
        yield Buffer.from('a');
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield Buffer.from('b');
      })(),
    );
    const answer = await ask({
      method: 'PUT',
      body,
      headersFor: ({ authority }) => ['host', authority, 'content-length', '2'],
    });
    expect(await text(answer.body)).toBe('taken');
  });
});

describe('what is no answer', () => {
  it.each([
    ['a flood of interim answers', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000)],
    ['a head larger than is taken', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['many headers, together too large', `HTTP/1.1 200 OK\r\n${'x-y: zzzzzzzz\r\n'.repeat(10_000)}\r\n`],
    ['an answer to no Expect', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a line of a header split', 'HTTP/1.1 200 OK\r\nlocation: /a\rset-cookie: x=1\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length beside chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('is %s', async (_what, bytes) => {
    const server = await raw((socket) => socket.write(bytes));
    const { ask, upstream } = upstreamOf([server.origin], { timeouts: quick });
    await expect(ask({ method: 'POST' })).rejects.toMatchObject({ code: 'upstream_unreachable' });
    await until(() => upstream.view.requests === 0 && server.sockets.size === 0);
  });

  it.each([
    ['closed in the middle of a length', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', true],
    [
      'closed in the middle of a chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf',
      true,
    ],
    ['closed between chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', true],
    ['reset', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', false],
  ])('is never whole when it was %s', async (_what, bytes, politely) => {
    const server = await raw((socket) => {
      socket.write(bytes, () => (politely ? socket.end() : socket.resetAndDestroy()));
    });
    const { ask } = upstreamOf([server.origin]);
    await expect(ask().then(({ body }) => text(body))).rejects.toThrow();
  });
});

describe('health checks', () => {
  const health = {
    path: '/healthz?x=1',
    intervalMilliseconds: 20,
    timeoutMilliseconds: 200,
    failures: 2,
    passes: 2,
  };

  it('take an address out and put it back, as what it is asked for says', async () => {
    let well = true;
    const heads: string[] = [];
    const one = await raw((socket, head) => {
      if (!head.includes('/healthz')) return answering('one')(socket);
      heads.push(head);
      answering('', well ? 204 : 302)(socket);
    });
    const two = await raw(answering('two'));
    const { ask, changes } = upstreamOf([`${one.origin}/base`, two.origin], { health });
    await until(() => heads.length > 2);
    expect(heads[0]).toMatch(/^GET \/base\/healthz\?x=1 HTTP\/1\.1\r\nhost: 127/i);
    expect(heads[0]).toContain('authorization: Bearer upstream');
    expect(changes).toEqual([]);
    well = false;
    await until(() => changes.length === 2);
    expect(changes[0]).toMatchObject({ state: { kind: 'failing' } });
    expect(changes[1]).toMatchObject({
      state: { kind: 'unhealthy', lastError: 'it answered 302 to the health check' },
    });
    for (let i = 0; i < 10; i++) expect(await text((await ask()).body)).toBe('two');
    well = true;
    await until(() => changes.length === 3);
    expect(changes[2]).toMatchObject({ state: { kind: 'up' } });
  });

  it('refuse without asking where every address fails them', async () => {
    const silent = await raw(() => undefined);
    const { ask, changes } = upstreamOf([silent.origin], { health: { ...health, timeoutMilliseconds: 30 } });
    await until(() => changes.at(-1)?.state.kind === 'unhealthy');
    expect(changes.at(-1)?.state).toMatchObject({ lastError: expect.stringContaining('in time') as string });
    await expect(ask()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });
});
