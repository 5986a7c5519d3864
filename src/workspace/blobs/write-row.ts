import type { Attribution, Commit, Tx } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { ContentFiles, Staged } from './content-files.ts';
import type { BlobAddress, BlobProperties, Block, Details } from './model.ts';
import { blobProperties, findBlob, newEtag, requireContainer, type BlobRow } from './rows.ts';

/** What every writer needs. */
export interface Writing {
  readonly store: Store;
  readonly commit: Commit;
  readonly files: ContentFiles;
  readonly now: () => number;
}

export interface NewContent {
  readonly staged: Staged;
  readonly blocks: readonly Block[];
  readonly details: Details;
  /** Runs in the transaction before anything changes; throws to give up. */
  readonly verify?: (tx: Tx, current: BlobRow | null) => Promise<void>;
}

/**
 * Makes staged content the blob's: one transaction checks the condition, swaps the row, drops uncommitted blocks and
 * records `blob.written`. The old content is removed after the commit; the staged file, if there was none.
 */
export async function swapContent(
  writing: Writing,
  by: Attribution,
  at: BlobAddress,
  content: NewContent,
): Promise<BlobProperties> {
  const { staged, details } = content;
  try {
    const { row, obsolete } = await writing.commit(by, async (tx, record) => {
      await requireContainer(tx, at);
      const current = await findBlob(tx, at);
      details.precondition(current === null ? null : versionOf(current));
      await content.verify?.(tx, current);
      const row = newRow(at, content, current, writing.now());
      await upsert(tx, row);
      const obsolete = await dropUncommittedBlocks(tx, at);
      if (current !== null) obsolete.push(current.file);
      record({
        kind: 'blob.written',
        scope: at.scope,
        bytes: row.size,
        sha256: row.sha256,
        etag: row.etag,
      });
      return { row, obsolete };
    });
    await writing.files.remove(obsolete);
    return blobProperties(row);
  } catch (error) {
    await removeUnlessNamed(writing, staged.file);
    throw error;
  }
}

export function versionOf(row: BlobRow): { etag: string; updatedAt: number } {
  return { etag: row.etag, updatedAt: row.updated_at };
}

/** A commit that failed late may still have reached the disk; a file that a row names is never removed. */
export async function removeUnlessNamed(writing: Writing, file: string): Promise<void> {
  try {
    for (const table of ['blobs', 'blob_blocks'] as const) {
      const row = await writing.store.db
        .selectFrom(table)
        .select('file')
        .where('file', '=', file)
        .executeTakeFirst();
      if (row !== undefined) return;
    }
  } catch {
    return;
  }
  await writing.files.remove([file]);
}

function newRow(at: BlobAddress, content: NewContent, current: BlobRow | null, now: number): BlobRow {
  return {
    account: at.account,
    container: at.container,
    name: at.name,
    file: content.staged.file,
    size: content.staged.size,
    etag: newEtag(),
    md5: content.staged.md5,
    sha256: content.staged.sha256,
    content_headers_json: JSON.stringify(content.details.contentHeaders),
    metadata_json: JSON.stringify(content.details.metadata),
    blocks_json: JSON.stringify(content.blocks.map(({ id, size }) => [id, size])),
    created_at: current?.created_at ?? now,
    updated_at: now,
  };
}

async function upsert(tx: Tx, row: BlobRow): Promise<void> {
  const { account: _account, container: _container, name: _name, ...columns } = row;
  await tx
    .insertInto('blobs')
    .values(row)
    .onConflict((conflict) => conflict.columns(['account', 'container', 'name']).doUpdateSet(columns))
    .execute();
}

async function dropUncommittedBlocks(tx: Tx, at: BlobAddress): Promise<string[]> {
  const rows = await tx
    .deleteFrom('blob_blocks')
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('blob', '=', at.name)
    .returning('file')
    .execute();
  return rows.map((row) => row.file);
}
