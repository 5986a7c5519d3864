import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const inMemory = '/dev/shm';
/** What a run of all tests has at most at one time, many times over. */
const neededBytes = 2 ** 31;
const name = /^lockstep-tests-(\d+)-/;
const abandonedMilliseconds = 3_600_000;

/**
 * Gives a run of tests one temporary directory, which goes with its end: what a test leaves behind, or a test that was
 * killed, stays nowhere. It is in memory where there is room, as no test can tell a disk by what a flush to it takes;
 * TMPDIR, when it is set, says otherwise.
 */
export default function setUp(): () => void {
  const parent = process.env['TMPDIR'] === undefined && isOfUse(inMemory) ? inMemory : tmpdir();
  sweep(parent);
  const directory = mkdtempSync(join(parent, `lockstep-tests-${process.pid}-`));
  process.env['TMPDIR'] = directory;
  // Interrupted, a run does not tear down what was set up.
  process.once('exit', () => remove(directory));
  return () => remove(directory);
}

/** There, with room, and programs may be run from it: in many containers one of the three is not so. */
function isOfUse(parent: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(parent);
    if (bavail * bsize < neededBytes) return false;
    const directory = mkdtempSync(join(parent, `lockstep-tests-${process.pid}-`));
    const program = join(directory, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 });
    const { status } = spawnSync(program);
    remove(directory);
    return status === 0;
  } catch {
    return false;
  }
}

/** What a run has left that was ended by force, long ago. */
function sweep(parent: string): void {
  for (const entry of readdirSync(parent)) {
    const [, pid] = name.exec(entry) ?? [];
    const path = join(parent, entry);
    if (pid === undefined || isRunning(Number(pid))) continue;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.uid !== process.getuid?.()) continue;
    if (Date.now() - stat.mtimeMs > abandonedMilliseconds) remove(path);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Processes that were ended a moment ago may still be writing. */
function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
