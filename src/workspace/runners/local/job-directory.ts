import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { z } from 'zod';

/** Where the parts of a job's directory are. */
export const jobFiles = {
  /** The job's code, and the directory in which its command runs. */
  code: 'code',
  inputs: 'inputs',
  temporary: 'tmp',
  log: 'user_logs/std_log.txt',
  /** What the shim itself has to say. */
  shimLog: 'shim.log',
  /** Written when the shim has taken the job over. */
  accepted: 'accepted.json',
  /** Written before the command may run: which process it is. */
  process: 'process.json',
  /** Written once, when the job has ended. */
  status: 'status.json',
} as const;

/** Creates the directory of a job (mode 0700) with what is in it before the job starts. */
export function createJobDirectory(directory: string, nodeModules: string | undefined): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const folder of [jobFiles.code, jobFiles.inputs, jobFiles.temporary, dirname(jobFiles.log)]) {
    mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  }
  closeSync(openSync(join(directory, jobFiles.log), 'a', 0o600));
  if (nodeModules === undefined) return;
  try {
    symlinkSync(nodeModules, join(directory, 'node_modules'), 'dir');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The file or its absence after a crash, never a part of it: written aside, synced, renamed. */
export function writeWhole(file: string, value: unknown): void {
  writeFileAtomically(file, JSON.stringify(value));
}

export function writeFileAtomically(file: string, content: string): void {
  const aside = `${file}.new`;
  const descriptor = openSync(aside, 'w', 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(aside, file);
}

/** A path inside a directory. Throws a RangeError for one that leads out of it. */
export function inside(directory: string, path: string): string {
  const file = resolve(directory, path);
  if (!file.startsWith(directory + sep))
    throw new RangeError(`the path leads out of the job's directory: ${path}`);
  return file;
}

/**
 * A job can put anything where its files are. Nothing is followed out of its directory, and nothing is waited for, as a
 * pipe in a file's place would have it.
 */
export const regularFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const largestStateBytes = 65_536;

const processSchema = z.object({ pid: z.int().positive(), started: z.string(), startedAt: z.number() });
const statusSchema = z.object({
  ending: z.enum(['exited', 'canceled', 'timeout', 'not-started']),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  message: z.string().nullable(),
  startedAt: z.number().nullable(),
  endedAt: z.number(),
});

export type ProcessFile = z.infer<typeof processSchema>;

export function readProcess(directory: string): ProcessFile | null {
  return read(join(directory, jobFiles.process), processSchema);
}

export function readStatus(directory: string): z.infer<typeof statusSchema> | null {
  return read(join(directory, jobFiles.status), statusSchema);
}

export function wasAccepted(directory: string): boolean {
  return read(join(directory, jobFiles.accepted), z.unknown()) !== null;
}

/** Null when the file is not there, or the job has written something else in its place. */
function read<T>(file: string, schema: z.ZodType<T>): T | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, regularFile);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') return null;
    throw error;
  }
  try {
    const about = fstatSync(descriptor);
    if (!about.isFile() || about.size > largestStateBytes) return null;
    return schema.parse(JSON.parse(readFileSync(descriptor, 'utf8')));
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}
