import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution } from '../../store/changes.ts';
import { scratchStore } from './testing/scratch-store.ts';

const by = systemAttribution('8f1a63f4-1111-4222-8333-444455556666' as TenantId, 'test');
const container = { account: 'acct', container: 'data', scope: '/data' };

it('a process killed at any instant loses nothing that it acknowledged and leaves nothing behind', async () => {
  const scratch = await scratchStore();
  await scratch.blobs.createContainer(by, container, []);
  for (let round = 0; round < 5; round++) {
    const acknowledged = await writeUntilKilled(scratch.directory, 4 + round * 5);
    const blobs = await scratch.reopen();
    const rows = await scratch.store.db.selectFrom('blobs').selectAll().execute();
    const blocks = await scratch.store.db.selectFrom('blob_blocks').select('file').execute();
    const files = readdirSync(scratch.directory).flatMap((shard) =>
      readdirSync(join(scratch.directory, shard)),
    );
    expect(files.sort()).toStrictEqual([...rows, ...blocks].map(({ file }) => file).sort());
    for (const row of rows) {
      const blob = await blobs.open({ ...container, name: row.name });
      const hash = createHash('sha256');
      for await (const chunk of blob.read(0, row.size - 1)) hash.update(chunk as Buffer);
      expect(hash.digest('hex')).toBe(row.sha256);
    }
    // A write may have been committed and its acknowledgement lost, but then a later one of that writer stands there.
    const names = rows.map(({ name }) => name);
    for (const name of acknowledged.keys()) expect(names).toContain(name);
    const standing = new Set(rows.map(({ etag }) => etag));
    const overwritten = [...acknowledged.values()].filter((etag) => !standing.has(etag));
    expect(overwritten.length).toBeLessThanOrEqual(3);
  }
  await scratch.close();
}, 120_000);

/** The last acknowledged entity tag of each name. */
async function writeUntilKilled(directory: string, lines: number): Promise<ReadonlyMap<string, string>> {
  const writer = spawn(
    process.execPath,
    [
      join(import.meta.dirname, 'testing', 'tireless-writer.ts'),
      join(directory, '..', 'lockstep.db'),
      directory,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gone = once(writer, 'exit');
  const acknowledged = new Map<string, string>();
  let seen = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    const [name = '', etag = ''] = line.split(' ');
    acknowledged.set(name, etag);
    seen += 1;
    if (seen === lines) writer.kill('SIGKILL');
  }
  await gone;
  expect(seen).toBeGreaterThanOrEqual(lines);
  return acknowledged;
}
