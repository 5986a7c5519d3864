import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHome } from './home-lock.ts';

let home: string;
let holder: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-lock-'));
  holder = join(home, 'holder.json');
});
afterEach(() => rmSync(home, { recursive: true }));

test('a home that is held is refused, naming the process that holds it and, once it serves, where', () => {
  const lock = lockHome(home);
  expect(() => lockHome(home)).toThrow(`running on ${home} (process ${process.pid}): stop it first`);
  lock.serves('https://lockstep.example');
  expect(() => lockHome(home)).toThrow(`(process ${process.pid}, which serves https://lockstep.example)`);
  expect(statSync(holder).mode & 0o777).toBe(0o600);
  lock.release();
  expect(existsSync(holder)).toBe(false);
  lockHome(home).release();
});

test('what a process that died has left behind is neither believed nor in the way', () => {
  writeFileSync(holder, JSON.stringify({ pid: 1, url: 'https://gone.example' }));
  const lock = lockHome(home);
  expect(() => lockHome(home)).toThrow(`(process ${process.pid})`);
  writeFileSync(holder, 'damaged');
  expect(() => lockHome(home)).toThrow(`running on ${home}: stop it first`);
  lock.release();
});
