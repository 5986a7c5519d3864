import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSigner, generateNoteKey } from '../note.ts';
import { entries, MemoryLog } from '../testing/memory-log.ts';
import type { TileSource } from '../verify/tile-source.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { copyLog } from './copy-log.ts';
import { directorySource } from './directory-source.ts';
import { memorySource } from './memory-source.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'lockstep-copy-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const signer = createSigner(generateNoteKey('log.test/copied').signingKey);
const trust = [signer.verifierKey];

function logOf(size: number): MemoryLog {
  const log = new MemoryLog(signer);
  log.grow(entries(0, size));
  return log;
}

/** By path, what the copy holds. */
function held(): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (statSync(join(directory, path)).isFile())
      found.set(path, readFileSync(join(directory, path), 'base64'));
  }
  return found;
}

function watched(source: TileSource): { readonly source: TileSource; readonly asked: string[] } {
  const asked: string[] = [];
  const read = (path: string) => {
    asked.push(path);
    return source.read(path);
  };
  return { source: { read }, asked };
}

test('a copy verifies by itself, of a log that grows while it is copied too', async () => {
  const log = logOf(700);
  const growing = memorySource(log.files);
  const source: TileSource = {
    read: (path) => {
      const answer = growing.read(path);
      // From the first answer on, every one is of a larger log.
      log.grow(entries(log.files.size, log.files.size + 7));
      return answer;
    },
  };
  expect(await copyLog(source, directory, trust)).toMatchObject({ ok: true, size: 700 });
  expect(await verifyLog(directorySource(directory), trust)).toMatchObject({ ok: true, size: 700 });
});

test('a copy goes on from where it was, and asks for nothing that it holds', async () => {
  const log = logOf(5_000);
  await copyLog(memorySource(log.files), directory, trust);
  log.grow(entries(5_000, 5_300));
  const { source, asked } = watched(memorySource(log.files));
  expect(await copyLog(source, directory, trust)).toMatchObject({ ok: true, size: 5_300 });
  expect(asked.filter((path) => path.startsWith('tile/'))).toHaveLength(2 * 2 + 1);
  expect(await verifyLog(directorySource(directory), trust)).toMatchObject({ ok: true, size: 5_300 });
  const partials = [...held().keys()].filter((path) => path.includes('.p/'));
  expect(partials).toHaveLength(3);
});

test.each<[string, () => MemoryLog, string]>([
  [
    'is another log from an entry on that the copy holds in a full tile',
    () => forked(300, 900),
    'not that of the tile below',
  ],
  [
    'is another log from an entry on that the copy holds at its end',
    () => forked(690, 900),
    'does not contain the one of 700',
  ],
  ['has as many entries, but others', () => forked(690, 700), 'do not add up to the root'],
  ['is older', () => logOf(699), 'has shrunk'],
])('what %s is refused, and the copy stays as it was', async (_what, other, reason) => {
  await copyLog(memorySource(logOf(700).files), directory, trust);
  const before = held();
  const refused = await copyLog(memorySource(other().files), directory, trust);
  expect(refused).toMatchObject({ ok: false });
  const after = held();
  for (const [path, bytes] of before) expect([path, after.get(path)]).toEqual([path, bytes]);
  expect(await verifyLog(directorySource(directory), trust)).toMatchObject({ ok: true, size: 700 });
  expect(refused).toMatchObject({ reason: expect.stringContaining(reason) as string });
  // What was left behind misleads no later copy.
  const log = logOf(1_100);
  expect(await copyLog(memorySource(log.files), directory, trust)).toMatchObject({ ok: true, size: 1_100 });
});

function forked(from: number, size: number): MemoryLog {
  const log = new MemoryLog(signer);
  log.grow([...entries(0, from), ...entries(from + 5_000, size + 5_000)]);
  return log;
}

test('a damaged copy is told from a log that does not contain it', async () => {
  const log = logOf(700);
  await copyLog(memorySource(log.files), directory, trust);
  writeFileSync(join(directory, 'checkpoint'), 'nothing');
  expect(await copyLog(memorySource(log.files), directory, trust)).toMatchObject({
    ok: false,
    reason: expect.stringContaining('the copy that is there') as string,
  });
});
