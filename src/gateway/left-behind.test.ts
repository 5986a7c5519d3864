import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { LeftBehind } from './testing/left-behind.ts';

const run = promisify(execFile);

test('a request leaves next to nothing behind that outlives a short collection of memory', async () => {
  const program = join(import.meta.dirname, 'testing', 'left-behind.ts');
  const { stdout } = await run(process.execPath, [program]);
  const { servedHere, passedOn } = JSON.parse(stdout) as LeftBehind;
  // 6,580 bytes of each when one object of a request was written with an accessor in it.
  expect(servedHere).toBeLessThan(500);
  expect(passedOn).toBeLessThan(500);
});
