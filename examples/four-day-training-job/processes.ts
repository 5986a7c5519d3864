import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..', '..');

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of this example, or the CLI, to its end. The environment is what is given, and nothing else but PATH. */
export async function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  onLine: (line: string) => void = () => undefined,
  cwd: string = repository,
): Promise<Finished> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  for await (const line of createInterface({ input: child.stdout })) {
    stdout += `${line}\n`;
    onLine(line);
  }
  const exitCode =
    child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('close', resolve)));
  return { exitCode, stdout, stderr };
}

/** `lockstep …`, as a person would call it. */
export function lockstep(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<Finished> {
  return run(join(repository, 'bin', 'lockstep.js'), args, environment, undefined, cwd);
}

export interface CiIssuer {
  readonly issuer: string;
  readonly runs: Readonly<Record<string, { readonly requestUrl: string; readonly requestToken: string }>>;
  stop(): void;
}

/** Starts the CI system's issuer; it ends with us, because its standard input does. */
export async function startCiIssuer(): Promise<CiIssuer> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'ci-issuer.ts')], {
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('the CI issuer has no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    const announced = JSON.parse(line) as Omit<CiIssuer, 'stop'>;
    return { ...announced, stop: () => child.stdin?.end() };
  }
  throw new Error('the CI issuer ended before it listened');
}
