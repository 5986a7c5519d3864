import { randomBytes } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import { z } from 'zod';
import type { Schema } from '../../store/schema.ts';
import type {
  BlobAddress,
  BlobProperties,
  Block,
  ContainerAddress,
  ContainerProperties,
  ContentHeaders,
  Metadata,
} from './model.ts';
import { refuse } from './refusals.ts';

/** The database, or a transaction on it. */
export type Reader = Kysely<Schema>;
export type BlobRow = Selectable<Schema['blobs']>;
export type ContainerRow = Selectable<Schema['blob_containers']>;

const metadata = z.array(z.tuple([z.string(), z.string()]));
const contentHeaders = z.object({
  contentType: z.string().nullable(),
  contentEncoding: z.string().nullable(),
  contentLanguage: z.string().nullable(),
  contentDisposition: z.string().nullable(),
  cacheControl: z.string().nullable(),
});
const blocks = z.array(z.tuple([z.string(), z.number()]));

export function metadataOf(json: string): Metadata {
  return metadata.parse(JSON.parse(json));
}

export function contentHeadersOf(json: string): ContentHeaders {
  return contentHeaders.parse(JSON.parse(json));
}

/** The committed blocks in order; none for a blob that came in one put. */
export function blocksOf(row: BlobRow): readonly Block[] {
  return blocks.parse(JSON.parse(row.blocks_json)).map(([id, size]) => ({ id, size }));
}

export function blobProperties(row: BlobRow): BlobProperties {
  return {
    name: row.name,
    size: row.size,
    etag: row.etag,
    md5: row.md5,
    contentHeaders: contentHeadersOf(row.content_headers_json),
    metadata: metadataOf(row.metadata_json),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function containerProperties(row: ContainerRow): ContainerProperties {
  return {
    name: row.name,
    etag: row.etag,
    metadata: metadataOf(row.metadata_json),
    updatedAt: row.created_at,
  };
}

export async function findContainer(db: Reader, at: ContainerAddress): Promise<ContainerRow | null> {
  const row = await db
    .selectFrom('blob_containers')
    .selectAll()
    .where('account', '=', at.account)
    .where('name', '=', at.container)
    .executeTakeFirst();
  return row ?? null;
}

export async function requireContainer(db: Reader, at: ContainerAddress): Promise<ContainerRow> {
  const row = await findContainer(db, at);
  if (row === null) throw refuse('ContainerNotFound');
  return row;
}

export async function findBlob(db: Reader, at: BlobAddress): Promise<BlobRow | null> {
  const row = await db
    .selectFrom('blobs')
    .selectAll()
    .where('account', '=', at.account)
    .where('container', '=', at.container)
    .where('name', '=', at.name)
    .executeTakeFirst();
  return row ?? null;
}

/** Throws BlobNotFound, or ContainerNotFound when that is why. */
export async function requireBlob(db: Reader, at: BlobAddress): Promise<BlobRow> {
  const row = await findBlob(db, at);
  if (row !== null) return row;
  await requireContainer(db, at);
  throw refuse('BlobNotFound');
}

/** 64 random bits in the form that Azure's entity tags have. */
export function newEtag(): string {
  return `0x${randomBytes(8).toString('hex').toUpperCase()}`;
}
