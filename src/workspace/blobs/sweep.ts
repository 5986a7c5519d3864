import type { Store } from '../../store/sqlite.ts';
import type { ContentFiles } from './content-files.ts';

export interface Swept {
  readonly orphansRemoved: number;
  readonly staleBlocksRemoved: number;
  /** Rows whose content is not there; nothing is repaired, the operator must know. */
  readonly missing: readonly string[];
}

/**
 * Run before the store serves: removes what a crash left behind (content files that no row names) and uncommitted
 * blocks older than `blocksBefore` (milliseconds since the epoch).
 */
export async function sweep(store: Store, files: ContentFiles, blocksBefore: number): Promise<Swept> {
  const stale = await store.db
    .deleteFrom('blob_blocks')
    .where('created_at', '<', blocksBefore)
    .executeTakeFirst();
  let orphansRemoved = 0;
  const missing: string[] = [];
  for await (const shard of files.shards()) {
    const named = await filesNamedByRows(store, shard.prefix);
    const present = new Set(shard.files);
    const orphans = shard.files.filter((file) => !named.has(file));
    await files.remove(orphans);
    orphansRemoved += orphans.length;
    for (const file of named) if (!present.has(file)) missing.push(file);
  }
  return { orphansRemoved, staleBlocksRemoved: Number(stale.numDeletedRows), missing };
}

async function filesNamedByRows(store: Store, prefix: string): Promise<Set<string>> {
  const named = new Set<string>();
  for (const table of ['blobs', 'blob_blocks'] as const) {
    const rows = await store.db
      .selectFrom(table)
      .select('file')
      .where('file', '>=', prefix)
      .where('file', '<', `${prefix}g`)
      .execute();
    for (const row of rows) named.add(row.file);
  }
  return named;
}
