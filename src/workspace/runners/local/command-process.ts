import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { processStart, signalGroup } from './process-identity.ts';

/**
 * A shell that waits for one line on descriptor 3 before it becomes the command. So the command cannot run before it
 * is written down which process it is: if the writer dies first, the shell reads the end of the pipe and leaves.
 */
const gate = 'read -r go <&3 && [ "$go" = go ] || exit 125; exec 3<&-; exec /bin/sh -c "$1"';

export interface CommandProcess {
  readonly pid: number;
  readonly started: string;
  /** Lets the command run. */
  open(): void;
  /** Resolves when the first process of the command has ended. Its group may have survivors. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
  signal(signal: NodeJS.Signals): void;
}

/** Starts a shell command, held at its gate, in a process group of its own with exactly the environment given. */
export async function startCommand(options: {
  readonly command: string;
  readonly directory: string;
  readonly logFile: string;
  readonly variables: Readonly<Record<string, string>>;
}): Promise<CommandProcess> {
  const log = openSync(options.logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', gate, 'lockstep-job', options.command], {
      cwd: options.directory,
      env: { ...options.variables },
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
    });
  } finally {
    closeSync(log);
  }
  const ended = new Promise<{ exitCode: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (exitCode, signal) => {
      resolve({ exitCode, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid;
  const started = pid === undefined ? null : processStart(pid);
  if (pid === undefined || started === null) throw new Error('the command ended before it was let run');
  const line = child.stdio[3] as Writable;
  line.on('error', () => {
    // The shell left first; how it ended says why.
  });
  return {
    pid,
    started,
    ended,
    open: () => {
      line.end('go\n');
    },
    signal: (signal) => {
      signalGroup(pid, started, signal);
    },
  };
}
