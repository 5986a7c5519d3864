import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

let server: Server;
let admin: Terminal;
let agent: Agent;

beforeAll(async () => {
  server = await serve();
  admin = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  agent = new Agent({ connect: { ca: readFileSync(server.caFile, 'utf8') } });
  await admin.lockstep('login', '--link', server.signIn);
});
afterAll(async () => {
  await agent.destroy();
  await server.stop();
  admin.dispose();
});

test('a log of several bundles, which are asked for at once, verifies at its address for whoever may read entries', async () => {
  const read = async (path: string) => {
    const answer = await request(`${server.url}/ledger/${path}`, { dispatcher: agent });
    return answer.body.text();
  };
  const size = async () => Number((await read('checkpoint')).split('\n')[1]);
  const key = (await read('key')).trim();
  // Each request is recorded.
  while ((await size()) < 4 * 256) await Promise.all(Array.from({ length: 50 }, () => read('checkpoint')));
  const verify = ['ledger', 'verify', `${server.url}/ledger`, '--key', key];
  expect(await admin.json(...verify)).toMatchObject({ verified: true });

  const stranger = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  expect((await stranger.lockstep(...verify)).code).not.toBe(0);
  stranger.dispose();
});
