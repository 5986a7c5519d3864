import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const linesOf = (text: string) => text.replace(/\n$/, '').split('\n');
const printed = linesOf(readFileSync(join(root, 'docs', 'npm-start.txt'), 'utf8'));
const [, transcript = ''] =
  /^```text\n(.*?)^```$/ms.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [];

/** The lines beneath that of an event, which say where, why and under which number. */
const belongsToOneBefore = (line: string) => line.startsWith(' '.repeat(12));

test('the README shows what npm start prints: its lines in their order, and of each event all or nothing', () => {
  let at = 0;
  let leftOut = false;
  for (const line of linesOf(transcript)) {
    if (line.trim() === '…') {
      leftOut = true;
      continue;
    }
    const isIt = (one: string) => one === line || (line.endsWith('…') && one.startsWith(line.slice(0, -1)));
    const found = printed.findIndex((one, i) => i >= at && isIt(one));
    expect(found, `printed: ${line}`).toBeGreaterThanOrEqual(0);
    const missing = printed.slice(at, found);
    expect(missing.length === 0 || leftOut, `left out before, and not said: ${line}`).toBe(true);
    // What stands before and behind a gap is whole.
    if (missing.length > 0) {
      expect(belongsToOneBefore(missing[0] ?? ''), `cut behind its first line: ${printed[at - 1]}`).toBe(
        false,
      );
      expect(belongsToOneBefore(line), `cut off from its event: ${line}`).toBe(false);
    }
    at = found + 1;
    leftOut = false;
  }
  expect(printed.slice(at)).toEqual([]);
});
