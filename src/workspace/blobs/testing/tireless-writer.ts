// Run as a process of its own, to be killed: writes blobs without end and says of each when it is acknowledged.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { systemClock } from '../../../lib/clock.ts';
import type { TenantId } from '../../../lib/ids.ts';
import { createLog } from '../../../lib/log.ts';
import { systemAttribution, type Commit } from '../../../store/changes.ts';
import { openSqliteStore } from '../../../store/sqlite.ts';
import { openBlobStore } from '../blob-store.ts';

const [, , path = '', directory = ''] = process.argv;
const store = await openSqliteStore({ path });
const commit: Commit = async (_by, work) =>
  store.db.transaction().execute(async (tx) => work(tx, () => undefined));
const blobs = await openBlobStore({ store, commit, directory, clock: systemClock, log: createLog('silent') });
const by = systemAttribution('8f1a63f4-1111-4222-8333-444455556666' as TenantId, 'test');
const details = {
  contentHeaders: {
    contentType: null,
    contentEncoding: null,
    contentLanguage: null,
    contentDisposition: null,
    cacheControl: null,
  },
  metadata: [],
  precondition: () => undefined,
};

await Promise.all(['a', 'b', 'c'].map(write));

async function write(writer: string): Promise<never> {
  for (let i = 0; ; i++) {
    const at = { account: 'acct', container: 'data', name: `${writer}/${i % 7}`, scope: `/data/${writer}` };
    const { etag } = await (i % 3 === 0 ? inBlocks(at) : blobs.put(by, at, upload(), details));
    writeSync(1, `${at.name} ${etag}\n`);
  }
}

async function inBlocks(at: Parameters<typeof blobs.putBlock>[0]) {
  const choices = ['QQ==', 'Qg=='].map((id) => ({ from: 'latest' as const, id }));
  for (const { id } of choices) await blobs.putBlock(at, id, upload());
  return blobs.putBlockList(by, at, choices, null, details);
}

function upload() {
  return { stream: pieces(), bytes: null, md5: null };
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 4; i++) yield randomBytes(40_000);
}
