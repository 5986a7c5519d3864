import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Client } from '../connection/client.ts';
import type { Invocation } from '../invocation.ts';
import { bytes, count, duration } from '../output/amounts.ts';
import { readTree, type LocalTree } from './local-files.ts';

export const blobDatastore = 'workspaceblobstore';

const datastoreSchema = z.object({
  properties: z.object({ accountName: z.string(), containerName: z.string() }),
});

/** Larger files go up in blocks of this size. */
const blockBytes = 8 * 1024 * 1024;

export interface Uploaded {
  readonly digest: string;
  /** `azureml://` address of the directory, without a trailing slash. */
  readonly uri: string;
  readonly tree: LocalTree;
}

/**
 * Brings a file or a directory to the workspace's default datastore, beneath a prefix named by its content: what is
 * there already is not sent again.
 */
export async function upload(
  call: Invocation,
  client: Client,
  workspaceId: string,
  path: string,
  what: string,
): Promise<Uploaded> {
  const { signal } = call.context;
  const started = Date.now();
  const tree = await readTree(path);
  const { accountName, containerName } = (
    await client.json('arm', 'GET', `${workspaceId}/datastores/${blobDatastore}`, datastoreSchema)
  ).properties;
  const prefix = `LocalUpload/${tree.digest}`;
  const bar = call.progress(`uploading ${what}`, bytes);
  let sent = 0;
  let fresh = 0;
  for (const file of tree.files) {
    const target = `/${accountName}/${containerName}/${prefix}/${file.name.split('/').map(encodeURIComponent).join('/')}`;
    const head = await client.attempt('storage', 'HEAD', target, { headers: version, signal });
    await head.body.dump();
    if (head.status === 200 && head.header('content-length') === String(file.size)) {
      sent += file.size;
    } else {
      await put(client, target, file.path, file.size, signal, (amount) =>
        bar.at((sent += amount), tree.bytes),
      );
      fresh += 1;
    }
    bar.at(sent, tree.bytes);
  }
  const took = duration(Date.now() - started);
  const line =
    fresh === 0
      ? `${what}: unchanged, nothing sent`
      : `${what}: ${count(fresh, 'file')}, ${bytes(tree.bytes)} in ${took}`;
  if (!call.json) bar.end(line);
  return { digest: tree.digest, uri: `azureml://datastores/${blobDatastore}/paths/${prefix}`, tree };
}

const version = { 'x-ms-version': '2021-12-02' };

async function put(
  client: Client,
  target: string,
  path: string,
  size: number,
  signal: AbortSignal,
  onBytes: (amount: number) => void,
): Promise<void> {
  if (size <= blockBytes) {
    await client.done('storage', 'PUT', target, {
      headers: { ...version, 'x-ms-blob-type': 'BlockBlob', 'content-length': String(size) },
      body: size === 0 ? '' : counted(createReadStream(path), onBytes),
      signal,
    });
    return;
  }
  const ids: string[] = [];
  const file = await open(path, 'r');
  try {
    for (let offset = 0; offset < size; offset += blockBytes) {
      const id = Buffer.from(String(ids.length).padStart(8, '0')).toString('base64');
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(Math.min(blockBytes, size - offset)),
        0,
        null,
        offset,
      );
      await client.done('storage', 'PUT', target, {
        query: { comp: 'block', blockid: id },
        headers: { ...version, 'content-length': String(bytesRead) },
        body: buffer.subarray(0, bytesRead),
        signal,
      });
      ids.push(id);
      onBytes(bytesRead);
    }
  } finally {
    await file.close();
  }
  const list = ids.map((id) => `<Latest>${id}</Latest>`).join('');
  await client.done('storage', 'PUT', target, {
    query: { comp: 'blocklist' },
    headers: { ...version, 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`,
    signal,
  });
}

function counted(stream: Readable, onBytes: (amount: number) => void): Readable {
  stream.on('data', (chunk: Buffer) => onBytes(chunk.length));
  stream.pause();
  return stream;
}
