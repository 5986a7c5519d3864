import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { regularFile } from '../runners/local/job-directory.ts';

/** The files of a job that may be read from outside, by the names that Azure Machine Learning gives them. */
export const logFiles: readonly string[] = ['user_logs/std_log.txt'];

export interface LogRead {
  readonly directory: string;
  /** One of `logFiles`. */
  readonly file: string;
  /** Byte to begin at. */
  readonly offset: number;
  /** Whether to wait for what is written until the job has ended. */
  readonly follow: boolean;
  hasEnded(): Promise<boolean>;
  readonly signal: AbortSignal;
}

const chunkBytes = 65_536;
const waitMilliseconds = 150;

/** The bytes of a log as they come; none where the job has put something else than a file. Throws a RangeError for a file that is not one of `logFiles`. */
export function readLog(read: LogRead): Readable {
  if (!logFiles.includes(read.file)) throw new RangeError(`not a log file: ${read.file}`);
  return Readable.from(chunks(read), { objectMode: false });
}

async function* chunks(read: LogRead): AsyncGenerator<Buffer> {
  let position = read.offset;
  for (;;) {
    // Asked before reading: what was written before the end is then read after it.
    const ended = !read.follow || (await read.hasEnded());
    for await (const chunk of written(join(read.directory, read.file), position)) {
      position += chunk.length;
      yield chunk;
    }
    if (ended) return;
    try {
      await pause(waitMilliseconds, undefined, { signal: read.signal });
    } catch {
      return;
    }
  }
}

async function* written(file: string, from: number): AsyncGenerator<Buffer> {
  let handle;
  try {
    handle = await open(file, regularFile);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') return;
    throw error;
  }
  try {
    if (!(await handle.stat()).isFile()) return;
    let position = from;
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
