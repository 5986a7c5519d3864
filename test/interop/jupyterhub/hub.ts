import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const root = join(import.meta.dirname, '..', '..', '..');

export interface Hub {
  /** Of its proxy. */
  readonly url: string;
  /** The root of a person's files. */
  homeOf(user: string): string;
  /** What it and the servers that it started have written until now. */
  log(): string;
  stop(): Promise<void>;
}

export interface HubOptions {
  readonly venv: string;
  /** Of configurable-http-proxy. */
  readonly proxyProgram: string;
  readonly directory: string;
  readonly ports: { readonly hub: number; readonly proxy: number; readonly proxyApi: number };
  /** Lines of jupyterhub_config.py. */
  readonly config: readonly string[];
}

/** The part of the guide that is about hubs. */
function guideToHubs(): string {
  const guide = readFileSync(join(root, 'docs', 'guides', 'jupyter.md'), 'utf8');
  return guide.slice(guide.indexOf('\n## JupyterHub\n'));
}

/** The configuration of Lockstep that the guide gives, with another address of the hub. */
export function lockstepOfGuide(upstream: string): string {
  const [, block] = /```json\n([^]*?)```/.exec(guideToHubs()) ?? [];
  if (block === undefined) throw new Error('the guide has no configuration of Lockstep');
  return block.replace('http://127.0.0.1:8000', upstream);
}

/** What the guide says of `jupyterhub_config.py`, with the values of this laboratory in place of its examples. */
export function configOfGuide(values: Readonly<Record<string, string>>): string {
  const [, block] = /```python\n# jupyterhub_config\.py\n([^]*?)```/.exec(guideToHubs()) ?? [];
  if (block === undefined) throw new Error('the guide has no jupyterhub_config.py');
  let config = block;
  for (const [example, value] of Object.entries(values)) {
    if (!config.includes(example))
      throw new Error(`the guide’s jupyterhub_config.py does not name ${example}`);
    config = config.replaceAll(example, value);
  }
  return config;
}

/** Starts an unmodified JupyterHub with its proxy, and resolves when it answers. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { venv, directory, ports, proxyProgram } = options;
  mkdirSync(directory, { recursive: true });
  const logFile = join(directory, 'hub.log');
  const configFile = join(directory, 'jupyterhub_config.py');
  const homes = join(directory, 'homes');
  writeFileSync(
    configFile,
    [
      ...options.config,
      `c.JupyterHub.hub_port = ${ports.hub}`,
      'c.JupyterHub.hub_ip = "127.0.0.1"',
      `c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:${ports.proxyApi}"`,
      `c.ConfigurableHTTPProxy.command = ["${process.execPath}", "${proxyProgram}"]`,
      `c.SimpleLocalProcessSpawner.home_dir_template = "${homes}/{username}"`,
      'c.Spawner.args = ["--allow-root"]',
      'c.Spawner.start_timeout = 180',
      'c.Spawner.http_timeout = 180',
      `c.Spawner.cmd = ["${join(venv, 'bin', 'jupyterhub-singleuser')}"]`,
    ].join('\n'),
  );
  const log = openSync(logFile, 'w');
  const shims = [
    join(root, 'clients', 'python', 'lockstep-jupyter'),
    join(root, 'deploy', 'middleware', 'python'),
  ].join(':');
  const child = spawn(join(venv, 'bin', 'jupyterhub'), ['-f', configFile], {
    cwd: directory,
    env: { PATH: `${join(venv, 'bin')}:/usr/bin:/bin`, HOME: directory, PYTHONPATH: shims, SHELL: '/bin/sh' },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const hub: Hub = {
    url: `http://127.0.0.1:${ports.proxy}`,
    homeOf: (user) => join(homes, user),
    log: () => readFileSync(logFile, 'utf8'),
    stop: async () => {
      // The hub ends its proxy and everybody's servers by itself.
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(force);
    },
  };
  for (
    const deadline = Date.now() + 120_000;
    Date.now() < deadline && child.exitCode === null;
    await pause(200)
  ) {
    const answered = await fetch(`${hub.url}/hub/api/`).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (answered) return hub;
  }
  await hub.stop();
  throw new Error(`jupyterhub did not start:\n${hub.log()}`);
}
