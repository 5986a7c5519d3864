import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { openLaboratory, type Laboratory } from './grpc-python/laboratory.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

const lineSchema = z.union([
  z.object({ check: z.string(), ok: z.boolean(), error: z.string().default('') }),
  z.object({ do: z.string() }),
]);
/** What the programs check, so that none falls silent: each call's parts on both connections, and people. */
const all = 2 * 24 + 7;

/** The unmodified client of grpcio, in Python, and its server, with Lockstep between. */
export const suite: InteropSuite = {
  name: 'grpc-python (grpcio, client and server)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'grpc-python', (text) => context.log(text));
    if (venv === null) return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: no Python with grpcio'] };
    const notes: string[] = [];
    let passed = 0;
    const expectThat = (what: string, holds: boolean, shown: string): void => {
      context.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
      if (holds) passed += 1;
      else notes.push(`failed: ${what}: ${shown}`);
    };
    const laboratory = await openLaboratory(venv);
    try {
      for (const [program, ...args] of [['calls.py', 'clear'], ['calls.py', 'tls'], ['people.py']]) {
        await runPython({ venv, program: program ?? '', args }, laboratory, expectThat);
      }
      expectThat(
        'nothing was left out',
        passed + notes.length === all,
        `${passed + notes.length} were checked`,
      );
      const events = await laboratory.events();
      const logged = laboratory.tokens.filter((token) => events.includes(token));
      expectThat('no token is in the log', logged.length === 0, `${logged.length} are`);
    } finally {
      await laboratory.close();
    }
    return { passed, failed: notes.length, skipped: 0, notes };
  },
};

interface Program {
  readonly venv: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** A line of its output is a check, or something to be done, which is acknowledged in the same words. */
async function runPython(
  { venv, program, args }: Program,
  { variables, changes }: Laboratory,
  expectThat: (what: string, holds: boolean, shown: string) => void,
): Promise<void> {
  const path = join(import.meta.dirname, 'grpc-python', program);
  const child = spawn(join(venv, 'bin', 'python'), [path, ...args], {
    env: {
      PATH: '/usr/bin:/bin',
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONPATH: import.meta.dirname,
      ...variables,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-20_000)));
  for await (const text of createInterface({ input: child.stdout })) {
    const said = lineSchema.parse(JSON.parse(text));
    if ('check' in said) expectThat(said.check, said.ok, said.error);
    else {
      const change = changes[said.do];
      if (change === undefined) throw new Error(`${program} asks for what cannot be done: ${said.do}`);
      await change();
      child.stdin.write(`${said.do}\n`);
    }
  }
  await exited;
  const code = child.exitCode;
  if (code !== 0) expectThat(`${program} runs to its end`, false, errors.slice(-3000));
}
