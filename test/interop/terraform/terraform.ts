import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The program that reads Terraform's files here, or null. */
export async function terraformProgram(): Promise<string | null> {
  for (const program of ['terraform', 'tofu']) {
    const found = await new Promise<boolean>((resolve) => {
      execFile(program, ['version'], { env: environmentOf('/') }, (error) => resolve(error === null));
    });
    if (found) return program;
  }
  return null;
}

export interface TerraformAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One configuration with its state, in a directory of its own; no registry is asked for anything. */
export class Terraform {
  readonly #program: string;
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(
    program: string,
    directory: string,
    mirror: string,
    variables: Readonly<Record<string, string>>,
  ) {
    this.#program = program;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    const settings = join(directory, 'terraform.rc');
    writeFileSync(
      settings,
      `disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`,
    );
    this.#environment = { ...environmentOf(directory), TF_CLI_CONFIG_FILE: settings, ...variables };
  }

  write(configuration: string): void {
    writeFileSync(join(this.#directory, 'main.tf'), configuration);
  }

  run(...args: readonly string[]): Promise<TerraformAnswer> {
    return new Promise((resolve, reject) => {
      const options = {
        cwd: this.#directory,
        env: this.#environment,
        timeout: 1_800_000,
        maxBuffer: 16 * 2 ** 20,
      };
      execFile(this.#program, [...args], options, (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }

  /** What it prints. Throws what it complains of. */
  async ask(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...args);
    if (exitCode !== 0)
      throw new Error(`terraform ${args.join(' ')} ended with ${exitCode}: ${stderr}${stdout}`);
    return stdout;
  }

  /** What it complains of, in one line. Throws where it succeeds. */
  async refusal(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(...args);
    if (exitCode === 0) throw new Error(`terraform ${args.join(' ')} was not refused: ${stdout}`);
    return stderr.replaceAll(/[\s│]+/g, ' ');
  }
}

/** Whatever would leave this machine is sent to a port where nobody listens. */
function environmentOf(home: string): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    HTTPS_PROXY: 'http://127.0.0.1:9',
    HTTP_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: 'localhost,127.0.0.1',
    CHECKPOINT_DISABLE: '1',
    TF_IN_AUTOMATION: '1',
    TF_INPUT: '0',
    TF_CLI_ARGS: '-no-color',
  };
}
