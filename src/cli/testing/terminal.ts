import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Shared by all terminals of a test file. */
const home = mkdtempSync(join(tmpdir(), 'lockstep-people-'));

const root = join(import.meta.dirname, '..', '..', '..');
const bin = join(root, 'bin', 'lockstep.js');
/** That of every test, see vitest.config.ts. */
const compiled = join(root, 'node_modules', '.cache', 'compiled-for-tests');

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One person at one terminal: their own credentials, an environment of nothing else. */
export class Terminal {
  readonly directory: string;
  readonly #environment: Record<string, string>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'lockstep-terminal-'));
    this.#environment = {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: home,
      NODE_COMPILE_CACHE: compiled,
      LOCKSTEP_HOME: join(this.directory, 'no-server-here'),
      LOCKSTEP_CONFIG_HOME: join(this.directory, 'config'),
      ...environment,
    };
  }

  file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text);
    return path;
  }

  start(...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [bin, ...args], { cwd: this.directory, env: this.#environment });
  }

  async lockstep(...args: readonly string[]): Promise<Run> {
    return ended(this.start(...args));
  }

  /** With standard input. */
  async lockstepGiven(input: string, ...args: readonly string[]): Promise<Run> {
    const child = this.start(...args);
    child.stdin?.end(input);
    return ended(child);
  }

  /** The JSON on standard output of a command that must end well. */
  async json(...args: readonly string[]): Promise<unknown> {
    const run = await this.lockstep(...args, '--json');
    if (run.code !== 0)
      throw new Error(`lockstep ${args.join(' ')} ended with ${String(run.code)}: ${run.stderr}`);
    return JSON.parse(run.stdout);
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function ended(child: ChildProcess): Promise<Run> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

export interface Server {
  readonly url: string;
  readonly home: string;
  readonly caFile: string;
  /** Signs the first administrator in, once. */
  readonly signIn: string;
  /** With `keepHome` its state stays, for another `serve` on it. */
  stop(options?: { readonly keepHome?: boolean; readonly signal?: NodeJS.Signals }): Promise<number | null>;
}

/** `lockstep serve` as a process of its own, on a fresh home (or the one given) and a free port. */
export async function serve(
  options: { readonly home?: string; readonly ledger?: object; readonly connections?: object } = {},
): Promise<Server> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'lockstep-server-'));
  const toolchain = { path: [join(process.execPath, '..'), '/usr/bin', '/bin'] };
  const config = {
    listen: { port: 0 },
    log: { level: 'error' },
    local: { environments: { node: toolchain } },
    limits: { drainSeconds: 1 },
    ledger: options.ledger ?? {},
    connections: options.connections ?? {},
  };
  writeFileSync(join(home, 'config.json'), JSON.stringify(config));
  const child = new Terminal({ LOCKSTEP_HOME: home }).start('serve', '--init', '--link', '--json');
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const line = await new Promise<string>((resolve, reject) => {
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.includes('\n')) resolve(stdout);
    });
    void exited.then((code) => reject(new Error(`the server ended with ${String(code)}: ${stderr}`)));
  });
  const { url, signIn } = JSON.parse(line) as { url: string; signIn: string };
  return {
    url,
    home,
    signIn,
    caFile: join(home, 'tls', 'authority.pem'),
    async stop({ keepHome = false, signal = 'SIGTERM' } = {}) {
      child.kill(signal);
      const code = await exited;
      if (!keepHome) rmSync(home, { recursive: true, force: true });
      return code;
    },
  };
}
