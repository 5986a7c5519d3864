import { cpSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

let server: Server;
let admin: Terminal;
let auditor: Terminal;
let agent: Agent;
let key: string;

beforeAll(async () => {
  server = await serve();
  admin = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  auditor = new Terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  agent = new Agent({ connect: { ca: readFileSync(server.caFile, 'utf8') } });
  await admin.lockstep('login', '--link', server.signIn);
  key = (await read('key')).trim();
});
afterAll(async () => {
  await agent.destroy();
  await server.stop();
  for (const one of [admin, auditor]) one.dispose();
});

async function read(path: string): Promise<string> {
  const answer = await request(`${server.url}/ledger/${path}`, { dispatcher: agent });
  return answer.body.text();
}

/** Each request is recorded. */
async function growTo(size: number): Promise<void> {
  const current = async (): Promise<number> => Number((await read('checkpoint')).split('\n')[1]);
  while ((await current()) < size) await Promise.all(Array.from({ length: 50 }, () => read('checkpoint')));
}

interface Verified {
  readonly size: number;
  readonly firstIndex: number;
  readonly entriesVerified: number;
  readonly retention: { readonly keepsFrom: number; readonly stillThere: number } | null;
}

const verify = async (terminal: Terminal, ...source: string[]) =>
  (await terminal.json('ledger', 'verify', ...source, '--key', key)) as Verified;

test('of a pruned log it is said what is verified and what is gone, from the server, a directory and a web server', async () => {
  await growTo(600);
  const copy = join(auditor.directory, 'copy');
  const own = join(server.home, 'ledger');
  await auditor.json('ledger', 'copy', copy, own, '--key', key);
  expect(await verify(auditor, copy)).toMatchObject({ firstIndex: 0, retention: null });

  await admin.json('user', 'create', 'ada@lab.example');
  const pruned = await admin.json('ledger', 'prune', '--before', new Date().toISOString(), '--archive');
  const { firstIndex: kept } = (pruned as { archive: { firstIndex: number } }).archive;
  expect(kept).toBeGreaterThanOrEqual(512);

  const web = createServer((asked, answer) => {
    try {
      answer.end(readFileSync(join(own, asked.url ?? '')));
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening));
  const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  for (const [terminal, ...source] of [
    [admin],
    [admin, `${server.url}/ledger`],
    [auditor, own],
    [auditor, address],
  ] as const) {
    const { size, ...verdict } = await verify(terminal, ...source);
    expect(verdict).toMatchObject({
      verified: true,
      firstIndex: kept,
      entriesVerified: size - kept,
      retention: {
        keepsFrom: kept,
        stated: expect.stringMatching(/^20.*Z$/) as string,
        policy: 'asked for by an operator',
        signedBy: [key],
        stillThere: 0,
      },
    });
  }
  web.close();
  const said = await auditor.lockstep('ledger', 'verify', own, '--key', key);
  expect(said.code).toBe(0);
  expect(said.stdout).toMatch(new RegExp(`^keeps +from entry ${kept} on, stated .*: asked for`, 'm'));
  expect(said.stdout).toMatch(
    /^pruned +[\d,]+ entries, all from the beginning to the first that was checked$/m,
  );

  const whole = await auditor.lockstep('ledger', 'verify', own, '--key', key, '--whole');
  expect([whole.code, whole.stderr]).toEqual([
    7,
    expect.stringContaining(`does not keep its first ${kept} entries`),
  ]);

  // What the auditor holds from before is not lost to them.
  const went = await auditor.json('ledger', 'copy', copy, own, '--key', key);
  expect(went).toMatchObject({ firstIndex: 0 });
  expect(await verify(auditor, copy, '--whole')).toMatchObject({
    firstIndex: 0,
    retention: { keepsFrom: kept, stillThere: kept },
  });
});

test('nothing but its own statement lets a log begin later, and nothing behind that may be missing', async () => {
  const refused = async (change: (directory: string) => void): Promise<string> => {
    const copy = join(auditor.directory, 'changed');
    rmSync(copy, { recursive: true, force: true });
    cpSync(join(server.home, 'ledger'), copy, { recursive: true });
    change(copy);
    const { code, stderr } = await auditor.lockstep('ledger', 'verify', copy, '--key', key);
    expect(code).toBe(7);
    return stderr;
  };
  expect(await refused((copy) => rmSync(join(copy, 'retention')))).toContain(
    'tile/entries/000 is missing (and no statement of the log says that it was pruned)',
  );
  const { firstIndex } = await verify(auditor, join(server.home, 'ledger'));
  expect(await refused((copy) => rmSync(join(copy, 'tile', 'entries'), { recursive: true }))).toContain(
    `is missing (the log says that it keeps everything from entry ${firstIndex} on)`,
  );
});
