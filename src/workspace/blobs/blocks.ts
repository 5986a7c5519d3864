import type { FileHandle } from 'node:fs/promises';
import type { Attribution, Tx } from '../../store/changes.ts';
import type { ContentFiles, Upload } from './content-files.ts';
import type { BlobAddress, BlobProperties, Block, BlockChoice, Details } from './model.ts';
import { refuse } from './refusals.ts';
import { blobProperties, blocksOf, findBlob, requireContainer, type BlobRow, type Reader } from './rows.ts';
import { removeUnlessNamed, swapContent, type Writing } from './write-row.ts';

/** learn.microsoft.com/rest/api/storageservices/put-block#remarks */
const maxUncommittedBlocks = 100_000;
const maxAttempts = 4;

interface BlockRow {
  readonly block_id: string;
  readonly file: string;
  readonly size: number;
}

/** A run of bytes in a content file. */
interface Extent {
  readonly file: string;
  readonly start: number;
  readonly size: number;
}

interface Plan {
  readonly blocks: readonly Block[];
  readonly extents: readonly Extent[];
  /** The current content, when the plan takes committed blocks from it. */
  readonly committedFile: string | null;
  readonly uncommittedFiles: readonly { readonly id: string; readonly file: string }[];
}

/**
 * Stages a block. Nothing visible changes until a block list names it, so nothing is recorded beyond the request.
 * A block with the same id is replaced.
 */
export async function putBlock(writing: Writing, at: BlobAddress, id: string, upload: Upload): Promise<void> {
  await checkBlock(writing.store.db, at, id);
  const staged = await writing.files.write(upload);
  try {
    const replaced = await writing.store.db.transaction().execute(async (tx) => {
      await checkBlock(tx, at, id);
      const key = { account: at.account, container: at.container, blob: at.name, block_id: id };
      const old = await blockRow(tx, at, id);
      const row = { file: staged.file, size: staged.size, created_at: writing.now() };
      await tx
        .insertInto('blob_blocks')
        .values({ ...key, ...row })
        .onConflict((conflict) =>
          conflict.columns(['account', 'container', 'blob', 'block_id']).doUpdateSet(row),
        )
        .execute();
      return old?.file ?? null;
    });
    if (replaced !== null) await writing.files.remove([replaced]);
  } catch (error) {
    await removeUnlessNamed(writing, staged.file);
    throw error;
  }
}

/**
 * Makes the named blocks, in order, the blob's content, as one new file. If a block or the blob is replaced while the
 * file is assembled, the list is read again and assembled anew, so the result is always what one instant held.
 */
export async function putBlockList(
  writing: Writing,
  by: Attribution,
  at: BlobAddress,
  choices: readonly BlockChoice[],
  md5: string | null,
  details: Details,
): Promise<BlobProperties> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    await requireContainer(writing.store.db, at);
    const plan = await planOf(writing.store.db, at, choices);
    const staged = await assemble(writing.files, plan, md5);
    if (staged === null) continue;
    try {
      return await swapContent(writing, by, at, {
        staged,
        blocks: plan.blocks,
        details,
        verify: (tx, current) => verifyPlan(tx, at, plan, current),
      });
    } catch (error) {
      if (!(error instanceof PlanChanged)) throw error;
    }
  }
  throw refuse('ConcurrentWrite');
}

/** Committed blocks in order, uncommitted ones in order of id; `properties` is null while nothing is committed. */
export async function blockList(
  db: Reader,
  at: BlobAddress,
): Promise<{
  readonly properties: BlobProperties | null;
  readonly committed: readonly Block[];
  readonly uncommitted: readonly Block[];
}> {
  const row = await findBlob(db, at);
  const rows = await uncommittedRows(db, at);
  if (row === null && rows.length === 0) {
    await requireContainer(db, at);
    throw refuse('BlobNotFound');
  }
  return {
    properties: row === null ? null : blobProperties(row),
    committed: row === null ? [] : blocksOf(row),
    uncommitted: rows.map(({ block_id, size }) => ({ id: block_id, size })),
  };
}

async function checkBlock(db: Reader, at: BlobAddress, id: string): Promise<void> {
  await requireContainer(db, at);
  const own = db
    .selectFrom('blob_blocks')
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('blob', '=', at.name);
  const any = await own.select('block_id').limit(1).executeTakeFirst();
  if (any !== undefined && byteLength(any.block_id) !== byteLength(id)) throw refuse('InvalidBlobOrBlock');
  const { count } = await own.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  if (count >= maxUncommittedBlocks) throw refuse('BlockCountExceedsLimit');
}

function byteLength(id: string): number {
  return Buffer.byteLength(id, 'base64');
}

async function planOf(db: Reader, at: BlobAddress, choices: readonly BlockChoice[]): Promise<Plan> {
  const current = await findBlob(db, at);
  const uncommitted = new Map((await uncommittedRows(db, at)).map((row) => [row.block_id, row]));
  const committed = current === null ? new Map<string, Extent>() : committedExtents(current);
  const blocks: Block[] = [];
  const extents: Extent[] = [];
  const used = new Map<string, string>();
  for (const { from, id } of choices) {
    const fresh = from === 'committed' ? undefined : uncommitted.get(id);
    if (fresh !== undefined) used.set(id, fresh.file);
    const extent =
      fresh === undefined
        ? from === 'uncommitted'
          ? undefined
          : committed.get(id)
        : { file: fresh.file, start: 0, size: fresh.size };
    if (extent === undefined) throw refuse('InvalidBlockList');
    extents.push(extent);
    blocks.push({ id, size: extent.size });
  }
  return {
    blocks,
    extents,
    committedFile: extents.some(({ file }) => file === current?.file) ? (current?.file ?? null) : null,
    uncommittedFiles: Array.from(used, ([id, file]) => ({ id, file })),
  };
}

function committedExtents(row: BlobRow): Map<string, Extent> {
  const extents = new Map<string, Extent>();
  let start = 0;
  for (const { id, size } of blocksOf(row)) {
    if (!extents.has(id)) extents.set(id, { file: row.file, start, size });
    start += size;
  }
  return extents;
}

/** Null when a source vanished meanwhile. */
async function assemble(files: ContentFiles, plan: Plan, md5: string | null) {
  try {
    const bytes = plan.extents.reduce((sum, { size }) => sum + size, 0);
    return await files.write({ stream: readExtents(files, plan.extents), bytes, md5 });
  } catch (error) {
    if (error instanceof PlanChanged) return null;
    throw error;
  }
}

async function* readExtents(files: ContentFiles, extents: readonly Extent[]): AsyncGenerator<Uint8Array> {
  let file: string | null = null;
  let handle: FileHandle | null = null;
  try {
    for (const extent of extents) {
      if (handle === null || file !== extent.file) {
        await handle?.close();
        handle = await files.read(extent.file);
        if (handle === null) throw new PlanChanged();
        file = extent.file;
      }
      yield* readRun(handle, extent.start, extent.size);
    }
  } finally {
    await handle?.close();
  }
}

async function* readRun(handle: FileHandle, start: number, size: number): AsyncGenerator<Uint8Array> {
  let done = 0;
  while (done < size) {
    const buffer = Buffer.allocUnsafe(Math.min(256 * 1024, size - done));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start + done);
    if (bytesRead === 0) throw new Error('a content file is shorter than its row says');
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** What the plan read is no longer so. */
class PlanChanged extends Error {}

async function verifyPlan(tx: Tx, at: BlobAddress, plan: Plan, current: BlobRow | null): Promise<void> {
  if (plan.committedFile !== null && current?.file !== plan.committedFile) throw new PlanChanged();
  if (plan.uncommittedFiles.length === 0) return;
  const now = new Map((await uncommittedRows(tx, at)).map(({ block_id, file }) => [block_id, file]));
  for (const { id, file } of plan.uncommittedFiles) if (now.get(id) !== file) throw new PlanChanged();
}

async function uncommittedRows(db: Reader, at: BlobAddress): Promise<readonly BlockRow[]> {
  return db
    .selectFrom('blob_blocks')
    .select(['block_id', 'file', 'size'])
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('blob', '=', at.name)
    .orderBy('block_id')
    .execute();
}

async function blockRow(db: Reader, at: BlobAddress, id: string): Promise<BlockRow | undefined> {
  return db
    .selectFrom('blob_blocks')
    .select(['block_id', 'file', 'size'])
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('blob', '=', at.name)
    .where('block_id', '=', id)
    .executeTakeFirst();
}
