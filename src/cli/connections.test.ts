import { readFileSync, utimesSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { CliContext } from './context.ts';
import { createProgram } from './program.ts';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

let server: Server;
let agent: Agent;
let admin: Terminal;

beforeAll(async () => {
  // Where nobody listens any more.
  const reserved = await listening();
  const { port } = reserved.address() as AddressInfo;
  await new Promise((resolve) => reserved.close(resolve));
  server = await serve({
    connections: {
      lab: {
        kind: 'web',
        upstream: `http://127.0.0.1:${port}`,
        scope: '/providers/contoso.lab',
        circuit: { failures: 2, openSeconds: 300, longestSeconds: 300 },
        rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Lab/pages/read' }],
      },
    },
  });
  agent = new Agent({ connect: { ca: readFileSync(server.caFile, 'utf8') } });
  admin = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile });
  await admin.json('login', '--link', server.signIn);
});
afterAll(async () => {
  admin.dispose();
  await agent.destroy();
  await server.stop();
});

function listening(): Promise<HttpServer> {
  const opened = createServer();
  return new Promise((resolve) => opened.listen(0, '127.0.0.1', () => resolve(opened)));
}

async function ask(): Promise<number> {
  const { stdout } = await admin.lockstep('token', '--connection', 'lab');
  const { statusCode, body } = await request(`${server.url}/connections/lab/x`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${stdout.trim()}` },
  });
  await body.dump();
  return statusCode;
}

async function shown(): Promise<string> {
  const run = await admin.lockstep('connections');
  expect([run.code, run.stderr]).toEqual([0, '']);
  return run.stdout;
}

test('connections say how they are in words, from before the first request, and where they are reached', async () => {
  const address = new URL(server.url);
  const before = await shown();
  expect(before).toMatch(
    /^CONNECTION +KIND +STATE +SINCE +ADDRESS\n[^]*\n\nCONNECTION +BROWSER +PROGRAMS +SCOPE\n/,
  );
  expect(before).toMatch(/\nlab +web +not tried yet /);
  expect(before).toContain(` https://lab.localhost:${address.port}/ `);
  expect(before).toContain(` ${server.url}/connections/lab `);
  expect(before).toMatch(/ \/providers\/contoso\.lab\n/);

  expect(await ask()).toBe(502);
  expect(await shown()).toMatch(/\nlab +web +failing \(1 of 2\) .*ECONNREFUSED/);
  expect(await ask()).toBe(502);
  expect(await shown()).toMatch(/\nlab +web +down, asked again at \d\d:\d\d:\d\dZ .*ECONNREFUSED/);
  expect(await admin.json('connections')).toMatchObject([
    {
      name: 'lab',
      addresses: [{ state: 'down', failures: null, askedAgainAt: expect.any(String) as string }],
    },
  ]);
});

test('a token goes to standard output alone; until when it is valid, to a person who sees standard error', async () => {
  const said = { stdout: '', stderr: '' };
  const into = (stream: keyof typeof said) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        said[stream] += chunk.toString();
        done();
      },
    });
  const context: CliContext = {
    terminal: { colour: false, interactive: false, watched: true, redraw: false, columns: null },
    settings: {
      server: server.url,
      caFile: server.caFile,
      home: server.home,
      configHome: join(admin.directory, 'config'),
    },
    stdin: Readable.from([]),
    stdout: into('stdout'),
    stderr: into('stderr'),
    signal: new AbortController().signal,
    version: '0.0.0',
    ending: 'ok',
    atEnd: [],
  };
  const line = ['token', '--connection', 'lab'];
  await (await createProgram(context, line)).parseAsync(line, { from: 'user' });
  for (const work of context.atEnd) await work();
  const { stdout } = await admin.lockstep(...line);
  expect(said.stdout).toBe(stdout);
  const { expiresAt } = (await admin.json(...line)) as { expiresAt: string };
  expect(said.stderr).toMatch(/^valid until \d\d:\d\d:\d\dZ, for (59|60|1) /);
  expect(said.stderr).toContain(expiresAt.slice(11, 19));
});

test('a configuration that was edited and is not in use yet is told beside the list', async () => {
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(server.home, 'config.json'), later, later);
  const run = await admin.lockstep('connections');
  expect(run.stdout).toContain('lab');
  expect(run.stderr).toMatch(/configuration was changed at .*: start it again to use that\.\n$/);
  expect((await admin.lockstep('connections', '--json')).stderr).toBe('');
});
