import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { canonicalJson, type Json, type JsonObject } from '../lib/canonical-json.ts';
import { LockstepError } from '../lib/errors.ts';
import type { ActorRef, Attribution, Change, Tx } from '../store/changes.ts';
import type { Schema } from '../store/schema.ts';
import { normalId } from './resource-ids.ts';

/** Any Azure-shaped resource: what every kind has in common. Times are milliseconds since the epoch. */
export interface Resource {
  /** Normal form: lower case. It is also the resource's scope. */
  readonly id: string;
  /** As it was first written. */
  readonly displayId: string;
  readonly type: string;
  readonly parentId: string;
  readonly name: string;
  readonly properties: JsonObject;
  readonly tags: Readonly<Record<string, string>>;
  readonly location: string | null;
  readonly etag: string;
  readonly createdAt: number;
  /** Delegation chain of the creator: first the person or sponsor, last the one that acted. */
  readonly createdBy: readonly ActorRef[];
  readonly updatedAt: number;
  readonly updatedBy: readonly ActorRef[];
}

export interface ResourceDraft {
  readonly displayId: string;
  readonly type: string;
  readonly properties: JsonObject;
  readonly tags?: Readonly<Record<string, string>>;
  readonly location?: string | null;
}

export interface Page {
  readonly resources: readonly Resource[];
  /** Where the next page starts; null at the end. */
  readonly next: string | null;
}

export type Reader = Kysely<Schema>;
export type RecordChange = (change: Change) => void;

/** Null when there is no such resource. The id's case does not matter. */
export async function findResource(db: Reader, id: string): Promise<Resource | null> {
  const row = await db.selectFrom('resources').selectAll().where('id', '=', normalId(id)).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** One page of the children of a type that `keep` accepts, newest first. `from` is an earlier page's `next`. */
export async function listResources(
  db: Reader,
  of: { readonly parentId: string; readonly type: string },
  page: { readonly size: number; readonly from: string | null; keep?(resource: Resource): boolean },
): Promise<Page> {
  const resources: Resource[] = [];
  let position = page.from === null ? null : parsePosition(page.from);
  for (;;) {
    let query = db
      .selectFrom('resources')
      .selectAll()
      .where('parent_id', '=', normalId(of.parentId))
      .where('type', '=', of.type);
    if (position !== null) {
      const [createdAt, id] = position;
      query = query.where((eb) =>
        eb.or([
          eb('created_at', '<', createdAt),
          eb.and([eb('created_at', '=', createdAt), eb('id', '<', id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(page.size + 1)
      .execute();
    for (const row of rows) {
      const resource = fromRow(row);
      if (page.keep?.(resource) === false) {
        position = [resource.createdAt, resource.id];
        continue;
      }
      if (resources.length === page.size) return { resources, next: formatPosition(position) };
      position = [resource.createdAt, resource.id];
      resources.push(resource);
    }
    if (rows.length <= page.size) return { resources, next: null };
  }
}

/** Creates or replaces, within the caller's transaction. What is created keeps its id's spelling and its creator. */
export async function putResource(
  tx: Tx,
  record: RecordChange,
  by: Attribution,
  now: number,
  draft: ResourceDraft,
): Promise<{ readonly resource: Resource; readonly created: boolean }> {
  const existing = await findResource(tx, draft.displayId);
  const resource: Resource = {
    id: normalId(draft.displayId),
    displayId: existing?.displayId ?? draft.displayId,
    type: draft.type,
    parentId: parentOf(normalId(draft.displayId)),
    name: existing?.name ?? draft.displayId.slice(draft.displayId.lastIndexOf('/') + 1),
    properties: draft.properties,
    tags: draft.tags ?? {},
    location: draft.location ?? null,
    etag: `"${randomUUID()}"`,
    createdAt: existing?.createdAt ?? now,
    createdBy: existing?.createdBy ?? by.chain,
    updatedAt: now,
    updatedBy: by.chain,
  };
  const row = toRow(resource);
  await tx
    .insertInto('resources')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute();
  const { displayId, type, tags } = resource;
  // Where there are none and were none, there is nothing that a condition could ask for.
  const tagged = Object.keys({ ...existing?.tags, ...tags }).length > 0;
  record({ kind: 'resource.put', id: displayId, type, created: existing === null, ...(tagged && { tags }) });
  return { resource, created: existing === null };
}

/** Removes one resource and everything beneath it; false when there was none. */
export async function deleteResource(tx: Tx, record: RecordChange, id: string): Promise<boolean> {
  const key = normalId(id);
  const doomed = await tx
    .selectFrom('resources')
    .select(['display_id', 'type', 'id'])
    .where((eb) => eb.or([eb('id', '=', key), eb('id', 'like', `${escapeLike(key)}/%`)]))
    .execute();
  const within = doomed.filter((row) => row.id === key || row.id.startsWith(`${key}/`));
  for (const row of within) {
    await tx.deleteFrom('resources').where('id', '=', row.id).execute();
    record({ kind: 'resource.deleted', id: row.display_id, type: row.type });
  }
  return within.length > 0;
}

/** `_` is a wildcard of LIKE and common in names: the caller filters again, this only narrows the scan. */
function escapeLike(text: string): string {
  return text.replaceAll('%', '_');
}

/** A child belongs to the resource two segments up: `…/data/iris` to the workspace, `…/versions/1` to `…/data/iris`. */
function parentOf(id: string): string {
  return id.split('/').slice(0, -2).join('/') || '/';
}

function formatPosition(position: readonly [number, string] | null): string | null {
  return position === null ? null : Buffer.from(JSON.stringify(position)).toString('base64url');
}

const positionSchema = z.tuple([z.number(), z.string()]);

function parsePosition(text: string): [number, string] {
  try {
    return positionSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new LockstepError({
      code: 'invalid_request',
      publicMessage: "The query parameter '$skip' is not one that this service gave out.",
      cause,
    });
  }
}

const jsonObject = z.record(z.string(), z.custom<Json>());
const stringMap = z.record(z.string(), z.string());
const chain = z.array(z.object({ kind: z.custom<ActorRef['kind']>(), id: z.string(), name: z.string() }));

function fromRow(row: Schema['resources']): Resource {
  return {
    id: row.id,
    displayId: row.display_id,
    type: row.type,
    parentId: row.parent_id,
    name: row.name,
    properties: jsonObject.parse(JSON.parse(row.properties_json)),
    tags: stringMap.parse(JSON.parse(row.tags_json)),
    location: row.location,
    etag: row.etag,
    createdAt: row.created_at,
    createdBy: chain.parse(JSON.parse(row.created_by_json)),
    updatedAt: row.updated_at,
    updatedBy: chain.parse(JSON.parse(row.updated_by_json)),
  };
}

function toRow(resource: Resource): Schema['resources'] {
  return {
    id: resource.id,
    display_id: resource.displayId,
    type: resource.type,
    parent_id: resource.parentId,
    name: resource.name,
    properties_json: canonicalJson(resource.properties),
    tags_json: canonicalJson(resource.tags),
    location: resource.location,
    etag: resource.etag,
    created_at: resource.createdAt,
    created_by_json: canonicalJson(chainJson(resource.createdBy)),
    updated_at: resource.updatedAt,
    updated_by_json: canonicalJson(chainJson(resource.updatedBy)),
  };
}

function chainJson(actors: readonly ActorRef[]): Json {
  return actors.map(({ kind, id, name }) => ({ kind, id, name }));
}
