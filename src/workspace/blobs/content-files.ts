import { createHash, randomBytes, type Hash } from 'node:crypto';
import { mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { refuse } from './refusals.ts';

/** Bytes on their way in. */
export interface Upload {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Announced length; null when none was. */
  readonly bytes: number | null;
  /** Announced MD5 in base64, to be verified; null when none was. */
  readonly md5: string | null;
}

/** A content file that is complete and on the disk, but that no row names yet. */
export interface Staged {
  readonly file: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Base64; only when the uploader announced one. */
  readonly md5: string | null;
}

const flushBytes = 256 * 1024;
const fileName = /^[0-9a-f]{32}$/;
const shards = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/**
 * Immutable content files under one directory, `{2 hex}/{32 hex}`. Names are random and never derived from anything
 * that a caller sends, so no caller can name a path.
 */
export class ContentFiles {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<ContentFiles> {
    for (const shard of shards) await mkdir(join(directory, shard), { recursive: true, mode: 0o700 });
    await syncDirectory(directory);
    return new ContentFiles(directory);
  }

  /**
   * Writes a new file as the bytes come, never faster than the disk takes them, and makes it durable. If anything
   * fails (the sender goes, the disk fills, length or MD5 differ) the file is gone again and the error is passed on.
   */
  async write(upload: Upload): Promise<Staged> {
    const file = randomBytes(16).toString('hex');
    const handle = await open(this.#path(file), 'wx', 0o600);
    try {
      const sha256 = createHash('sha256');
      const md5 = upload.md5 === null ? null : createHash('md5');
      const size = await drain(upload.stream, handle, md5 === null ? [sha256] : [sha256, md5]);
      if (upload.bytes !== null && size !== upload.bytes) throw refuse('IncompleteBody');
      const actualMd5 = md5?.digest('base64') ?? null;
      if (actualMd5 !== upload.md5) throw refuse('Md5Mismatch');
      await handle.sync();
      await handle.close();
      await syncDirectory(join(this.#directory, shardOf(file)));
      return { file, size, sha256: sha256.digest('hex'), md5: actualMd5 };
    } catch (error) {
      await handle.close().catch(() => undefined);
      await this.remove([file]);
      throw error;
    }
  }

  /** Null when there is no such file (its blob was overwritten or deleted a moment ago). */
  async read(file: string): Promise<FileHandle | null> {
    try {
      return await open(this.#path(file), 'r');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Readers that have a file open keep it. A file that cannot be removed now is an orphan for the next sweep. */
  async remove(files: readonly string[]): Promise<void> {
    for (const file of files) await unlink(this.#path(file)).catch(() => undefined);
  }

  /** Every content file, one shard at a time. */
  async *shards(): AsyncGenerator<{ readonly prefix: string; readonly files: readonly string[] }> {
    for (const prefix of shards) {
      const names = await readdir(join(this.#directory, prefix));
      yield { prefix, files: names.filter((name) => fileName.test(name)) };
    }
  }

  #path(file: string): string {
    if (!fileName.test(file)) throw new Error('not the name of a content file');
    return join(this.#directory, shardOf(file), file);
  }
}

async function drain(
  stream: AsyncIterable<Uint8Array>,
  handle: FileHandle,
  hashes: readonly Hash[],
): Promise<number> {
  let size = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of stream) {
    if (chunk.byteLength === 0) continue;
    for (const hash of hashes) hash.update(chunk);
    held.push(chunk);
    heldBytes += chunk.byteLength;
    if (heldBytes < flushBytes) continue;
    await writeAll(handle, held, heldBytes);
    size += heldBytes;
    held = [];
    heldBytes = 0;
  }
  await writeAll(handle, held, heldBytes);
  return size + heldBytes;
}

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], bytes: number): Promise<void> {
  if (bytes === 0) return;
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten === bytes) return;
  let rest: Uint8Array = Buffer.concat(chunks).subarray(bytesWritten);
  while (rest.byteLength > 0) rest = rest.subarray((await handle.write(rest)).bytesWritten);
}

function shardOf(file: string): string {
  return file.slice(0, 2);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
