import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { RestError, type ContainerClient } from '@azure/storage-blob';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { accountScopes, startBlobServer, type BlobServer } from './testing/blob-server.ts';

interface Piece {
  readonly id: string;
  readonly text: string;
}

/** Blob storage as one would write it on a napkin. */
class Model {
  readonly blobs = new Map<
    string,
    { readonly text: string; readonly metadata: Record<string, string>; readonly blocks: readonly Piece[] }
  >();
  readonly staged = new Map<string, Map<string, string>>();
}

/** One call and what comes of it, as text: in the model, and through the client. */
interface Step {
  readonly shown: string;
  expected(model: Model): string;
  call(container: ContainerClient): Promise<string>;
}

let server: BlobServer;
let token: string;

beforeAll(async () => {
  server = await startBlobServer();
  const person = server.person('owner');
  token = person.token;
  server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
});

afterAll(async () => {
  await server.close();
});

const name = fc.constantFrom('a', 'A', 'dir/a', 'dir/b', 'dir/sub/c', 'é %41');
const text = fc.constantFrom('', 'one', 'two two', 'x'.repeat(3000));
const blockId = fc.constantFrom('QQ==', 'Qg==', 'Qw==');
const metadata = fc.constantFrom({}, { k: 'v' }, { k: 'w', l: '2' });

const put = fc.tuple(name, text, metadata, fc.boolean()).map(([name, text, metadata, onlyNew]): Step => ({
  shown: `put ${name} ${text.length} ${JSON.stringify(metadata)} onlyNew=${onlyNew}`,
  expected(model) {
    if (onlyNew && model.blobs.has(name)) return 'BlobAlreadyExists';
    model.blobs.set(name, { text, metadata, blocks: [] });
    model.staged.delete(name);
    return 'done';
  },
  call: async (container) =>
    told(async () => {
      const conditions = onlyNew ? { ifNoneMatch: '*' } : {};
      await container.getBlockBlobClient(name).upload(text, text.length, { metadata, conditions });
    }),
}));

const stage = fc.tuple(name, blockId, text).map(([name, id, text]): Step => ({
  shown: `stage ${name} ${id} ${text.length}`,
  expected(model) {
    const staged = model.staged.get(name) ?? new Map<string, string>();
    model.staged.set(name, staged.set(id, text));
    return 'done';
  },
  call: async (container) =>
    told(async () => {
      await container.getBlockBlobClient(name).stageBlock(id, text, text.length);
    }),
}));

const commit = fc.tuple(name, fc.array(blockId, { maxLength: 4 })).map(([name, ids]): Step => ({
  shown: `commit ${name} ${ids.join()}`,
  expected(model) {
    const blocks: Piece[] = [];
    for (const id of ids) {
      const committed = model.blobs.get(name)?.blocks.find((piece) => piece.id === id)?.text;
      const text = model.staged.get(name)?.get(id) ?? committed;
      if (text === undefined) return 'InvalidBlockList';
      blocks.push({ id, text });
    }
    model.blobs.set(name, { text: blocks.map(({ text }) => text).join(''), metadata: {}, blocks });
    model.staged.delete(name);
    return 'done';
  },
  call: async (container) =>
    told(async () => {
      await container.getBlockBlobClient(name).commitBlockList(ids);
    }),
}));

const setMetadata = fc.tuple(name, metadata).map(([name, metadata]): Step => ({
  shown: `set metadata ${name}`,
  expected(model) {
    const blob = model.blobs.get(name);
    if (blob === undefined) return 'BlobNotFound';
    model.blobs.set(name, { ...blob, metadata });
    return 'done';
  },
  call: async (container) =>
    told(async () => {
      await container.getBlobClient(name).setMetadata(metadata);
    }),
}));

const remove = name.map((name): Step => ({
  shown: `delete ${name}`,
  expected: (model) => (model.blobs.delete(name) ? 'done' : 'BlobNotFound'),
  call: async (container) =>
    told(async () => {
      await container.deleteBlob(name);
    }),
}));

const copy = fc.tuple(name, name).map(([from, to]): Step => ({
  shown: `copy ${from} to ${to}`,
  expected(model) {
    const source = model.blobs.get(from);
    if (source === undefined) return 'BlobNotFound';
    model.blobs.set(to, { ...source, blocks: [] });
    model.staged.delete(to);
    return 'done';
  },
  call: async (container) =>
    told(async () => {
      await container.getBlobClient(to).syncCopyFromURL(container.getBlobClient(from).url);
    }),
}));

const read = fc.tuple(name, fc.nat(4), fc.integer({ min: 1, max: 5 })).map(([name, start, count]): Step => ({
  shown: `read ${name} from ${start}, ${count}`,
  expected(model) {
    const blob = model.blobs.get(name);
    if (blob === undefined) return 'BlobNotFound';
    if (start >= blob.text.length) return 'InvalidRange';
    return `done: ${blob.text.slice(start, start + count)}`;
  },
  call: async (container) =>
    told(async () => {
      const { readableStreamBody } = await container.getBlobClient(name).download(start, count);
      return (await buffer(readableStreamBody as Readable)).toString();
    }),
}));

const list = fc.constantFrom('', 'd', 'dir/', 'dir/sub/', 'z').map((prefix): Step => ({
  shown: `list ${prefix}`,
  expected(model) {
    const names = [...model.blobs.keys()].filter((name) => name.startsWith(prefix));
    return `done: ${names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join()}`;
  },
  call: async (container) =>
    told(async () => {
      const seen: string[] = [];
      for await (const page of container.listBlobsFlat({ prefix }).byPage({ maxPageSize: 2 })) {
        seen.push(...page.segment.blobItems.map((item) => item.name));
      }
      return seen.join();
    }),
}));

async function told(work: () => Promise<string | void>): Promise<string> {
  try {
    const result = await work();
    return typeof result === 'string' ? `done: ${result}` : 'done';
  } catch (error) {
    return error instanceof RestError ? (error.code ?? String(error.statusCode)) : String(error);
  }
}

const steps = fc.oneof(put, stage, commit, setMetadata, remove, copy, read, list);

it('any sequence of calls gives what the plain model gives', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 25 }), async (sequence) => {
      run += 1;
      const container = server.client(token).getContainerClient(`run-${run}`);
      await container.create();
      const model = new Model();
      for (const step of sequence) {
        expect(`${step.shown}: ${await step.call(container)}`).toBe(`${step.shown}: ${step.expected(model)}`);
      }
      for (const [name, { text, metadata }] of model.blobs) {
        const blob = container.getBlobClient(name);
        expect((await blob.downloadToBuffer()).toString()).toBe(text);
        expect((await blob.getProperties()).metadata ?? {}).toStrictEqual(metadata);
      }
      const rows = await server.scratch.store.db
        .selectFrom('blobs')
        .select('name')
        .where('container', '=', `run-${run}`)
        .execute();
      expect(rows.map((row) => row.name).sort()).toStrictEqual([...model.blobs.keys()].sort());
    }),
    { numRuns: 40 },
  );
}, 120_000);
