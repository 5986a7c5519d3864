import type { Reader } from './rows.ts';
import { blobProperties, containerProperties, requireContainer } from './rows.ts';
import type { BlobProperties, ContainerAddress, ContainerProperties } from './model.ts';
import { justAfter, later, successor } from './successor.ts';

export interface Page {
  readonly prefix: string;
  /** Entries at or after this name; empty for the first page. Never widens what `prefix` admits. */
  readonly from: string;
  readonly limit: number;
}

export interface BlobPage extends Page {
  /** Names that contain it after the prefix are folded into one entry; empty for none. */
  readonly delimiter: string;
}

export type Entry =
  | { readonly kind: 'blob'; readonly blob: BlobProperties }
  | { readonly kind: 'prefix'; readonly prefix: string };

/** Rows read at first after a fold: the next row is likely to fold as well. */
const smallestBatch = 4;

/** Containers of an account in order of name; `next` is the `from` of the next page, null on the last. */
export async function listContainers(
  db: Reader,
  account: string,
  page: Page,
): Promise<{ readonly containers: readonly ContainerProperties[]; readonly next: string | null }> {
  const rows = await db
    .selectFrom('blob_containers')
    .selectAll()
    .where('account', '=', account)
    .where('name', '>=', later(page.from, page.prefix))
    .$call((query) => {
      const end = successor(page.prefix);
      return end === null ? query : query.where('name', '<', end);
    })
    .orderBy('name')
    .limit(page.limit + 1)
    .execute();
  return {
    containers: rows.slice(0, page.limit).map(containerProperties),
    next: rows[page.limit]?.name ?? null,
  };
}

/**
 * Blobs and folded prefixes of a container in the order of code points. A folded prefix costs one short range
 * query, however many blobs lie beneath it.
 */
export async function listBlobs(
  db: Reader,
  at: ContainerAddress,
  page: BlobPage,
): Promise<{ readonly entries: readonly Entry[]; readonly next: string | null }> {
  await requireContainer(db, at);
  const entries: Entry[] = [];
  let from: string | null = page.from;
  let batch = page.delimiter === '' ? page.limit + 1 : smallestBatch;
  while (from !== null) {
    const wanted: number = Math.min(batch, page.limit + 1 - entries.length);
    batch *= 2;
    const rows = await blobsFrom(db, at, page.prefix, from, wanted);
    from = rows.length < wanted ? null : justAfter(rows.at(-1)?.name ?? '');
    for (const row of rows) {
      if (entries.length === page.limit) return { entries, next: row.name };
      const folded = foldedPrefix(row.name, page);
      if (folded === null) {
        entries.push({ kind: 'blob', blob: blobProperties(row) });
        continue;
      }
      entries.push({ kind: 'prefix', prefix: folded });
      from = successor(folded);
      batch = smallestBatch;
      break;
    }
  }
  return { entries, next: null };
}

function foldedPrefix(name: string, page: BlobPage): string | null {
  if (page.delimiter === '') return null;
  const cut = name.indexOf(page.delimiter, page.prefix.length);
  return cut < 0 ? null : name.slice(0, cut + page.delimiter.length);
}

async function blobsFrom(db: Reader, at: ContainerAddress, prefix: string, from: string, limit: number) {
  const end = successor(prefix);
  return db
    .selectFrom('blobs')
    .selectAll()
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('name', '>=', later(from, prefix))
    .$if(end !== null, (query) => query.where('name', '<', end ?? ''))
    .orderBy('name')
    .limit(limit)
    .execute();
}
