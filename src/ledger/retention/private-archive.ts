import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from '../sources/directory-source.ts';
import { parseTilePath, tilePath, tileWidth } from '../tlog/tile.ts';

const lengthBytes = 4;

/**
 * What stood beside the entries of a bundle whose rows are gone: `private/<N>` beside `tile/entries/<N>`. It is no part of
 * the log, is not served, and cannot be read without the keys, which stay in the database: there they are erased, and
 * these files need not be touched.
 */
export class PrivateArchive {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What stood beside the entry; null for nothing. */
  async of(leafIndex: number): Promise<Uint8Array | null> {
    return (await this.#read(Math.floor(leafIndex / tileWidth)))[leafIndex % tileWidth] ?? null;
  }

  /** Of each entry of the bundle, null for none; all null where the bundle has nothing beside it. */
  async #read(bundle: number): Promise<(Uint8Array | null)[]> {
    const none = Array.from({ length: tileWidth }, () => null);
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#path(bundle));
    } catch (error) {
      if (isMissing(error)) return none;
      throw error;
    }
    return decode(bytes) ?? none;
  }

  /** On the disk, under its name, when it returns. Idempotent. */
  async write(bundle: number, boxes: readonly (Uint8Array | null)[]): Promise<void> {
    if (boxes.every((one) => one === null)) return;
    const path = this.#path(bundle);
    const scratch = `${path}.${randomBytes(6).toString('hex')}`;
    const made = await mkdir(dirname(path), { recursive: true });
    try {
      const file = await open(scratch, 'wx', 0o600);
      try {
        await file.writeFile(encode(boxes));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(scratch, path);
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
    for (let at = dirname(path); ; at = dirname(at)) {
      await syncDirectory(at);
      if (made === undefined || at.length < made.length) return;
    }
  }

  /** What stood beside bundles that are not kept any more goes with them. */
  async removeBefore(bundle: number): Promise<void> {
    const root = join(this.#directory, 'private');
    let entries;
    try {
      entries = await readdir(root, { recursive: true, withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const tile = parseTilePath(`tile/entries${path.slice(root.length)}`);
      if (tile !== null && tile.index < bundle) await rm(path, { force: true });
    }
  }

  #path(bundle: number): string {
    const path = tilePath({ level: 'entries', index: bundle, width: tileWidth });
    return join(this.#directory, path.replace(/^tile\/entries\//, 'private/'));
  }
}

function encode(boxes: readonly (Uint8Array | null)[]): Uint8Array {
  return Buffer.concat(
    boxes.flatMap((one) => {
      const length = Buffer.alloc(lengthBytes);
      length.writeUInt32BE(one?.length ?? 0);
      return one === null ? [length] : [length, one];
    }),
  );
}

function decode(bytes: Buffer): (Uint8Array | null)[] | null {
  const boxes: (Uint8Array | null)[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + lengthBytes > bytes.length) return null;
    const start = at + lengthBytes;
    const end = start + bytes.readUInt32BE(at);
    if (end > bytes.length) return null;
    boxes.push(end === start ? null : bytes.subarray(start, end));
    at = end;
  }
  return boxes.length === tileWidth ? boxes : null;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
