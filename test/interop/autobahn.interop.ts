import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { headerRelay } from './autobahn/header-relay.ts';
import { wstest, type Wstest } from './autobahn/python2.ts';
import { openEchoScene, type EchoScene } from './autobahn/scene.ts';
import { freePort } from './jupyter/server.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

/** What Autobahn says of each case, by its number. */
type Verdicts = Readonly<Record<string, { readonly behavior: string; readonly behaviorClose: string }>>;

/** Neither hop offers or takes a compression (decision 20), so that there is nothing to be tested. */
const compression = /^1[23]\./;
/** What is right, and what RFC 6455 leaves open. */
const fine = new Set(['OK', 'NON-STRICT', 'INFORMATIONAL']);
/** Of the release that is pinned, without those of compression. */
const allCases = 301;

/**
 * Autobahn's TestSuite at both hops. As a client it fuzzes the gateway, behind which stands a server that echoes whatever
 * it gets; as a server it fuzzes the gateway's own client, with a caller that echoes.
 */
export const suite: InteropSuite = {
  name: 'autobahn (Autobahn|Testsuite)',
  async run(context): Promise<InteropResult> {
    const tool = await wstest(context.cacheDirectory, (line) => context.log(line));
    if ('missing' in tool) return { passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${tool.missing}`] };
    const fuzzPort = await freePort();
    const scene = await openEchoScene(fuzzPort);
    const reports = join(context.cacheDirectory, 'autobahn-reports');
    rmSync(reports, { recursive: true, force: true });
    try {
      const asServer = await fuzzGateway(tool, scene, join(reports, 'server'));
      const asClient = await fuzzUpstreamHop(tool, scene, join(reports, 'client'), fuzzPort);
      const results = [
        judged(context, 'the gateway to its clients', asServer),
        judged(context, 'the gateway to its upstreams', asClient),
      ];
      return {
        passed: results.reduce((sum, { passed }) => sum + passed, 0),
        failed: results.reduce((sum, { failed }) => sum + failed.length, 0),
        skipped: results.reduce((sum, { compressed }) => sum + compressed, 0),
        notes: results.flatMap(({ what, failed, compressed, loose }) => [
          ...failed.map((line) => `failed: ${what}: ${line}`),
          `${what}: ${loose} of those passed are told as non-strict or informational`,
          `${what}: ${compressed} cases of compression, which is not offered, cannot be run`,
        ]),
      };
    } finally {
      await scene.close();
    }
  },
};

function judged(context: InteropContext, what: string, verdicts: Verdicts) {
  const entries = Object.entries(verdicts);
  const cases = entries.filter(([id]) => !compression.test(id));
  const passes = cases.filter(
    ([, { behavior, behaviorClose }]) => fine.has(behavior) && fine.has(behaviorClose),
  );
  const loose = cases.filter(([, { behavior }]) => behavior === 'NON-STRICT' || behavior === 'INFORMATIONAL');
  const compressed = entries.filter(([id]) => compression.test(id));
  // Whoever does not take compression must not be told that it works.
  const wrong = [
    ...cases.filter((one) => !passes.includes(one)),
    ...compressed.filter(([, { behavior }]) => behavior !== 'UNIMPLEMENTED'),
  ];
  const failed = wrong.map(([id, told]) => `${id} ${JSON.stringify(told)}`);
  if (cases.length !== allCases) failed.push(`${cases.length} cases were run, not ${allCases}`);
  context.log(
    `${what}: ${passes.length} of ${cases.length} cases; loosely ${loose.map(([id]) => id).join(' ')}`,
  );
  return { what, passed: passes.length, failed, compressed: compressed.length, loose: loose.length };
}

/** Autobahn's client, through the gateway, to the server that echoes. */
async function fuzzGateway(tool: Wstest, scene: EchoScene, outdir: string): Promise<Verdicts> {
  const relay = await headerRelay({
    port: scene.port,
    ca: scene.ca,
    authorization: async () => `Bearer ${await scene.token('echo')}`,
  });
  try {
    const child = start(tool, 'fuzzingclient', outdir, {
      servers: [{ agent: 'Lockstep', url: `ws://localhost:${relay.port}/connections/echo/all` }],
    });
    await ended(child, 900_000);
  } finally {
    await relay.close();
  }
  return verdictsIn(outdir);
}

/** A caller that echoes, through the gateway, to Autobahn's server. */
async function fuzzUpstreamHop(
  tool: Wstest,
  scene: EchoScene,
  outdir: string,
  port: number,
): Promise<Verdicts> {
  const child = start(tool, 'fuzzingserver', outdir, { url: `ws://127.0.0.1:${port}` });
  const call = async (target: string, echoes: boolean): Promise<string[]> => {
    const said: string[] = [];
    const webSocket = new WebSocket(`wss://localhost:${scene.port}/connections/fuzz${target}`, {
      ca: scene.ca,
      headers: { authorization: `Bearer ${await scene.token('fuzz')}` },
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: 64 << 20,
    });
    webSocket.on('error', () => undefined);
    webSocket.on('message', (data: Buffer, binary) => {
      if (echoes) webSocket.send(data, { binary });
      else said.push(data.toString());
    });
    await new Promise((resolve) => webSocket.once('close', resolve));
    return said;
  };
  try {
    await listening(port);
    const count = Number((await call('/getCaseCount', false))[0]);
    for (let one = 1; one <= count; one += 1) await call(`/runCase?case=${one}&agent=Lockstep`, true);
    await call('/updateReports?agent=Lockstep', false);
  } finally {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
  return verdictsIn(outdir);
}

/** A package among Autobahn's shares its name with others by way of a `.pth` file, which only `site` reads. */
const program =
  'import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()';

function start(tool: Wstest, mode: string, outdir: string, spec: object): ChildProcess {
  mkdirSync(outdir, { recursive: true });
  const file = join(outdir, 'spec.json');
  const all = { outdir, cases: ['*'], 'exclude-cases': [], 'exclude-agent-cases': {}, ...spec };
  writeFileSync(file, JSON.stringify(all));
  return spawn(tool.python, ['-c', program, tool.packages, '-m', mode, '-s', file, '-u', '0'], {
    cwd: outdir,
    env: { PATH: '/usr/bin:/bin' },
    stdio: 'ignore',
  });
}

async function ended(child: ChildProcess, milliseconds: number): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  if (code !== 0) throw new Error(`Autobahn’s client ended with ${String(code)}`);
}

async function listening(port: number): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(50)) {
    const answered = await new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1');
      socket
        .once('error', () => resolve(false))
        .once('connect', () => {
          socket.destroy();
          resolve(true);
        });
    });
    if (answered === true) return;
  }
  throw new Error('Autobahn’s server does not listen');
}

function verdictsIn(outdir: string): Verdicts {
  const index = JSON.parse(readFileSync(join(outdir, 'index.json'), 'utf8')) as Record<string, Verdicts>;
  return index['Lockstep'] ?? {};
}
