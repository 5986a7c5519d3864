import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { handshake, parsed } from './jupyter/ask.ts';
import { inBrowser } from './jupyter/browser.ts';
import { inDirectories } from './jupyter/directories.ts';
import { known, type Expect } from './jupyter/known.ts';
import { openLaboratory, sharedToken, type Laboratory } from './jupyter/laboratory.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

interface Tally {
  passed: number;
  failed: number;
  readonly notes: string[];
}

const programs = join(import.meta.dirname, 'jupyter');

/** JupyterLab's own client, unmodified, and an unmodified jupyter-server on the other side. */
export const suite: InteropSuite = {
  name: 'jupyter (jupyter-server, jupyterlab, @jupyterlab/services)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'jupyter', (line) => context.log(line));
    if (venv === null)
      return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: no Python with jupyter-server'] };
    const contract: Tally = { passed: 0, failed: 0, notes: [] };
    await known(venv, expecting(context, contract));
    const laboratory = await openLaboratory(venv);
    const agent = new Agent({ connect: { ca: laboratory.ca } });
    const tally = contract;
    const expectThat = expecting(context, tally);
    try {
      await strangers(laboratory, agent, expectThat);
      await secrets(laboratory, agent, expectThat);
      await inDirectories(laboratory, agent, expectThat);
      await inBrowser(laboratory, expectThat);
      await people(laboratory, expectThat);
    } finally {
      await agent.destroy();
      await laboratory.close();
    }
    return { ...tally, skipped: 0 };
  },
};

function expecting(context: InteropContext, tally: Tally): Expect {
  return (what, holds, shown) => {
    context.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
    if (holds) tally.passed += 1;
    else {
      tally.failed += 1;
      tally.notes.push(
        `failed: ${what}${shown === undefined ? '' : `: ${JSON.stringify(shown).slice(0, 400)}`}`,
      );
    }
  };
}

const kernelPath = '/api/kernels/00000000-0000-4000-8000-000000000000/channels';

/** What must be impossible for those who have no business there. */
async function strangers(lab: Laboratory, agent: Agent, expectThat: Expect): Promise<void> {
  const bob = `Bearer ${await lab.token(lab.bob, 'own')}`;
  for (const [method, path] of [
    ['GET', '/api/kernels'],
    ['POST', '/api/kernels'],
    ['GET', '/api/contents'],
    ['GET', '/lab'],
    ['POST', '/api/shutdown'],
  ] as const) {
    const answer = await ask(agent, `${lab.url}/connections/own${path}`, bob, method);
    const told = parsed(answer.text);
    const inDialect = typeof told['message'] === 'string' && told['reason'] === 'AuthorizationFailed';
    expectThat(
      `Bob is told in Jupyter’s dialect that he may not ${method} ${path} of Alice’s`,
      answer.status === 403 && inDialect,
      answer,
    );
  }
  const toSockets = `wss://localhost:${lab.port}/connections`;
  const bobs = await handshake(lab.ca, `${toSockets}/own${kernelPath}`, bob);
  expectThat('Bob opens no channels of a kernel of Alice’s', bobs === 403, bobs);

  const evil = 'https://evil.example';
  const direct = await handshake(
    lab.ca,
    `${lab.shared.url.replace('http', 'ws')}/api/events/subscribe`,
    `token ${sharedToken}`,
    evil,
  );
  expectThat(
    'jupyter-server itself lets any origin open a WebSocket that brings its token',
    direct === 101,
    direct,
  );
  const alice = `Bearer ${await lab.token(lab.alice, 'shared')}`;
  const foreign = await handshake(lab.ca, `${toSockets}/shared/api/events/subscribe`, alice, evil);
  expectThat('Lockstep does not, though it brings that token', foreign === 403, foreign);
  const own = await handshake(
    lab.ca,
    `${toSockets}/shared/api/events/subscribe`,
    alice,
    `https://localhost:${lab.port}`,
  );
  expectThat('a page of the very origin may', own === 101, own);

  for (const assertion of [
    null,
    'forged',
    `eyJhbGciOiJub25lIiwidHlwIjoibG9ja3N0ZXAtYXNzZXJ0aW9uK2p3dCIsImtpZCI6IngifQ.${Buffer.from('{"sub":"x"}').toString('base64url')}.`,
  ]) {
    const { statusCode, body } = await request(`${lab.own.url}/api/me`, {
      headers: assertion === null ? {} : { 'x-lockstep-assertion': assertion },
    });
    await body.dump();
    expectThat(
      `who goes past Lockstep with ${assertion === null ? 'nothing' : 'a forged statement'} is nobody to Alice’s server`,
      statusCode === 403,
      statusCode,
    );
  }
}

/** Tokens stay where they belong. */
async function secrets(lab: Laboratory, agent: Agent, expectThat: Expect): Promise<void> {
  const token = await lab.token(lab.alice, 'shared');
  const base = `${lab.url}/connections/shared`;
  const direct = await ask(agent, `${lab.shared.url}/lab`, `token ${sharedToken}`);
  expectThat('JupyterLab writes its server’s token into its page', direct.text.includes(sharedToken));
  const page = await ask(agent, `${base}/lab`, `Bearer ${token}`);
  expectThat(
    'and Lockstep takes it out',
    page.status === 200 && page.text.includes('jupyter-config-data') && !page.text.includes(sharedToken),
    page.status,
  );
  expectThat('no cookie of the server comes through', page.cookies.length === 0, page.cookies);
  const status = await ask(agent, `${base}/api/status?token=${token}`, `token ${token}`);
  expectThat('a Jupyter client’s `Authorization: token` is understood', status.status === 200, status);
  const inQuery = await ask(agent, `${base}/api/status?token=${token}`, null);
  expectThat('a token in an address is no credential', inQuery.status === 401, inQuery);
  expectThat('nor does it reach the server or its log', !lab.shared.log().includes(token.slice(-40)));
  const events = await lab.events();
  expectThat(
    'no token is in the log of Lockstep',
    !events.includes(token.slice(-40)) && !events.includes(sharedToken),
  );
  const missing = await ask(agent, `${base}/api/contents/none.ipynb`, `Bearer ${token}`);
  expectThat(
    'an error of the server’s interface comes in its own words',
    missing.status === 404 &&
      missing.text ===
        (await ask(agent, `${lab.shared.url}/api/contents/none.ipynb`, `token ${sharedToken}`)).text,
    missing,
  );
  for (const path of ['/login', '/logout', '/metrics', '/api/unheard-of', '/tree']) {
    const answer = await ask(agent, `${base}${path}`, `Bearer ${token}`);
    expectThat(
      `${path} is denied`,
      answer.status === 403 && parsed(answer.text)['reason'] === 'RouteNotDescribed',
      answer,
    );
  }
}

/** A day with JupyterLab: who she is, kernels, files, terminals; a restart of Lockstep; the end of her right. */
async function people(lab: Laboratory, expectThat: Expect): Promise<void> {
  const client = new Client(lab, await lab.token(lab.alice, 'own'));
  try {
    const me = await client.next('me');
    expectThat('/api/me is the person', equal(me, { username: lab.alice.id, name: 'Alice' }), me);
    const contents = await client.next('contents');
    expectThat(
      'files are written, listed, checkpointed and deleted',
      JSON.stringify(contents).includes('räume 1.ipynb'),
      contents,
    );
    const kernel = await client.next('kernel');
    expectThat('a kernel computes', (await client.next('executed')) === '42');
    expectThat('2 MB of output come through whole', (await client.next('large')) === 2_000_000);
    expectThat('a terminal echoes', (await client.next('terminal')) === 'terminal-42');
    await client.next('ready');

    await lab.restart();
    expectThat('a restart of Lockstep is noticed', (await client.next('connection')) === 'connecting');
    expectThat(
      'and survived: the client comes back by itself',
      (await client.next('connection')) === 'connected',
    );
    client.tell('print(remembered)');
    expectThat('to the same kernel, with its memory', (await client.next('executed')) === '42');

    const url = `wss://localhost:${lab.port}/connections/own/api/kernels/${String(kernel)}/channels`;
    const socket = new WebSocket(url, {
      ca: lab.ca,
      headers: { authorization: `Bearer ${await lab.token(lab.alice, 'own')}` },
    });
    await new Promise((resolve, reject) => {
      socket.once('open', () => resolve(undefined)).once('error', reject);
    });
    const closed = new Promise<{ code: number; reason: string; at: number }>((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString(), at: Date.now() }));
    });
    const before = Date.now();
    await lab.removeAlice();
    const { code, reason, at } = await closed;
    expectThat(
      `leaving the group closes the kernel’s channels within a second (${at - before} ms)`,
      at - before < 1000,
    );
    expectThat(
      'by a close frame that names the policy',
      code === 1008 && reason.startsWith('policy-changed: missing grant, Microsoft.MachineLearningServices/'),
      { code, reason },
    );
    expectThat('JupyterLab’s client is cut off too', (await client.next('connection')) === 'connecting');
    const again = await handshake(lab.ca, url, `Bearer ${await lab.token(lab.alice, 'own')}`);
    expectThat('and nothing opens them again', again === 403, again);
    expectThat(
      'the kernel’s server was told who was there',
      lab.own.log().includes('Alice') || lab.own.log().includes(lab.alice.id),
    );
  } finally {
    await client.stop();
  }
}

class Client {
  readonly #child: ChildProcess;
  readonly #said: { name: string; value: unknown }[] = [];
  readonly #exited: Promise<void>;
  #errors = '';

  constructor(lab: Laboratory, token: string) {
    this.#child = spawn(
      process.execPath,
      [join(programs, 'client.ts'), `--jupyter-config-data=${join(programs, 'page-config.json')}`],
      {
        env: {
          PATH: '/usr/bin:/bin',
          NODE_EXTRA_CA_CERTS: lab.caFile,
          BASE_URL: `${lab.url}/connections/own/`,
          TOKEN: token,
        },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    if (this.#child.stdout === null) throw new Error('the client has no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.#said.push(JSON.parse(line) as { name: string; value: unknown });
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
  }

  /** The next thing of that name that it says, and has not been asked for yet. */
  async next(name: string): Promise<unknown> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const index = this.#said.findIndex((one) => one.name === name);
      const [found] = index === -1 ? [] : this.#said.splice(index, 1);
      if (found !== undefined) return found.value;
      if (this.#child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`the client never said \`${name}\`:\n${this.#errors}`);
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

async function ask(agent: Agent, url: string, authorization: string | null, method: 'GET' | 'POST' = 'GET') {
  const { statusCode, headers, body } = await request(url, {
    method,
    dispatcher: agent,
    headers: authorization === null ? {} : { authorization },
  });
  return { status: statusCode, text: await body.text(), cookies: [headers['set-cookie'] ?? []].flat() };
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
