import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { CliError } from '../cli-error.ts';

const account = z.object({
  /** How access tokens are had: a person's refresh token, or an application's proof read from a file each time. */
  kind: z.enum(['person', 'federated-token', 'secret']),
  clientId: z.string(),
  issuer: z.string(),
  principal: z.object({ id: z.string(), name: z.string() }),
  refreshToken: z.string().nullable(),
  proofFile: z.string().nullable(),
  caFile: z.string().nullable(),
  /** Access tokens by resource. */
  tokens: z.record(z.string(), z.object({ accessToken: z.string(), expiresAt: z.number() })),
});

const credentials = z.object({
  version: z.literal(1),
  /** Address of the server that commands talk to by default. */
  current: z.string().nullable(),
  servers: z.record(z.string(), account),
});

export type Account = z.infer<typeof account>;
export type Credentials = z.infer<typeof credentials>;

const none: Credentials = { version: 1, current: null, servers: {} };

/** The credentials file of one person: mode 0600, replaced whole, changed under a lock. */
export class CredentialsFile {
  readonly path: string;
  readonly #directory: string;

  constructor(configHome: string) {
    this.#directory = configHome;
    this.path = join(configHome, 'credentials.json');
  }

  /** Throws when others than the owner can read it: what leaked is not to be used on. */
  async read(): Promise<Credentials> {
    let text: string;
    try {
      const { mode } = await stat(this.path);
      if ((mode & 0o077) !== 0) {
        throw new CliError(
          'failure',
          `${this.path} can be read by others (mode ${(mode & 0o777).toString(8)}).`,
          {
            hint: `Its tokens may be known: run \`rm ${this.path}\` and \`lockstep login\` again.`,
          },
        );
      }
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
      throw error;
    }
    try {
      return credentials.parse(JSON.parse(text));
    } catch (cause) {
      throw new CliError('failure', `${this.path} is damaged.`, {
        hint: `Run \`rm ${this.path}\` and \`lockstep login\` again.`,
        cause,
      });
    }
  }

  /**
   * Reads, changes and replaces the file while no other command does: a refresh token that rotates must not be spent
   * twice.
   */
  async change<T>(work: (present: Credentials) => Promise<{ next: Credentials; result: T }>): Promise<T> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const lock = join(this.#directory, 'credentials.lock');
    await acquire(lock);
    try {
      const { next, result } = await work(await this.read());
      await this.#replace(next);
      return result;
    } finally {
      await rm(lock, { force: true });
    }
  }

  async #replace(next: Credentials): Promise<void> {
    const fresh = `${this.path}.${process.pid}`;
    const file = await open(fresh, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify(next, null, 2) + '\n');
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(fresh, 0o600);
    await rename(fresh, this.path);
  }
}

/** A lock older than this was left by a command that died. */
const staleMilliseconds = 30_000;

async function acquire(lock: string): Promise<void> {
  const deadline = Date.now() + staleMilliseconds + 5000;
  for (;;) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const held = await stat(lock).catch(() => null);
      if (held && Date.now() - held.mtimeMs > staleMilliseconds) await rm(lock, { force: true });
      if (Date.now() > deadline)
        throw new CliError('failure', `${lock} is held by another command.`, { cause: error });
      await wait(50);
    }
  }
}
