import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CliError } from '../cli-error.ts';

export interface LocalFile {
  /** Where it will stand beneath the upload, with `/` between segments. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  /** SHA-256, hex. */
  readonly sha256: string;
}

export interface LocalTree {
  readonly files: readonly LocalFile[];
  readonly bytes: number;
  /** SHA-256 over names and digests: the same content under the same names has the same one. */
  readonly digest: string;
}

/** Never part of an upload. */
const skipped = new Set([
  '.git',
  '.hg',
  '.svn',
  'node_modules',
  '__pycache__',
  '.venv',
  '.ipynb_checkpoints',
  '.DS_Store',
  '.lockstep',
]);

/** Every file of a directory, or the one file, with its digest. Symbolic links are refused: what is uploaded is what is seen. */
export async function readTree(
  path: string,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<LocalTree> {
  const found = await statOf(path);
  const names = found.isDirectory() ? await walk(path, '') : [basename(path)];
  const files: LocalFile[] = [];
  for (const name of names.sort()) {
    const file = found.isDirectory() ? join(path, name) : path;
    const { size } = await statOf(file);
    files.push({ name, path: file, size, sha256: await digestOf(file, onBytes) });
  }
  if (files.length === 0) throw new CliError('usage', `${path} holds no file to upload.`);
  const all = createHash('sha256');
  for (const file of files) all.update(`${file.sha256}  ${file.name}\0`);
  return { files, bytes: files.reduce((sum, file) => sum + file.size, 0), digest: all.digest('hex') };
}

async function walk(root: string, prefix: string): Promise<string[]> {
  const out: string[] = [];
  for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) out.push(...(await walk(root, name)));
    else if (entry.isFile()) out.push(name);
    else {
      throw new CliError(
        'usage',
        `${join(root, name)} is neither a file nor a directory, so it is not uploaded.`,
        {
          hint: 'Replace the link by what it points at, or move it elsewhere.',
        },
      );
    }
  }
  return out;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    throw new CliError('usage', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function digestOf(path: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    onBytes((chunk as Buffer).length);
  }
  return hash.digest('hex');
}
