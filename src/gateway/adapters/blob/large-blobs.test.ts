import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { accountScopes, startBlobServer, type BlobServer } from './testing/blob-server.ts';

const size = 300 * 1024 * 1024;
const piece = randomBytes(1024 * 1024);
/**
 * Client and server share this process; what they hold must not grow with the blob. What has been let go and is not collected
 * yet counts too: some 70 MiB, and more on a processor that others use. Whoever held the blob would hold all of it.
 */
const mostGrowth = size / 2;

let server: BlobServer;
let token: string;

beforeAll(async () => {
  server = await startBlobServer();
  const person = server.person('owner');
  token = person.token;
  server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
  await server.client(token).getContainerClient('large').create();
});

afterAll(async () => {
  await server.close();
});

function* pieces(): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += piece.length) yield piece;
}

/** Runs `work` and gives by how many bytes the buffers and the heap grew at most. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const held = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = held();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, held());
  }, 10);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return most - before;
}

const digest = () => {
  const hash = createHash('sha256');
  for (const part of pieces()) hash.update(part);
  return hash.digest('hex');
};

it('300 MB in one put go up and come down in flat memory', async () => {
  const blob = server.client(token).getContainerClient('large').getBlockBlobClient('one');
  const up = await growthDuring(async () => {
    await blob.upload(() => Readable.from(pieces()), size);
  });
  const hash = createHash('sha256');
  const down = await growthDuring(async () => {
    const { readableStreamBody } = await blob.download();
    for await (const chunk of readableStreamBody as Readable) hash.update(chunk as Buffer);
  });
  expect(hash.digest('hex')).toBe(digest());
  expect(up).toBeLessThan(mostGrowth);
  expect(down).toBeLessThan(mostGrowth);
}, 120_000);

it('300 MB in blocks are assembled in flat memory', async () => {
  const blob = server.client(token).getContainerClient('large').getBlockBlobClient('blocks');
  const blockSize = 8 * 1024 * 1024;
  const ids: string[] = [];
  for (let sent = 0; sent < size; sent += blockSize) {
    const id = Buffer.from(String(sent).padStart(12, '0')).toString('base64');
    const bytes = Math.min(blockSize, size - sent);
    const parts = Array.from({ length: bytes / piece.length }, () => piece);
    await blob.stageBlock(id, () => Readable.from(parts), bytes);
    ids.push(id);
  }
  const growth = await growthDuring(async () => {
    await blob.commitBlockList(ids);
  });
  expect(growth).toBeLessThan(mostGrowth);
  expect(server.scratch.changes.at(-1)).toMatchObject({
    kind: 'blob.written',
    bytes: size,
    sha256: digest(),
  });
}, 120_000);
