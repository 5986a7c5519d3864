import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const terminals: Terminal[] = [];
const witnesses: ChildProcess[] = [];
let server: Server | null = null;

function terminal(environment: Readonly<Record<string, string>> = {}): Terminal {
  const one = new Terminal(environment);
  terminals.push(one);
  return one;
}

afterAll(async () => {
  for (const witness of witnesses) witness.kill('SIGTERM');
  await server?.stop();
  for (const one of terminals) one.dispose();
});

interface Serving {
  readonly child: ChildProcess;
  readonly url: string;
}

async function startWitness(at: Terminal, home: string): Promise<Serving> {
  const child = at.start('witness', 'serve', '--home', home, '--json');
  witnesses.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('close', (code) => reject(new Error(`the witness ended with ${String(code)}`)));
  });
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

test('two witnesses watch a server; a stranger checks log, receipt and growth by the policy alone', async () => {
  server = await serve();
  const { home } = server;
  const key = (await fetchKey(server)).trim();
  await server.stop({ keepHome: true });

  const second = terminal();
  const lines = [`log ${key}`];
  const serving: Serving[] = [];
  for (const name of ['audit', 'legal']) {
    const witnessHome = join(second.directory, name);
    const made = (await second.json(
      'witness',
      'init',
      `example.test/${name}`,
      '--home',
      witnessHome,
      '--log',
      second.file('log.key', `${key}\n`),
      '--port',
      '0',
    )) as { verifierKey: string };
    const watched = JSON.parse(readFileSync(join(witnessHome, 'witness.json'), 'utf8')) as unknown;
    expect(watched).toMatchObject({ logs: [key] });
    expect((await second.lockstep('witness', 'init', 'other', '--home', witnessHome)).code).toBe(2);
    const one = await startWitness(second, witnessHome);
    serving.push(one);
    lines.push(`witness ${name} ${made.verifierKey} ${one.url}`);
  }
  const policyText = [...lines, 'group both 2 audit legal', 'quorum both', ''].join('\n');
  writeFileSync(join(home, 'witnesses.policy'), policyText);
  server = await serve({ home, ledger: { witnessPolicy: 'witnesses.policy' } });
  const admin = terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  const login = await admin.lockstep('login', '--link', server.signIn);
  expect([login.code, login.stderr]).toEqual([0, expect.any(String)]);

  const stranger = terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  const policy = stranger.file('log.policy', policyText);
  const copy = join(stranger.directory, 'copy');
  const kept = stranger.file('kept.checkpoint', readFileSync(join(home, 'ledger', 'checkpoint'), 'utf8'));
  const tail = await admin.lockstep('ledger', 'tail', '--lines', '1', '--json');
  const { event } = JSON.parse(tail.stdout.split('\n')[0] ?? '') as { event: { metadata: { uid: string } } };
  await admin.json('ledger', 'receipt', event.metadata.uid, '--out', join(stranger.directory, 'proof'));
  const proof = join(stranger.directory, 'proof');
  expect(await stranger.json('ledger', 'verify', '--receipt', proof, '--policy', policy)).toMatchObject({
    verified: true,
    witnesses: ['audit', 'legal'],
  });

  await stranger.json('ledger', 'copy', copy, join(home, 'ledger'), '--policy', policy);
  expect(await stranger.json('ledger', 'verify', copy, '--policy', policy)).toMatchObject({
    verified: true,
    witnesses: ['audit', 'legal'],
  });
  const grown = await stranger.json('ledger', 'consistency', kept, copy, '--policy', policy, '--update');
  expect(grown).toMatchObject({ consistent: true, witnesses: ['audit', 'legal'] });
  expect(readFileSync(kept, 'utf8')).toContain('— example.test/legal ');

  // The same, from an ordinary web server.
  const web = createServer((request, response) => {
    const path = join(copy, (request.url ?? '').replace('/log/', ''));
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    web.listen(0, '127.0.0.1', resolve);
  });
  const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}/log/`;
  expect(await stranger.json('ledger', 'verify', address, '--policy', policy)).toMatchObject({
    verified: true,
  });
  expect(await stranger.json('ledger', 'consistency', kept, address, '--policy', policy)).toMatchObject({
    consistent: true,
  });
  web.close();

  // Without cosignatures the log's own signature is not enough.
  const bare = readFileSync(join(copy, 'checkpoint'), 'utf8').replaceAll(
    /^— example\.test\/legal .*\n/gm,
    '',
  );
  writeFileSync(join(copy, 'checkpoint'), bare);
  const lacking = await stranger.lockstep('ledger', 'verify', copy, '--policy', policy);
  expect([lacking.code, lacking.stderr]).toEqual([7, expect.stringContaining('not cosigned by legal')]);
  const unasked = await stranger.lockstep('ledger', 'verify', copy, '--key', key);
  expect([unasked.code, unasked.stderr]).toEqual([
    0,
    expect.stringContaining('give its policy with --policy'),
  ]);
  const undemanding = stranger.file('none.policy', `log ${key}\nquorum none\n`);
  const trusting = await stranger.lockstep('ledger', 'verify', copy, '--policy', undemanding);
  expect([trusting.code, trusting.stderr]).toEqual([
    0,
    expect.stringMatching(/^The policy asks for no witness, so [^:]*$/m),
  ]);

  // One witness is gone: the server goes on, and says so.
  serving[1]?.child.kill('SIGTERM');
  await vi.waitUntil(async () => (await witnessed(admin)).quorum === 'not-met', { timeout: 20_000 });
  expect((await witnessed(admin)).witnesses).toMatchObject([
    { name: 'audit', problem: null },
    { name: 'legal', problem: expect.any(String) as string },
  ]);
  const late = await admin.lockstep('ledger', 'tail', '--lines', '1', '--json');
  const newest = JSON.parse(late.stdout.split('\n')[0] ?? '') as { event: { metadata: { uid: string } } };
  const refused = await admin.lockstep('ledger', 'receipt', newest.event.metadata.uid);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('too few witnesses')]);
});

async function witnessed(admin: Terminal): Promise<{ quorum: string; witnesses: object[] }> {
  return (await admin.json('ledger', 'witnesses')) as { quorum: string; witnesses: object[] };
}

async function fetchKey(of: Server): Promise<string> {
  const { Agent, request } = await import('undici');
  const agent = new Agent({ connect: { ca: readFileSync(of.caFile, 'utf8') } });
  const answer = await request(`${of.url}/ledger/key`, { dispatcher: agent });
  const text = await answer.body.text();
  await agent.close();
  return text;
}
