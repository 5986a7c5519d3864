import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createJobDirectory, jobFiles, readStatus } from '../runners/local/job-directory.ts';
import { readLog } from './logs.ts';

let home: string;
let directory: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-logs-'));
  directory = join(home, 'jobs', 'one');
  mkdirSync(join(home, 'jobs'));
  createJobDirectory(directory, undefined);
  writeFileSync(join(home, 'seal.key'), 'what nobody may read');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function log(): Promise<string> {
  const { signal } = new AbortController();
  const read = { directory, file: jobFiles.log, offset: 0, follow: false, signal };
  return text(readLog({ ...read, hasEnded: async () => true }));
}

test('a log is read from its offset on', async () => {
  writeFileSync(join(directory, jobFiles.log), 'the log');
  expect(await log()).toBe('the log');
});

test('a link in the log’s place leads nowhere', async () => {
  rmSync(join(directory, jobFiles.log));
  symlinkSync('../../../seal.key', join(directory, jobFiles.log));
  expect(await log()).toBe('');
});

test('a pipe in the place of the log or of the status keeps nobody waiting', async () => {
  for (const file of [jobFiles.log, jobFiles.status]) {
    rmSync(join(directory, file), { force: true });
    execFileSync('mkfifo', [join(directory, file)]);
  }
  expect(await log()).toBe('');
  expect(readStatus(directory)).toBeNull();
});

test('a link or an endless file in the place of the status is none', () => {
  symlinkSync('/dev/zero', join(directory, jobFiles.status));
  expect(readStatus(directory)).toBeNull();
  rmSync(join(directory, jobFiles.status));
  writeFileSync(join(directory, jobFiles.status), ' '.repeat(1_000_000));
  expect(readStatus(directory)).toBeNull();
});
