import type { FileHandle } from 'node:fs/promises';
import type { Updateable } from 'kysely';
import type { Attribution } from '../../store/changes.ts';
import type { Schema } from '../../store/schema.ts';
import type { Upload } from './content-files.ts';
import type { BlobAddress, BlobProperties, Details, OpenBlob, Precondition } from './model.ts';
import { refuse } from './refusals.ts';
import { blobProperties, findBlob, newEtag, requireBlob, requireContainer, type BlobRow } from './rows.ts';
import { swapContent, versionOf, type Writing } from './write-row.ts';

const maxAttempts = 8;

/** Opens the content that the row names at this instant. */
export async function openBlob(writing: Writing, at: BlobAddress): Promise<OpenBlob> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const row = await requireBlob(writing.store.db, at);
    const handle = await writing.files.read(row.file);
    if (handle !== null) return opened(row, handle);
    const now = await findBlob(writing.store.db, at);
    if (now?.file === row.file) throw new Error('the content file of a blob is missing');
  }
  throw refuse('ConcurrentWrite');
}

function opened(row: BlobRow, handle: FileHandle): OpenBlob {
  return {
    properties: blobProperties(row),
    read: (start, end) => handle.createReadStream({ start, end, highWaterMark: 256 * 1024 }),
    close: async () => handle.close(),
  };
}

/**
 * The whole content at once. The condition is looked at before the bytes are taken, to spare the sender, and again in
 * the transaction, where it counts.
 */
export async function putBlob(
  writing: Writing,
  by: Attribution,
  at: BlobAddress,
  upload: Upload,
  details: Details,
): Promise<BlobProperties> {
  await requireContainer(writing.store.db, at);
  const current = await findBlob(writing.store.db, at);
  details.precondition(current === null ? null : versionOf(current));
  const staged = await writing.files.write(upload);
  return swapContent(writing, by, at, { staged, blocks: [], details });
}

/** Changes what is said of a blob, not its bytes; it gets a new entity tag. */
export async function changeBlob(
  writing: Writing,
  by: Attribution,
  at: BlobAddress,
  columns: Updateable<Schema['blobs']>,
  precondition: Precondition,
): Promise<BlobProperties> {
  return writing.commit(by, async (tx, record) => {
    const current = await requireBlob(tx, at);
    precondition(versionOf(current));
    const row = await tx
      .updateTable('blobs')
      .set({ ...columns, etag: newEtag(), updated_at: writing.now() })
      .where('account', '=', at.account)
      .where('container', '=', at.container)
      .where('name', '=', at.name)
      .returningAll()
      .executeTakeFirstOrThrow();
    record({ kind: 'blob.written', scope: at.scope, bytes: row.size, sha256: row.sha256, etag: row.etag });
    return blobProperties(row);
  });
}

/** Uncommitted blocks stay: they belong to whoever is about to write the blob anew. */
export async function deleteBlob(
  writing: Writing,
  by: Attribution,
  at: BlobAddress,
  precondition: Precondition,
): Promise<void> {
  const file = await writing.commit(by, async (tx, record) => {
    const current = await requireBlob(tx, at);
    precondition(versionOf(current));
    await tx
      .deleteFrom('blobs')
      .where('account', '=', at.account)
      .where('container', '=', at.container)
      .where('name', '=', at.name)
      .execute();
    record({ kind: 'blob.deleted', scope: at.scope });
    return current.file;
  });
  await writing.files.remove([file]);
}
