import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { initialise } from '../../src/init.ts';
import { newGuid } from '../../src/lib/ids.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep } from '../../src/main.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { putRoleAssignment } from '../../src/store/role-assignments.ts';
import { freePort } from './jupyter/server.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

const programs = join(import.meta.dirname, 'identity');
const middleware = join(import.meta.dirname, '..', '..', 'deploy', 'middleware');
const packages = ['express@5.1.0', 'fastify@5.6.1', 'koa@3.0.1', 'hono@4.9.10', '@hono/node-server@1.19.5'];
const scope = '/subscriptions/99999999-9999-4999-8999-999999999999/resourcegroups/apps';
/** Whatever a path may hold that a server, or a router, would like to write in another way. */
const path = '/app/a%20b/%C3%BC/it%27s;v=1';
const query = '?q=a+b&r=%2F%2e%2e&s=%26';

/** Servers that people have, each unmodified, with the verification of the gateway's statements in front. */
export const suite: InteropSuite = {
  name: 'identity (express, fastify, koa, hono, fastapi, flask)',
  async run(context): Promise<InteropResult> {
    const [venv, modules] = [
      await pythonVenv(context.cacheDirectory, 'identity', (line) => context.log(line)),
      await nodeModules(context),
    ];
    if (venv === null || modules === null) {
      return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: the frameworks cannot be installed'] };
    }
    return checked(context, venv, modules);
  },
};

/** Installed once, with no script of theirs run. */
async function nodeModules(context: InteropContext): Promise<string | null> {
  const directory = join(context.cacheDirectory, 'identity-node');
  const stamp = join(directory, '.packages');
  const wanted = packages.join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"private":true}');
  const options = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    ...packages,
  ];
  try {
    await promisify(execFile)('npm', options, { cwd: directory, timeout: 300_000 });
  } catch (error) {
    context.log(`Node’s frameworks cannot be installed: ${String(error)}`);
    return null;
  }
  writeFileSync(stamp, wanted);
  return directory;
}

async function checked(context: InteropContext, venv: string, modules: string): Promise<InteropResult> {
  const tally = { passed: 0, failed: 0, skipped: 0, notes: [] as string[] };
  const expectThat = (what: string, holds: boolean, shown: unknown): void => {
    context.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
    if (holds) tally.passed += 1;
    else {
      tally.failed += 1;
      tally.notes.push(`failed: ${what}: ${JSON.stringify(shown).slice(0, 400)}`);
    }
  };
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-identity-'));
  const home = join(temporary, 'home');
  const names = ['express', 'fastify', 'koa', 'hono', 'uvicorn', 'hypercorn', 'gunicorn'] as const;
  const port = await freePort();
  const ports = new Map<string, number>();
  for (const name of names) ports.set(name, await freePort());
  const configFile = join(temporary, 'lockstep.json');
  const connection = (name: string) => ({
    kind: 'web',
    upstream: `http://127.0.0.1:${ports.get(name)}`,
    scope,
    rules: [{ methods: ['GET', 'POST'], path: '/*', action: 'Contoso.Apps/pages/read' }],
  });
  const connections = Object.fromEntries(names.map((name) => [name, connection(name)]));
  writeFileSync(configFile, JSON.stringify({ connections }));
  const loaded = loadConfig({ home, file: configFile, environment: {} });
  const config: Config = {
    ...loaded,
    listen: { ...loaded.listen, host: '127.0.0.1', port },
    limits: { ...loaded.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  const lockstep = await startLockstep(config, log);
  const { tenantId, directory, ledger } = lockstep.foundation;
  const by = systemAttribution(tenantId, 'interop');
  const alice = await directory.createUser(by, {
    displayName: 'Alice',
    userPrincipalName: 'alice@lab.example',
  });
  await ledger.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope,
      roleDefinitionId: roleIds.reader,
      principalId: alice.id,
      principalType: 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'interop',
    }),
  );
  const caFile = join(home, 'tls', 'authority.pem');
  const started: ChildProcess[] = names.map((name) => {
    const environment = {
      PATH: `${join(venv, 'bin')}:/usr/bin:/bin`,
      HOME: temporary,
      ISSUER: lockstep.identity.issuer,
      AUDIENCE: name,
      JWKS_URL: `${lockstep.url}/${tenantId}/discovery/v2.0/keys`,
      CA_FILE: caFile,
      NODE_EXTRA_CA_CERTS: caFile,
      MODULES: modules,
      MIDDLEWARE: join(middleware, 'node', 'src', 'index.ts'),
      PYTHONPATH: `${join(middleware, 'python')}:${programs}`,
      PYTHONDONTWRITEBYTECODE: '1',
    };
    const [command = '', ...args] = commandOf(name, ports.get(name) ?? 0, venv);
    return spawn(command, args, { cwd: temporary, env: environment, stdio: 'ignore' });
  });
  const agent = new Agent({ connect: { ca: readFileSync(caFile, 'utf8') } });
  const token = async (name: string): Promise<string> =>
    (
      await lockstep.identity.tokenIssuer.issue({
        subject: alice,
        audience: `api://lockstep/connections/${name}`,
        lifetimeSeconds: 900,
        chain: [{ kind: 'user', id: alice.id, name: alice.displayName }],
        authorities: [alice.id],
        clientId: newGuid(),
        idType: 'user',
      })
    ).token;
  try {
    for (const name of names) {
      const direct = `http://127.0.0.1:${ports.get(name)}${path}${query}`;
      await answering(direct);
      const through = `${lockstep.url}/connections/${name}${path}${query}`;
      const authorization = `Bearer ${await token(name)}`;
      const options = { dispatcher: agent, headers: { authorization } };
      const read = await ask(through, { ...options, method: 'GET' });
      expectThat(
        `${name} knows that Alice asks, by which decision, and does not see the statement`,
        read.status === 200 &&
          read.json['subject'] === alice.id &&
          read.json['name'] === 'Alice' &&
          String(read.json['decision']).startsWith('dec_') &&
          read.json['statement'] === false,
        read,
      );
      const posted = await ask(through, {
        ...options,
        method: 'POST',
        body: 'hello',
        headers: { authorization, 'content-type': 'text/plain' },
      });
      expectThat(
        `${name} reads what Alice posts`,
        posted.status === 200 && posted.json['body'] === 'hello',
        posted,
      );
      if (name === 'gunicorn') {
        const mounted = { ...options, headers: { authorization, script_name: '/app' } };
        const reread = await ask(through, { ...mounted, method: 'GET' });
        expectThat(
          `${name} cuts nothing off the path that Alice asks for, whatever she calls its mount`,
          reread.status === 200 && String(reread.json['path']).startsWith('/app/'),
          reread,
        );
      }
      for (const [who, headers] of [
        ['nobody', {}],
        [
          'somebody who makes a statement of their own',
          { 'x-lockstep-assertion': 'eyJhbGciOiJub25lIn0.e30.x' },
        ],
        ['somebody who brings Alice’s token', { authorization }],
        ['somebody who names themselves', { 'x-lockstep-subject': alice.id, 'x-forwarded-user': 'Alice' }],
      ] as const) {
        const refused = await ask(direct, { method: 'GET', headers });
        expectThat(
          `${name} tells ${who} who comes past the gateway 401 in JSON`,
          refused.status === 401 && JSON.stringify(refused.json).includes('AuthenticationFailed'),
          refused,
        );
      }
    }
  } finally {
    for (const child of started) child.kill('SIGTERM');
    await agent.destroy();
    await lockstep.drain();
    rmSync(temporary, { recursive: true, force: true });
  }
  return tally;
}

function commandOf(name: string, port: number, venv: string): readonly string[] {
  const bin = (program: string) => join(venv, 'bin', program);
  switch (name) {
    case 'uvicorn':
      return [bin('uvicorn'), 'fastapi_app:app', '--host', '127.0.0.1', '--port', String(port)];
    case 'hypercorn':
      return [bin('hypercorn'), 'fastapi_app:app', '--bind', `127.0.0.1:${port}`];
    case 'gunicorn':
      return [bin('gunicorn'), 'flask_app:app', '--bind', `127.0.0.1:${port}`];
    default:
      return [process.execPath, join(programs, 'servers.mjs'), name, String(port)];
  }
}

async function answering(address: string): Promise<void> {
  for (let i = 0; i < 300; i++) {
    try {
      await (await request(address)).body.dump();
      return;
    } catch {
      await pause(200);
    }
  }
  throw new Error(`nothing answers at ${address}`);
}

async function ask(
  address: string,
  options: Parameters<typeof request>[1],
): Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>> }> {
  const { statusCode, body } = await request(address, options);
  const text = await body.text();
  try {
    return { status: statusCode, json: JSON.parse(text) as Record<string, unknown> };
  } catch {
    return { status: statusCode, json: { text } };
  }
}
