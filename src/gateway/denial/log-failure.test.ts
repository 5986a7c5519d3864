import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, LockstepError } from '../../lib/errors.ts';
import type { RequestId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { mlflowSurface } from '../adapters/mlflow/surface.ts';
import type { ProxiedSurface } from '../adapters/web/proxied.ts';
import { webSurface } from '../adapters/web/surface.ts';
import { alice, allow, callerOf, TestGateway } from '../testing/gateway.ts';
import { proxyOptions } from '../testing/proxy-options.ts';
import { RawUpstream } from '../testing/raw-upstream.ts';
import { defaultUpstreamSettings } from '../upstream/settings.ts';
import { logFailure } from './log-failure.ts';

interface Line {
  readonly level: number;
  readonly request?: string;
  readonly surface?: string;
  readonly why?: string;
  readonly code?: string;
  readonly err?: { readonly stack: string };
}

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

function listening(level: string) {
  const texts: string[] = [];
  const log = pino({ level, base: null }, { write: (text: string) => void texts.push(text) });
  return { log, texts, lines: () => texts.map((text) => JSON.parse(text) as Line) };
}

/** Alice may do everything at this one surface. */
async function gatewayOf(surface: ProxiedSurface, log: Log): Promise<TestGateway> {
  cleanUp.push(() => surface.close());
  const gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: () => allow(),
    log,
  });
  cleanUp.push(() => gateway.close());
  return gateway;
}

describe('a request to an upstream that is down', () => {
  /** To a connection at whose address nobody listens: one that is asked where it belongs, one that is sent on. */
  async function ask(level: string) {
    const heard = listening(level);
    const surface: ProxiedSurface = mlflowSurface(
      { name: 'lab', upstream: 'http://127.0.0.1:1', scope: '/s', workspace: null },
      proxyOptions,
    );
    const gateway = await gatewayOf(surface, heard.log);
    const headers = { authorization: 'Bearer good' };
    for (let i = 0; i < 10; i++) {
      for (const path of ['/api/2.0/mlflow/runs/get?run_id=r1', '/version']) {
        const response = await gateway.fetch(`/connections/lab${path}`, { headers });
        expect(response.status).toBeGreaterThanOrEqual(502);
        await response.body?.cancel();
      }
    }
    return heard;
  }

  it('is no line of the log: what is told is that it is down, and when it is back', async () => {
    expect((await ask('info')).texts).toEqual([]);
  });

  it('is one short line without a stack for whoever debugs', async () => {
    const { texts, lines } = await ask('debug');
    expect(texts).toHaveLength(20);
    for (const text of texts) expect(text.length).toBeLessThan(500);
    expect(lines().every(({ level, err }) => level === 20 && err === undefined)).toBe(true);
    expect(lines()[0]?.code).toBe('upstream_unreachable');
  });
});

describe('an answer that its upstream begins and does not go on with', () => {
  it.each(['HTTP/1.1', 'HTTP/2'])(
    'is one warning in %s, with the request and the connection',
    async (version) => {
      const heard = listening('info');
      const upstream = version === 'HTTP/2' ? await stallingHttp2() : await stallingHttp1();
      const surface = webSurface(
        {
          name: 'lab',
          upstream,
          protocol: version === 'HTTP/2' ? 'h2c' : 'http1',
          scope: '/connections/lab',
          rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Lab/things/read' }],
          settings: {
            ...defaultUpstreamSettings,
            timeouts: { ...defaultUpstreamSettings.timeouts, idleMilliseconds: 150 },
          },
        },
        proxyOptions,
      );
      const gateway = await gatewayOf(surface, heard.log);
      const response = await gateway.fetch('/connections/lab/x', {
        headers: { authorization: 'Bearer good' },
      });
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow();
      expect(heard.texts).toHaveLength(1);
      expect(heard.lines()[0]).toMatchObject({
        level: 40,
        request: response.headers.get('x-request-id'),
        surface: 'web:lab',
        why: 'the answer did not go on in time',
      });
      expect(heard.texts[0]).not.toContain('.ts:');
    },
  );

  async function stallingHttp1(): Promise<string> {
    const upstream = await RawUpstream.start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning');
    });
    cleanUp.push(() => upstream.close());
    return upstream.origin;
  }

  async function stallingHttp2(): Promise<string> {
    const server = createServer().on('stream', (stream) => {
      stream.on('error', () => undefined).respond({ ':status': 200 });
      stream.write('the beginning');
    });
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(async () => {
      for (const session of sessions) session.destroy();
      server.close();
      return Promise.resolve();
    });
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }
});

it('a fault of ours is told whole, with its stack', () => {
  const { log, lines } = listening('info');
  const failed = { request: 'req_1' as RequestId, surface: 'web:lab' };
  logFailure(log, new TypeError('of ours'), failed, 'failed');
  logFailure(log, new LockstepError({ code: 'ledger_unavailable' }), failed, 'failed');
  logFailure(log, failure('upstream_timeout', 'Not in time.'), failed, 'failed');
  expect(lines()).toMatchObject([
    { level: 50, code: 'internal', err: { stack: expect.stringContaining('TypeError: of ours') as string } },
    { level: 50, code: 'ledger_unavailable' },
  ]);
});
