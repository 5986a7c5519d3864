import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const announcement = z.object({
  url: z.string(),
  certificateAuthorityFile: z.string(),
  verifierKey: z.string(),
  tenantId: z.string(),
  workspace: z.object({ subscriptionId: z.string(), resourceGroup: z.string(), name: z.string() }),
  storageAccount: z.string(),
  /** Of the time until now, what it has waited for a processor. */
  heldUpMilliseconds: z.number(),
  adminLink: z.string().nullable(),
});
export type Announcement = z.output<typeof announcement>;

/** A gateway that is started and killed again and again, always on the same home and port. */
export class GatewayProcess {
  readonly home: string;
  readonly port: number;
  /** What it wrote to standard error, one line each. */
  readonly complaints: string[] = [];
  #child: ChildProcess | null = null;
  #ready: Promise<Announcement> | null = null;

  readonly #compiled: string;

  /** `compiled` is a directory for compiled code, which makes every start but the first one fast. */
  constructor(home: string, port: number, compiled: string) {
    this.home = home;
    this.port = port;
    this.#compiled = compiled;
  }

  /** Starts it without waiting. */
  spawn(...more: readonly string[]): void {
    const program = join(import.meta.dirname, 'gateway.ts');
    const child = spawn(process.execPath, [program, this.home, String(this.port), ...more], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: this.#compiled },
    });
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stderr }).on('line', (line) => this.complaints.push(line));
    this.#child = child;
    this.#ready = new Promise<Announcement>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', (line) => {
        resolve(announcement.parse(JSON.parse(line)));
      });
      child.once('close', (code, signal) => {
        reject(new Error(`the gateway ended (${code ?? signal}): ${this.complaints.slice(-5).join('\n')}`));
      });
    });
    this.#ready.catch(() => undefined);
  }

  async ready(): Promise<Announcement> {
    if (this.#ready === null) throw new Error('the gateway was not started');
    return this.#ready;
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Drains it; resolves with its exit code. */
  async drain(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  }
}

/** A free port beneath the range from which the system gives ports to connections, so that none takes it meanwhile. */
export async function fixedPort(candidate: () => number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = candidate();
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
  throw new Error('no port is free');
}
