import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { run } from './go-program.ts';

/** torchwood's witness, a process with its key in an ssh-agent. */
export class Litewitness {
  readonly url: string;
  readonly verifierKey: string;
  readonly #home: string;
  readonly #children: readonly ChildProcess[];

  private constructor(url: string, verifierKey: string, home: string, children: readonly ChildProcess[]) {
    this.url = url;
    this.verifierKey = verifierKey;
    this.#home = home;
    this.#children = children;
  }

  static async start(program: string, origin: string, logKey: string): Promise<Litewitness> {
    const home = mkdtempSync(join(tmpdir(), 'lockstep-litewitness-'));
    const socket = join(home, 'agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    const key = join(home, 'key');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    for (let tries = 0; ; tries++) {
      try {
        await run('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        break;
      } catch (error) {
        if (tries === 50) throw error;
        await wait(100);
      }
    }
    const fingerprint = (await run('ssh-keygen', ['-lf', `${key}.pub`])).stdout.split(' ')[1] ?? '';
    const port = await freePort();
    const database = join(home, 'litewitness.db');
    const args = ['-name', 'witness.test/lite', '-key', fingerprint, '-ssh-agent', socket, '-db', database];
    const child = spawn(program, [...args, '-listen', `127.0.0.1:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const verifierKey = await new Promise<string>((resolve, reject) => {
      child.once('close', (code) => reject(new Error(`litewitness ended with ${String(code)}`)));
      createInterface({ input: child.stderr }).on('line', (line) => {
        const found = /vkey=(\S+)/.exec(line)?.[1];
        if (found !== undefined) resolve(found.replaceAll('"', ''));
      });
    });
    // What its companion witnessctl does: that needs a module which could not be had.
    const rows = new DatabaseSync(database);
    rows
      .prepare('insert into log (origin, tree_size, tree_hash) values (?, 0, ?)')
      .run(origin, emptyTreeHash);
    rows.prepare('insert into key (origin, key) values (?, ?)').run(origin, logKey);
    rows.close();
    return new Litewitness(`http://127.0.0.1:${port}`, verifierKey, home, [child, agent]);
  }

  /** As `witnessctl add-key` does: another key of a log that it watches. */
  alsoKnow(origin: string, logKey: string): void {
    const rows = new DatabaseSync(join(this.#home, 'litewitness.db'), { timeout: 5_000 });
    rows.prepare('insert into key (origin, key) values (?, ?)').run(origin, logKey);
    rows.close();
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#home, { recursive: true, force: true });
  }
}

const emptyTreeHash = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => {
    probe.listen(0, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
