import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface JupyterServer {
  /** The root of its files. */
  readonly work: string;
  /** With its base URL, without a slash at the end. */
  readonly url: string;
  /** What it has written until now. */
  log(): string;
  stop(): Promise<void>;
}

export interface JupyterOptions {
  readonly venv: string;
  readonly directory: string;
  readonly port: number;
  /** Where it is seen under Lockstep's own address. */
  readonly baseUrl: string;
  /** Lines of jupyter_server_config.py. */
  readonly config: readonly string[];
  readonly pythonPath?: string;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(() => resolve(undefined)));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

/** Starts an unmodified JupyterLab and resolves when it answers. */
export async function startJupyter(options: JupyterOptions): Promise<JupyterServer> {
  const { venv, directory, port, baseUrl } = options;
  const logFile = join(directory, 'jupyter.log');
  for (const name of ['config', 'data', 'runtime', 'work'])
    mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(
    join(directory, 'config', 'jupyter_server_config.py'),
    [
      'c.ServerApp.ip = "127.0.0.1"',
      `c.ServerApp.port = ${port}`,
      'c.ServerApp.port_retries = 0',
      'c.ServerApp.open_browser = False',
      'c.ServerApp.allow_root = True',
      `c.ServerApp.base_url = "${baseUrl}/"`,
      `c.ServerApp.root_dir = "${join(directory, 'work')}"`,
      ...options.config,
    ].join('\n'),
  );
  const log = openSync(logFile, 'w');
  const child: ChildProcess = spawn(join(venv, 'bin', 'jupyter-lab'), ['--debug'], {
    cwd: directory,
    env: {
      PATH: `${join(venv, 'bin')}:/usr/bin:/bin`,
      HOME: directory,
      SHELL: '/bin/sh',
      JUPYTER_CONFIG_DIR: join(directory, 'config'),
      JUPYTER_DATA_DIR: join(directory, 'data'),
      JUPYTER_RUNTIME_DIR: join(directory, 'runtime'),
      JUPYTER_NO_CONFIG: '',
      ...(options.pythonPath === undefined ? {} : { PYTHONPATH: options.pythonPath }),
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = new Promise((resolve) => child.once('exit', () => resolve(undefined)));
  const url = `http://127.0.0.1:${port}${baseUrl}`;
  const server: JupyterServer = {
    work: join(directory, 'work'),
    url,
    log: () => readFileSync(logFile, 'utf8'),
    stop: async () => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(force);
    },
  };
  // Several of them start at once, and import half of Python.
  const deadline = Date.now() + 180_000;
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      const answer = await fetch(`${url}/api`);
      await answer.arrayBuffer();
      return server;
    } catch {
      await pause(100);
    }
  }
  await server.stop();
  throw new Error(`jupyter-lab did not start:\n${server.log()}`);
}
