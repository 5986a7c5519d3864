import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readProcess } from '../../../src/workspace/runners/local/job-directory.ts';
import {
  isAlive,
  signalGroup,
  signalProcess,
} from '../../../src/workspace/runners/local/process-identity.ts';

export interface JobRow {
  readonly name: string;
  readonly status: string;
  readonly directory: string;
  readonly pid: number | null;
  readonly process_started: string | null;
  readonly exit_code: number | null;
  readonly error_json: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
}

export const terminal: readonly string[] = ['Completed', 'Failed', 'Canceled'];

export function jobRows(home: string): JobRow[] {
  const db = new DatabaseSync(join(home, 'lockstep.sqlite'), { readOnly: true });
  try {
    const made = db.prepare(`select name from sqlite_master where name = 'jobs'`).get() !== undefined;
    return made ? (db.prepare('select * from jobs').all() as unknown as JobRow[]) : [];
  } finally {
    db.close();
  }
}

/** Whether the process beside the job lives. */
export function hasShim(job: JobRow): boolean {
  return job.pid !== null && isAlive(job.pid, job.process_started);
}

/** `kill -9` of the process beside the job, which leaves the command alone. */
export function killShim(job: JobRow): boolean {
  return job.pid !== null && signalProcess(job.pid, job.process_started, 'SIGKILL');
}

/** Live processes beneath the home's jobs, `job name: pid command`, however they came to be there. Linux only. */
export function processesByJob(home: string): Map<string, { pid: number; command: string }[]> {
  const found = new Map<string, { pid: number; command: string }[]>();
  if (process.platform !== 'linux') return found;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const inside = relative(
        join(home, 'jobs'),
        readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, ''),
      );
      if (inside.startsWith('..') || inside === '') continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const job = inside.split('/')[0] ?? '';
      found.set(job, [...(found.get(job) ?? []), { pid: Number(pid), command }]);
    } catch {
      // It ended while it was looked at, or belongs to somebody else.
    }
  }
  return found;
}

/** Ends every process of every job of this home, each by what identifies it. */
export function killAllJobs(home: string): void {
  for (const job of existsSync(join(home, 'lockstep.sqlite')) ? jobRows(home) : []) {
    killShim(job);
    const command = readProcess(job.directory);
    if (command !== null) signalGroup(command.pid, command.started, 'SIGKILL');
  }
  for (const { pid } of [...processesByJob(home).values()].flat()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}
