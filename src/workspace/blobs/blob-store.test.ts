import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import { asLockstepError, LockstepError } from '../../lib/errors.ts';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution } from '../../store/changes.ts';
import { openBlob } from './blobs.ts';
import { ContentFiles, type Upload } from './content-files.ts';
import type { BlobAddress, ContentHeaders, Details, Precondition } from './model.ts';
import { scratchStore, type Scratch } from './testing/scratch-store.ts';

const by = systemAttribution('8f1a63f4-1111-4222-8333-444455556666' as TenantId, 'test');
const container = { account: 'acct', container: 'data', scope: '/c/data' };
const noHeaders: ContentHeaders = {
  contentType: null,
  contentEncoding: null,
  contentLanguage: null,
  contentDisposition: null,
  cacheControl: null,
};
const always: Precondition = () => undefined;
const plain: Details = { contentHeaders: noHeaders, metadata: [], precondition: always };

let clock: ManualClock;
let scratch: Scratch;

beforeEach(async () => {
  clock = new ManualClock(1_800_000_000_000);
  scratch = await scratchStore(clock);
  await scratch.blobs.createContainer(by, container, []);
});

afterEach(async () => {
  await scratch.close();
});

function at(name: string): BlobAddress {
  return { ...container, name, scope: `${container.scope}/blobs/${name}` };
}

function upload(content: string | Buffer, announced: Partial<Upload> = {}): Upload {
  return { stream: chunks(Buffer.from(content)), bytes: null, md5: null, ...announced };
}

async function* chunks(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < content.length; i += 70_000) yield content.subarray(i, i + 70_000);
}

async function* breaking(content: Buffer, error: Error): AsyncGenerator<Uint8Array> {
  yield content;
  throw error;
}

async function contentOf(name: string, blobs = scratch.blobs): Promise<string> {
  const blob = await blobs.open(at(name));
  return blob.properties.size === 0
    ? (await blob.close(), '')
    : (await buffer(blob.read(0, blob.properties.size - 1))).toString();
}

function contentFiles(): string[] {
  return readdirSync(scratch.directory).flatMap((shard) => readdirSync(join(scratch.directory, shard)));
}

async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => 'nothing was refused',
    (thrown: unknown) => thrown,
  );
  return error instanceof LockstepError ? error.details['blobCode'] : error;
}

const id = (n: number) => Buffer.from(`block-${n}`).toString('base64');
const latest = (...numbers: number[]) => numbers.map((n) => ({ from: 'latest' as const, id: id(n) }));

describe('a put', () => {
  it('keeps the bytes, their SHA-256 and what was said of them', async () => {
    const content = randomBytes(700_000);
    await scratch.blobs.put(by, at('a/b'), upload(content), {
      contentHeaders: { ...noHeaders, contentType: 'text/csv' },
      metadata: [
        ['k', 'v'],
        ['__proto__', 'kept'],
      ],
      precondition: always,
    });
    const blob = await scratch.blobs.open(at('a/b'));
    expect((await buffer(blob.read(0, content.length - 1))).equals(content)).toBe(true);
    expect(blob.properties).toMatchObject({
      size: 700_000,
      contentHeaders: { contentType: 'text/csv' },
      metadata: [
        ['k', 'v'],
        ['__proto__', 'kept'],
      ],
      createdAt: clock.now(),
    });
    expect(scratch.changes.at(-1)).toStrictEqual({
      kind: 'blob.written',
      scope: '/c/data/blobs/a/b',
      bytes: 700_000,
      sha256: createHash('sha256').update(content).digest('hex'),
      etag: blob.properties.etag,
    });
  });

  it('replaces the content whole, with another entity tag, and removes the old file', async () => {
    const first = await scratch.blobs.put(by, at('x'), upload('one'), plain);
    clock.advance(5000);
    const second = await scratch.blobs.put(by, at('x'), upload('two'), plain);
    expect(second.etag).not.toBe(first.etag);
    expect(second).toMatchObject({ createdAt: first.createdAt, updatedAt: first.updatedAt + 5000 });
    expect(await contentOf('x')).toBe('two');
    expect(contentFiles()).toHaveLength(1);
  });

  it('leaves no trace when the sender goes away half-way', async () => {
    await scratch.blobs.put(by, at('x'), upload('before'), plain);
    const stream = breaking(Buffer.alloc(300_000), new Error('gone'));
    await expect(scratch.blobs.put(by, at('x'), { stream, bytes: null, md5: null }, plain)).rejects.toThrow(
      'gone',
    );
    expect(await contentOf('x')).toBe('before');
    expect(contentFiles()).toHaveLength(1);
  });

  it.each([
    ['fewer bytes than announced', { bytes: 6 }, 'IncompleteBody'],
    [
      'another MD5 than announced',
      { md5: createHash('md5').update('other').digest('base64') },
      'Md5Mismatch',
    ],
  ])('refuses %s and keeps what was there', async (_title, announced, code) => {
    await scratch.blobs.put(by, at('x'), upload('before'), plain);
    expect(await refusalOf(scratch.blobs.put(by, at('x'), upload('after', announced), plain))).toBe(code);
    expect(await contentOf('x')).toBe('before');
    expect(contentFiles()).toHaveLength(1);
  });

  it('leaves no trace when the disk is full, and says so', async () => {
    await scratch.blobs.put(by, at('x'), upload('before'), plain);
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const stream = breaking(Buffer.alloc(300_000), full);
    await expect(scratch.blobs.put(by, at('x'), { stream, bytes: null, md5: null }, plain)).rejects.toBe(
      full,
    );
    expect(asLockstepError(full).code).toBe('storage_full');
    expect(await contentOf('x')).toBe('before');
    expect(contentFiles()).toHaveLength(1);
  });

  it('is gone again when the transaction does not commit', async () => {
    await scratch.blobs.put(by, at('x'), upload('before'), plain);
    let calls = 0;
    const failsInTransaction: Precondition = () => {
      calls += 1;
      if (calls === 2) throw new Error('no commit');
    };
    await expect(
      scratch.blobs.put(by, at('x'), upload('after'), { ...plain, precondition: failsInTransaction }),
    ).rejects.toThrow('no commit');
    expect(await contentOf('x')).toBe('before');
    expect(contentFiles()).toHaveLength(1);
  });

  it('lets exactly one of many concurrent creators win', async () => {
    const onlyIfAbsent: Precondition = (current) => {
      if (current !== null) throw new LockstepError({ code: 'conflict' });
    };
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, async (_, i) =>
        scratch.blobs.put(by, at('x'), upload(`writer ${i}`), { ...plain, precondition: onlyIfAbsent }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(await contentOf('x')).toBe(`writer ${winner}`);
    expect(contentFiles()).toHaveLength(1);
  });
});

describe('a read', () => {
  it('goes on with the content it began with while the blob is overwritten and deleted', async () => {
    const content = randomBytes(3_000_000);
    await scratch.blobs.put(by, at('x'), upload(content), plain);
    const blob = await scratch.blobs.open(at('x'));
    await scratch.blobs.put(by, at('x'), upload('new'), plain);
    await scratch.blobs.delete(by, at('x'), always);
    expect(contentFiles()).toHaveLength(0);
    expect((await buffer(blob.read(0, content.length - 1))).equals(content)).toBe(true);
  });

  it('never sees half of a write', async () => {
    await scratch.blobs.put(by, at('x'), upload('0'.repeat(50_000)), plain);
    const writers = Array.from({ length: 20 }, async (_, i) =>
      scratch.blobs.put(by, at('x'), upload(String(i % 10).repeat(50_000)), plain),
    );
    const readers = Array.from({ length: 40 }, async () => contentOf('x'));
    for (const seen of await Promise.all(readers)) {
      expect(seen).toHaveLength(50_000);
      expect(new Set(seen).size).toBe(1);
    }
    await Promise.all(writers);
  });

  it('finds the new content when the old goes between its row and its file', async () => {
    await scratch.blobs.put(by, at('x'), upload('old'), plain);
    let replaced = false;
    const db = scratch.store.db.withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => {
        if (!replaced) {
          replaced = true;
          await scratch.blobs.put(by, at('x'), upload('new'), plain);
        }
        return result;
      },
    });
    const blob = await openBlob(
      {
        store: { ...scratch.store, db },
        commit: scratch.commit,
        files: await ContentFiles.open(scratch.directory),
        now: () => clock.now(),
      },
      at('x'),
    );
    expect((await buffer(blob.read(0, 2))).toString()).toBe('new');
  });

  it('reports what is absent: the blob, or the container', async () => {
    expect(await refusalOf(scratch.blobs.open(at('none')))).toBe('BlobNotFound');
    expect(await refusalOf(scratch.blobs.open({ ...at('x'), container: 'none' }))).toBe('ContainerNotFound');
  });
});

describe('blocks', () => {
  it('become the blob in the order of the list, and the rest is dropped', async () => {
    for (const n of [1, 2, 3]) await scratch.blobs.putBlock(at('x'), id(n), upload(`<${n}>`));
    expect(await refusalOf(scratch.blobs.open(at('x')))).toBe('BlobNotFound');
    await scratch.blobs.putBlockList(by, at('x'), latest(3, 1), null, plain);
    expect(await contentOf('x')).toBe('<3><1>');
    const list = await scratch.blobs.blockList(at('x'));
    expect(list.committed).toStrictEqual([
      { id: id(3), size: 3 },
      { id: id(1), size: 3 },
    ]);
    expect(list.uncommitted).toStrictEqual([]);
    expect(contentFiles()).toHaveLength(1);
  });

  it('mix committed and uncommitted ones, the latest first where asked', async () => {
    for (const n of [1, 2]) await scratch.blobs.putBlock(at('x'), id(n), upload(`old ${n};`));
    await scratch.blobs.putBlockList(by, at('x'), latest(1, 2), null, plain);
    await scratch.blobs.putBlock(at('x'), id(2), upload('new 2;'));
    await scratch.blobs.putBlockList(
      by,
      at('x'),
      [...latest(1, 2), { from: 'committed', id: id(2) }, { from: 'uncommitted', id: id(2) }],
      null,
      plain,
    );
    expect(await contentOf('x')).toBe('old 1;new 2;old 2;new 2;');
  });

  it('refuse a list that names what is not there, and lose nothing', async () => {
    await scratch.blobs.putBlock(at('x'), id(1), upload('one'));
    expect(await refusalOf(scratch.blobs.putBlockList(by, at('x'), latest(1, 2), null, plain))).toBe(
      'InvalidBlockList',
    );
    expect(
      await refusalOf(
        scratch.blobs.putBlockList(by, at('x'), [{ from: 'committed', id: id(1) }], null, plain),
      ),
    ).toBe('InvalidBlockList');
    await scratch.blobs.putBlockList(by, at('x'), latest(1), null, plain);
    expect(await contentOf('x')).toBe('one');
  });

  it('refuse ids of different lengths', async () => {
    await scratch.blobs.putBlock(at('x'), id(1), upload('one'));
    expect(await refusalOf(scratch.blobs.putBlock(at('x'), id(10), upload('ten')))).toBe(
      'InvalidBlobOrBlock',
    );
  });

  it('make an empty blob from an empty list', async () => {
    await scratch.blobs.putBlockList(by, at('x'), [], null, plain);
    expect(await contentOf('x')).toBe('');
  });

  it('are read anew when the blob was replaced while they were assembled', async () => {
    for (const n of [1, 2]) await scratch.blobs.putBlock(at('x'), id(n), upload(`old ${n};`));
    await scratch.blobs.putBlockList(by, at('x'), latest(1, 2), null, plain);
    scratch.beforeNextCommit(async () => {
      await scratch.blobs.putBlock(at('x'), id(1), upload('new 1;'));
      await scratch.blobs.putBlock(at('x'), id(2), upload('new 2;'));
      await scratch.blobs.putBlockList(by, at('x'), latest(1, 2), null, plain);
    });
    await scratch.blobs.putBlockList(by, at('x'), latest(2, 1), null, plain);
    expect(await contentOf('x')).toBe('new 2;new 1;');
    expect(contentFiles()).toHaveLength(1);
  });

  it('are refused when the blob that held them was replaced while they were assembled', async () => {
    await scratch.blobs.putBlock(at('x'), id(1), upload('old'));
    await scratch.blobs.putBlockList(by, at('x'), latest(1), null, plain);
    scratch.beforeNextCommit(async () => {
      await scratch.blobs.put(by, at('x'), upload('whole'), plain);
    });
    expect(await refusalOf(scratch.blobs.putBlockList(by, at('x'), latest(1), null, plain))).toBe(
      'InvalidBlockList',
    );
    expect(await contentOf('x')).toBe('whole');
    expect(contentFiles()).toHaveLength(1);
  });

  it('are read anew when one of them was replaced while they were assembled', async () => {
    for (const n of [1, 2]) await scratch.blobs.putBlock(at('x'), id(n), upload(`old ${n};`));
    scratch.beforeNextCommit(async () => {
      await scratch.blobs.putBlock(at('x'), id(2), upload('new 2;'));
    });
    await scratch.blobs.putBlockList(by, at('x'), latest(1, 2), null, plain);
    expect(await contentOf('x')).toBe('old 1;new 2;');
    expect(contentFiles()).toHaveLength(1);
  });
});

describe('a container', () => {
  it('is made once and goes with everything in it', async () => {
    expect(await refusalOf(scratch.blobs.createContainer(by, container, []))).toBe('ContainerAlreadyExists');
    await scratch.blobs.put(by, at('x'), upload('x'), plain);
    await scratch.blobs.putBlock(at('y'), id(1), upload('y'));
    await scratch.blobs.deleteContainer(by, container, always);
    expect(contentFiles()).toHaveLength(0);
    expect(scratch.changes.at(-1)).toStrictEqual({ kind: 'container.deleted', scope: '/c/data' });
    await scratch.blobs.createContainer(by, container, []);
    expect(await refusalOf(scratch.blobs.open(at('x')))).toBe('BlobNotFound');
    expect(await refusalOf(scratch.blobs.blockList(at('y')))).toBe('BlobNotFound');
  });
});

describe('the sweep at start', () => {
  it('removes what no row names and keeps what rows name', async () => {
    await scratch.blobs.put(by, at('x'), upload('kept'), plain);
    await scratch.blobs.putBlock(at('y'), id(1), upload('kept too'));
    const orphan = randomBytes(16).toString('hex');
    writeFileSync(join(scratch.directory, orphan.slice(0, 2), orphan), 'unfinished');
    writeFileSync(join(scratch.directory, '00', 'README'), 'not ours');
    const again = await scratch.reopen();
    expect(contentFiles()).toHaveLength(3);
    expect(contentFiles()).not.toContain(orphan);
    expect(await contentOf('x', again)).toBe('kept');
    await again.putBlockList(by, at('y'), latest(1), null, plain);
    expect(await contentOf('y', again)).toBe('kept too');
  });

  it('removes blocks that nobody committed for a week', async () => {
    await scratch.blobs.putBlock(at('y'), id(1), upload('old'));
    clock.advance(6 * 24 * 3600 * 1000);
    await scratch.blobs.putBlock(at('y'), id(2), upload('young'));
    clock.advance(2 * 24 * 3600 * 1000);
    const again = await scratch.reopen();
    expect((await again.blockList(at('y'))).uncommitted).toStrictEqual([{ id: id(2), size: 5 }]);
    expect(contentFiles()).toHaveLength(1);
  });
});
