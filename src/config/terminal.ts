import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { homeDirectory } from './load.ts';

/** What the terminal can show. */
export interface TerminalSettings {
  /** Colours on standard output. https://no-color.org */
  readonly colour: boolean;
  /** A person is there to answer a prompt. */
  readonly interactive: boolean;
  /** Standard error is a terminal: somebody may read what is said there, whatever becomes of the output. */
  readonly watched: boolean;
  /** Standard error can redraw a line. */
  readonly redraw: boolean;
  /** Width of standard output in columns; null when it is not a terminal. */
  readonly columns: number | null;
}

/** Where the command line finds its server, its trust and its credentials. */
export interface ClientSettings {
  /** $LOCKSTEP_URL, else null. */
  readonly server: string | null;
  /** $LOCKSTEP_CA, else null: a PEM file to trust besides the system's. */
  readonly caFile: string | null;
  /** $LOCKSTEP_HOME, default ./.lockstep: a server's own state, when it is on this machine. */
  readonly home: string;
  /** $LOCKSTEP_CONFIG_HOME, default ~/.config/lockstep. */
  readonly configHome: string;
}

interface Streams {
  readonly stdin: { readonly isTTY?: boolean };
  readonly stdout: { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: { readonly isTTY?: boolean };
}

export function terminalSettings(
  environment: NodeJS.ProcessEnv = process.env,
  streams: Streams = process,
): TerminalSettings {
  const dumb = environment['TERM'] === 'dumb';
  const tty = streams.stdout.isTTY === true;
  return {
    colour: tty && !dumb && !environment['NO_COLOR'],
    interactive: tty && streams.stdin.isTTY === true && !environment['CI'],
    watched: streams.stderr.isTTY === true,
    redraw: streams.stderr.isTTY === true && !dumb,
    columns: tty ? (streams.stdout.columns ?? 80) : null,
  };
}

export function clientSettings(environment: NodeJS.ProcessEnv = process.env): ClientSettings {
  const userConfig = environment['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  return {
    server: environment['LOCKSTEP_URL'] || null,
    caFile: environment['LOCKSTEP_CA'] || null,
    home: homeDirectory({ environment }),
    configHome: resolve(environment['LOCKSTEP_CONFIG_HOME'] || join(userConfig, 'lockstep')),
  };
}
