import { CommanderError } from 'commander';
import { ConfigError } from '../config/problems.ts';
import { clientSettings, terminalSettings } from '../config/terminal.ts';
import { productVersion } from '../lib/version.ts';
import { CliError } from './cli-error.ts';
import { configFailure } from './config-failure.ts';
import type { CliContext } from './context.ts';
import { exitCodes, type Ending } from './exit-codes.ts';
import { plain, styleFor } from './output/style.ts';
import { createProgram } from './program.ts';

/** Runs one command line and resolves with its exit code; never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  // A second Ctrl-C ends the process at once.
  const onInterrupt = () => {
    interrupted.abort();
    process.removeListener('SIGINT', onInterrupt);
  };
  process.on('SIGINT', onInterrupt);
  process.stdout.on('error', quietWhenPipeCloses);
  const context: CliContext = {
    terminal: terminalSettings(),
    settings: clientSettings(),
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    signal: interrupted.signal,
    version: productVersion,
    ending: 'ok',
    atEnd: [],
  };
  const json = argv.includes('--json');
  try {
    const program = await createProgram(context, argv, json);
    await program.parseAsync(argv, { from: 'user' });
    return exitCodes[context.ending].code;
  } catch (error) {
    return exitCodes[report(error, context, json)].code;
  } finally {
    for (const work of context.atEnd) await work();
    process.removeListener('SIGINT', onInterrupt);
  }
}

/** `lockstep … | head` closes our output early; that is no failure. */
function quietWhenPipeCloses(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

function report(error: unknown, context: CliContext, json: boolean): Ending {
  // Commander has printed the help that was asked for or, except under --json, its own message.
  if (error instanceof CommanderError && (error.exitCode === 0 || !json))
    return error.exitCode === 0 ? 'ok' : 'usage';
  const failure = asCliError(error);
  if (json) {
    const { ending, message, hint, code, decisionId } = failure;
    const shown = { code: code ?? ending, message, exitCode: exitCodes[ending].code, hint, decisionId };
    context.stderr.write(JSON.stringify({ error: shown }) + '\n');
    return ending;
  }
  const style = styleFor(context.terminal.colour);
  const head = failure.ending === 'denied' ? 'denied' : 'error';
  const lines = [`${style.bad(head)}  ${plain(failure.message)}`];
  const rows = [...failure.facts, ...(failure.hint === null ? [] : [['next', failure.hint] as const])];
  const width = Math.max(...rows.map(([name]) => name.length), 6);
  for (const [name, value] of rows) lines.push(`  ${style.dim(name.padEnd(width))}  ${plain(value)}`);
  context.stderr.write(lines.join('\n') + '\n');
  return failure.ending;
}

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) {
    const incomplete = error.code === 'commander.help';
    const message = incomplete ? 'The command is not complete.' : error.message.replace(/^error: /, '');
    return new CliError('usage', message, { hint: 'Run with --help to see the usage.', cause: error });
  }
  if (error instanceof ConfigError) return configFailure(error);
  const message = error instanceof Error ? error.message : String(error);
  return new CliError('failure', message, { cause: error });
}
