import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Fault, StorageStep } from '../faults.ts';
import { isMissing } from '../sources/directory-source.ts';
import { parseTilePath } from '../tlog/tile.ts';

export interface LogFile {
  /** Relative to the log's directory. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What is published, and what has been signed but not yet witnessed by enough. */
export type CheckpointPath = 'checkpoint' | 'checkpoint.signed';

/** The signed notes that a log publishes. */
export type NotePath = CheckpointPath | 'retention';

/** Of the four threads that the platform waits for disks with, one is left for whoever waits for the journal. */
const filesAtOnce = 3;

interface PlacingSteps {
  readonly write: StorageStep;
  readonly rename: StorageStep;
}

const tileSteps: PlacingSteps = { write: 'tile.write', rename: 'tile.rename' };
const keyFileSteps: PlacingSteps = { write: 'key-file.write', rename: 'key-file.rename' };

/** The directory that a log is published in: every file appears whole or not at all, and stays. */
export class LogFiles {
  readonly directory: string;
  readonly #fault: Fault;
  readonly #scratch: string;

  constructor(directory: string, fault: Fault) {
    this.directory = directory;
    this.#fault = fault;
    this.#scratch = join(directory, '.tmp', randomBytes(8).toString('hex'));
  }

  /** Makes the directory and clears away what interrupted writes left. For whoever holds the lease. */
  async prepare(): Promise<void> {
    await this.#around('scratch.prepare', async () => {
      // Whoever held the lease before may not know yet that he does not, and write into what is removed.
      const persistence = { maxRetries: 10, retryDelay: 20 };
      await rm(join(this.directory, '.tmp'), { recursive: true, force: true, ...persistence });
      await mkdir(this.#scratch, { recursive: true });
    });
  }

  /** Clears away what `prepare` made. */
  async leave(): Promise<void> {
    await rm(this.#scratch, { recursive: true, force: true });
  }

  /**
   * Writes the files so that all are on the disk, under their names, when it returns. Idempotent. Many are written at
   * once, so that the disk can make them durable together.
   */
  async write(files: readonly LogFile[]): Promise<void> {
    const touched = new Set<string>();
    for (let start = 0; start < files.length; start += filesAtOnce) {
      await inParallel(files.slice(start, start + filesAtOnce), (file) =>
        this.#place(file, touched, tileSteps),
      );
    }
    await this.#around('tile.sync', () => inParallel([...touched], syncDirectory));
  }

  /** As `write`, one after the other; what stood under the names is replaced. */
  async writeKeyFiles(files: readonly LogFile[]): Promise<void> {
    for (const file of files) await this.#place(file, new Set(), keyFileSteps);
    await this.#around('key-file.sync', () => syncDirectory(this.directory));
  }

  /**
   * Makes a signed note durable beside the one that stands, and lets `publish` decide when it takes its place: what it is
   * given does so in one step. It stands for good when this returns.
   */
  async replaceCheckpoint(
    path: NotePath,
    note: string,
    publish: (takePlace: () => void) => Promise<void>,
    what: 'checkpoint' | 'cosigned' | 'retention' = 'checkpoint',
  ): Promise<void> {
    const scratch = join(this.#scratch, randomBytes(12).toString('hex'));
    try {
      await this.#around(`${what}.write`, () => writeDurably(scratch, Buffer.from(note)));
      await publish(() => {
        this.#fault(`${what}.rename`, 'before');
        renameSync(scratch, join(this.directory, path));
        this.#fault(`${what}.rename`, 'after');
      });
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
    await this.#around(`${what}.sync`, () => syncDirectory(this.directory));
  }

  async #place(file: LogFile, touched: Set<string>, steps: PlacingSteps): Promise<void> {
    const target = join(this.directory, file.path);
    const scratch = join(this.#scratch, randomBytes(12).toString('hex'));
    try {
      await this.#around(steps.write, () => writeDurably(scratch, file.bytes));
      await this.#makeDirectory(dirname(target), touched);
      await this.#around(steps.rename, () => rename(scratch, target));
      touched.add(dirname(target));
    } catch (error) {
      await rm(scratch, { force: true });
      throw error;
    }
  }

  /** A signed note; null where there is none. */
  async readNote(path: string): Promise<string | null> {
    try {
      return await readFile(join(this.directory, path), 'utf8');
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    await this.#around('partial.remove', async () => {
      for (const path of paths) await rm(join(this.directory, path), { recursive: true, force: true });
    });
  }

  /** Takes away what is not kept any more; what is gone already is no matter. */
  async removePruned(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await this.#around('retention.remove', () => rm(join(this.directory, path), { force: true }));
    }
  }

  /** The paths of all tiles and bundles that are there. */
  async list(): Promise<Set<string>> {
    const tiles = join(this.directory, 'tile');
    const found = new Set<string>();
    let entries;
    try {
      entries = await readdir(tiles, { recursive: true, withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return found;
      throw error;
    }
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = `tile${join(entry.parentPath, entry.name).slice(tiles.length)}`;
      if (parseTilePath(path) !== null) found.add(path);
    }
    return found;
  }

  /** A new directory's own entry is durable only once its parent has been synced. */
  async #makeDirectory(directory: string, touched: Set<string>): Promise<void> {
    const firstMade = await mkdir(directory, { recursive: true });
    if (firstMade === undefined) return;
    for (let made = directory; made.length >= firstMade.length; made = dirname(made))
      touched.add(dirname(made));
  }

  async #around(step: StorageStep, act: () => Promise<void>): Promise<void> {
    this.#fault(step, 'before');
    await act();
    this.#fault(step, 'after');
  }
}

/** Waits for all of them, whatever becomes of one: nothing is still being written when it returns or throws. */
async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(items.map(act));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
