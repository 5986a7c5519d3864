import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../lib/clock.ts';
import { newEventId, type LeaseId, type RequestId, type SessionId } from '../lib/ids.ts';
import { startWatch } from '../lib/testing/processor-time.ts';
import { LiveSessions, type LiveSession } from './live-sessions.ts';
import { alice, allow, callerOf, TestGateway, until, type GatewayParts } from './testing/gateway.ts';
import { route, thingsSurface } from './testing/things-surface.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  while (open.length > 0) await open.pop()?.close();
});
const tokens = new Map([['good', callerOf(alice)]]);
const headers = { authorization: 'Bearer good' };
const piece = Buffer.alloc(64 * 1024, 1);

/** A body without an end. */
function endless(): Readable {
  return new Readable({
    read() {
      this.push(piece);
    },
  });
}

async function streaming(parts: Partial<GatewayParts> = {}): Promise<TestGateway> {
  const gateway = await TestGateway.start({
    surfaces: [
      thingsSurface([
        route({
          method: 'GET',
          path: '/stream',
          serve: () => Promise.resolve({ status: 200, body: endless() }),
        }),
        route({
          method: 'PUT',
          path: '/upload',
          body: { kind: 'streamed', maxBytes: 1e15 },
          serve: async (exchange) => {
            let bytes = 0;
            for await (const chunk of exchange.stream) bytes += (chunk as Buffer).length;
            return { status: 200, body: String(bytes) };
          },
        }),
      ]),
    ],
    tokens,
    decide: allow,
    ...parts,
  });
  open.push(gateway);
  return gateway;
}

function ended(gateway: TestGateway) {
  return gateway.facts.filter((fact) => fact.kind === 'request.ended');
}

describe('cutting', () => {
  it('ends a fast download within a second of the change, and what is left of it is small', async () => {
    const gateway = await streaming();
    const response = await gateway.fetch('/stream', { headers });
    let received = 0;
    let sinceCut: (() => number) | null = null;
    let afterCut = 0;
    const reading = (async () => {
      for await (const chunk of response.body ?? []) {
        received += (chunk as Uint8Array).length;
        if (sinceCut !== null) afterCut += (chunk as Uint8Array).length;
      }
    })();
    const broken = expect(reading).rejects.toThrow(/terminated/);
    await until(() => received > 128 * 1024 * 1024);
    sinceCut = startWatch();
    const cut = gateway.sessions.review((session) =>
      session.exchange.authorities.includes(alice) ? { reason: 'policy-changed' } : null,
    );
    expect(cut).toBe(1);
    expect(gateway.sessions.size).toBe(0);
    await broken;
    expect(sinceCut()).toBeLessThan(1000);
    expect(afterCut).toBeLessThan(16 * 1024 * 1024);
    await until(() => ended(gateway).length === 1);
    expect(ended(gateway)[0]).toMatchObject({ ending: 'policy-changed', status: 200 });
    expect(ended(gateway)[0]?.responseBytes).toBeGreaterThan(128 * 1024 * 1024);
  });

  it('ends an upload', async () => {
    const gateway = await streaming();
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (;;) yield await new Promise<Buffer>((resolve) => setImmediate(() => resolve(piece)));
    };
    const upload = gateway.fetch('/upload', { method: 'PUT', headers, body: pieces(), duplex: 'half' }).then(
      (response) => response.status,
      () => 0,
    );
    await until(() => gateway.sessions.size === 1);
    const [session] = gateway.sessions.list();
    const elapsed = startWatch();
    expect(gateway.sessions.cut(session?.id ?? ('' as RequestId), 'identity-ended')).toBe(true);
    expect([0, 401]).toContain(await upload);
    expect(elapsed()).toBeLessThan(1000);
    await until(() => ended(gateway).length === 1);
    expect(ended(gateway)[0]).toMatchObject({ ending: 'identity-ended' });
  });

  it('leaves the sessions of others alone', async () => {
    const gateway = await streaming();
    const response = await gateway.fetch('/stream', { headers });
    expect(gateway.sessions.review(() => null)).toBe(0);
    expect(gateway.sessions.cut('req_none' as RequestId, 'cut-by-operator')).toBe(false);
    const [session] = gateway.sessions.list();
    expect(session).toMatchObject({
      principalId: alice,
      surface: 'things',
      action: 'Contoso.Things/read',
      scope: '/things',
      method: 'GET',
      path: '/stream',
    });
    await response.body?.cancel();
    await until(() => gateway.sessions.size === 0);
  });

  it('takes a check that throws for a reason to cut', async () => {
    const gateway = await streaming();
    const response = await gateway.fetch('/stream', { headers });
    const cut = gateway.sessions.review(() => {
      throw new Error('policy is broken');
    });
    expect(cut).toBe(1);
    await expect(response.text()).rejects.toThrow(/terminated/);
  });

  it('keeps a right that was lost between decision and service from being used', async () => {
    const durable = Promise.withResolvers<void>();
    let served = false;
    const gateway = await TestGateway.start({
      surfaces: [
        thingsSurface([
          route({
            method: 'POST',
            path: '/things',
            serve: () => {
              served = true;
              return Promise.resolve({ status: 200 });
            },
          }),
        ]),
      ],
      tokens,
      decide: allow,
      record: async (fact) => {
        if (fact.kind === 'request.decided') await durable.promise;
        return newEventId(0);
      },
    });
    open.push(gateway);
    const answer = gateway.fetch('/things', { method: 'POST', headers });
    await until(() => gateway.sessions.size === 1);
    gateway.sessions.review(() => ({ reason: 'policy-changed' }));
    durable.resolve();
    expect((await answer).status).toBe(403);
    expect(served).toBe(false);
    await until(() => ended(gateway).length === 1);
    expect(ended(gateway)[0]).toMatchObject({ ending: 'policy-changed' });
  });

  it('answers at once when the head is not out yet', async () => {
    const serving = Promise.withResolvers<void>();
    const gateway = await TestGateway.start({
      surfaces: [
        thingsSurface([
          route({
            method: 'GET',
            path: '/slow',
            serve: () => {
              serving.resolve();
              return new Promise(() => undefined);
            },
          }),
        ]),
      ],
      tokens,
      decide: allow,
    });
    open.push(gateway);
    const answer = gateway.fetch('/slow', { headers });
    await serving.promise;
    gateway.sessions.review(() => ({ reason: 'identity-ended' }));
    expect((await answer).status).toBe(401);
  });
});

describe('a credential that lapses', () => {
  it('ends the stream that rests on it within a second', async () => {
    const clock = new ManualClock(1_000_000_000);
    const gateway = await streaming({
      clock,
      tokens: new Map([['good', callerOf(alice, { expiresAt: 1_000_010 })]]),
    });
    const response = await gateway.fetch('/stream', { headers });
    const body = response.text();
    const broken = expect(body).rejects.toThrow(/terminated/);
    clock.advance(9_999);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gateway.sessions.size).toBe(1);
    clock.advance(1);
    const elapsed = startWatch();
    await broken;
    expect(elapsed()).toBeLessThan(1000);
    await until(() => ended(gateway).length === 1);
    expect(ended(gateway)[0]).toMatchObject({ ending: 'credential-expired' });
  });

  it.each([{ leaseId: 'lea_1' as LeaseId }, { sessionId: 'ses_1' as SessionId }])(
    'does not end it while something else keeps the identity alive (%j)',
    async (kept) => {
      const clock = new ManualClock(1_000_000_000);
      const sessions = new LiveSessions(clock);
      const endings: string[] = [];
      const entry = (id: string, caller: LiveSession['exchange']['caller']) =>
        sessions.open({
          id: id as RequestId,
          caller,
          authorities: [alice],
          access: null,
          restsOnTime: false,
          surface: 's',
          operation: 'o',
          method: 'GET',
          path: '/',
          remoteAddress: '',
          end: ({ reason }) => endings.push(`${id} ${reason}`),
        });
      entry('kept', callerOf(alice, { expiresAt: 1_000_001, ...kept }));
      entry('lapsed', callerOf(alice, { expiresAt: 1_000_001 }));
      const closed = entry('closed', callerOf(alice, { expiresAt: 1_000_001 }));
      sessions.close(closed);
      clock.advance(5000);
      await until(() => endings.length > 0);
      expect(endings).toEqual(['lapsed credential-expired']);
      expect(sessions.size).toBe(1);
      sessions.stop();
    },
  );
});

describe('draining', () => {
  it('lets what is in flight end, takes nothing new, and cuts what outlasts the grace', async () => {
    const finish = Promise.withResolvers<void>();
    const serving = Promise.withResolvers<void>();
    const gateway = await TestGateway.start({
      surfaces: [
        thingsSurface([
          route({
            method: 'GET',
            path: '/slow',
            serve: async () => {
              serving.resolve();
              await finish.promise;
              return { status: 200, body: 'done' };
            },
          }),
          route({
            method: 'GET',
            path: '/stream',
            serve: () => Promise.resolve({ status: 200, body: endless() }),
          }),
        ]),
      ],
      tokens,
      decide: allow,
    });
    open.push(gateway);
    const slow = gateway.fetch('/slow', { headers }).then((response) => response.text());
    await serving.promise;
    const stream = await gateway.fetch('/stream', { headers });
    const broken = expect(stream.text()).rejects.toThrow(/terminated/);
    const drained = gateway.listener.drain(300);
    await expect(gateway.connect()).rejects.toThrow(/ECONNREFUSED/);
    finish.resolve();
    expect(await slow).toBe('done');
    await broken;
    await drained;
    await until(() => ended(gateway).length === 2);
    expect(ended(gateway).map((fact) => fact.ending)).toEqual(['completed', 'draining']);
  });
});
