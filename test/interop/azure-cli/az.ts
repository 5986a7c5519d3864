import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';

export interface AzAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One person's `az`: a configuration directory of its own, and nothing of this machine's. */
export class Az {
  readonly #program: string;
  readonly #home: string;
  readonly #environment: Readonly<Record<string, string>>;

  /**
   * `home` takes the configuration. What would leave this machine is sent to a port where nobody listens, so that a
   * command succeeds only if it needs no other host than Lockstep's.
   */
  constructor(venv: string, home: string, certificateAuthority: string) {
    this.#program = join(venv, 'bin', 'az');
    this.#home = home;
    this.#environment = {
      PATH: `${join(venv, 'bin')}:/usr/bin:/bin`,
      HOME: home,
      REQUESTS_CA_BUNDLE: certificateAuthority,
      HTTPS_PROXY: 'http://127.0.0.1:9',
      HTTP_PROXY: 'http://127.0.0.1:9',
      NO_PROXY: 'localhost,127.0.0.1',
      AZURE_CONFIG_DIR: join(home, 'azure'),
      AZURE_CORE_INSTANCE_DISCOVERY: 'false',
      AZURE_CORE_COLLECT_TELEMETRY: 'no',
      AZURE_CORE_NO_COLOR: 'yes',
      AZURE_CORE_DISABLE_CONFIRM_PROMPT: 'yes',
      AZURE_OUTPUT_SHOW_SURVEY_LINK: 'no',
      AZURE_AUTO_UPGRADE_ENABLE: 'no',
    };
  }

  /** The same cloud for somebody else, without a sign-in. */
  forAnother(venv: string, home: string, certificateAuthority: string): Az {
    cpSync(join(this.#home, 'azure'), join(home, 'azure'), { recursive: true });
    return new Az(venv, home, certificateAuthority);
  }

  run(...args: readonly string[]): Promise<AzAnswer> {
    return new Promise((resolve, reject) => {
      const options = { env: this.#environment, cwd: this.#home, timeout: 180_000, maxBuffer: 16 * 2 ** 20 };
      execFile(this.#program, [...args, '--output', 'json'], options, (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }

  /** What the command prints, parsed; null for nothing. Throws what it complains of. */
  async ask(...args: readonly string[]): Promise<unknown> {
    const { exitCode, stdout, stderr } = await this.run(...args);
    if (exitCode !== 0) throw new Error(`az ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
    return stdout.trim() === '' ? null : (JSON.parse(stdout) as unknown);
  }

  /** What the command complains of. Throws where it succeeds, or fails without a word to a person. */
  async refusal(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...args);
    if (exitCode === 0) throw new Error(`az ${args.join(' ')} was not refused, and printed ${stdout}`);
    if (/Traceback|unexpected error/.test(stderr)) throw new Error(`az ${args.join(' ')} broke: ${stderr}`);
    return stderr;
  }
}
