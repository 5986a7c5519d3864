import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alice, allow, callerOf, TestGateway, type GatewayParts } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream } from '../../testing/upstream.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { boardSurface } from './board-surface.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const scope = '/connections/board';
const red = `${scope}/experiments/red`;
const deny = { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice } as const;
/** Alice sees the red experiment, and no other. */
const redOnly: NonNullable<GatewayParts['decide']> = (_, access) => (access.scope === red ? allow() : deny);

let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
let listed = '["red","blue","Red"]';

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  upstream.answer = ({ url, headers }, response) => {
    if (url === '/api/experiments') {
      const packs = headers['accept-encoding'] !== 'identity';
      response.setHeader('etag', '"1"');
      response.writeHead(200, packs ? { 'content-encoding': 'gzip' } : {});
      response.end(packs ? gzipSync(listed) : listed);
    } else if (url === '/api/runs/7') response.end('{"experiment":"red"}');
    else if (url === '/api/runs/8') response.end('{"experiment":"blue"}');
    else if (url === '/api/runs/9') response.writeHead(404).end();
    else if (url === '/api/runs/10') response.writeHead(500).end();
    else response.end('a page');
  };
  surface = boardSurface({ name: 'board', upstream: upstream.origin, scope }, proxyOptions);
  gateway = await start(redOnly);
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

function start(decide: NonNullable<GatewayParts['decide']>): Promise<TestGateway> {
  return TestGateway.start({ surfaces: [surface], tokens: new Map([['good', callerOf(alice)]]), decide });
}

async function get(path: string, at = gateway): Promise<[number, string]> {
  const headers = { authorization: 'Bearer good', 'if-none-match': '"1"', range: 'bytes=0-3' };
  const response = await at.fetch(`/connections/board${path}`, { headers });
  const text = await response.text();
  return [response.status, response.status === 200 ? text : ''];
}

describe('the adapter of the guide', () => {
  it('is what the guide has, to the letter: so the compiler reads the guide', () => {
    const guide = readFileSync(join(root, 'docs', 'guides', 'write-an-adapter.md'), 'utf8');
    const blocks = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
    const source = readFileSync(join(import.meta.dirname, 'board-surface.ts'), 'utf8');
    expect(blocks).toHaveLength(3);
    expect(blocks.join('\n')).toBe(source);
  });

  it('shows the pages of an experiment to whoever may see it', async () => {
    expect(await get('/experiment/red/scalars')).toEqual([200, 'a page']);
    expect(await get('/experiment/blue/scalars')).toEqual([403, '']);
    expect(await get('/api/secrets')).toEqual([403, '']);
  });

  it('lists the experiments that the caller may see', async () => {
    expect(await get('/api/experiments')).toEqual([200, '["red"]']);
  });

  it('does not take for a list what is none', async () => {
    for (const answer of ['{"names":[]}', 'nonsense', '[7]', `["${'x'.repeat(1_100_000)}"]`]) {
      listed = answer;
      const [status] = await get('/api/experiments');
      expect([answer.slice(0, 20), status >= 500]).toEqual([answer.slice(0, 20), true]);
    }
    listed = '["red","blue","Red"]';
  });

  it('decides a run where it lies, as the board has it', async () => {
    expect(await get('/api/runs/7')).toEqual([200, '{"experiment":"red"}']);
    expect(await get('/api/runs/8')).toEqual([403, '']);
    const decided = gateway.facts.flatMap((fact) => (fact.kind === 'request.decided' ? [fact.scope] : []));
    expect(decided).toEqual([red, `${scope}/experiments/blue`]);
  });

  it('tells only who may see everything that there is no such run, and serves nobody without an answer', async () => {
    expect(await get('/api/runs/9')).toEqual([403, '']);
    const everywhere = await start(allow);
    expect(await get('/api/runs/9', everywhere)).toEqual([404, '']);
    expect((await get('/api/runs/10', everywhere))[0]).toBeGreaterThanOrEqual(500);
    await everywhere.close();
  });
});
