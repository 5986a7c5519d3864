import type { Readable, Writable } from 'node:stream';
import type { ClientSettings, TerminalSettings } from '../config/terminal.ts';
import type { Ending } from './exit-codes.ts';

/** What a command may touch of the world around it. */
export interface CliContext {
  readonly terminal: TerminalSettings;
  readonly settings: ClientSettings;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** How a command that throws nothing ends: `ok`, unless it says otherwise (`check`, `job stream`). */
  ending: Ending;
  /** Run once the command has ended, however it did. */
  readonly atEnd: (() => Promise<void>)[];
}
