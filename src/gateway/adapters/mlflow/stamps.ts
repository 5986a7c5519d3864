import { z } from 'zod';
import type { Caller } from '../../../identity/caller.ts';
import { failure } from '../../../lib/errors.ts';
import type { Params } from '../../routes.ts';
import { parseJson } from '../../bodies/parse-body.ts';
import { member, readJson, type JsonNode } from './json-text.ts';

/** Who makes something, and under which decision. */
export interface Author {
  readonly caller: Caller;
  readonly decisionId: string;
}

/** A request that may say something of its author. */
export interface Stamped {
  readonly bytes: Buffer;
  /** Its JSON; null where the body is not read. */
  readonly root: JsonNode | null;
  readonly params: Params;
  readonly author: Author;
}

/** The body to forward in place of the caller's; null for the caller's own. Throws `access_denied`. */
export type Stamp = (request: Stamped) => Buffer | null;

/**
 * Tags that say who did something, or where the server keeps it. The former are written when it is made, from the
 * caller's identity, and never again: `mlflow.user` is what MLflow shows as the owner, `mlflow.auth.*` what it would
 * know of them itself, `lockstep.*` is what the log can be asked about. The latter are the server's own, which then
 * reads a trace from wherever they lead; only its client, not the server, keeps others from setting them.
 */
export function isReservedTag(key: string): boolean {
  // As loosely as the most liberal collation of a database compares: without case, accents, width and outer space.
  const plain = key
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .trim()
    .toLowerCase();
  return reserved.has(plain) || plain.startsWith('lockstep.') || plain.startsWith('mlflow.auth.');
}

const reserved = new Set([
  'mlflow.user',
  'mlflow.artifactlocation',
  'mlflow.trace.spanslocation',
  'mlflow.trace.archivelocation',
]);

/**
 * Refuses reserved tags in these members (a key, an array of `{key, …}`, a map) or in a parameter of the path of that
 * name. A later change is refused rather than dropped: who asks for it should know that it did not happen.
 */
export function refuseReserved(...fields: readonly string[]): Stamp {
  return ({ root, params }) => {
    for (const field of fields) {
      for (const key of keysIn(member(root, field), params[field])) refuseTag(key);
    }
    return null;
  };
}

function refuseTag(key: string): void {
  if (!isReservedTag(key)) return;
  throw failure(
    'access_denied',
    `The tag \`${key.slice(0, 100)}\` says who made this or where it is kept, so it is written by Lockstep, ` +
      `from the identity of the caller who made it, or by MLflow; it cannot be set, changed or removed.`,
  );
}

function keysIn(node: JsonNode | null, parameter: string | undefined): string[] {
  const keys = parameter === undefined ? [] : [parameter];
  if (node?.kind === 'string') return [...keys, node.value];
  if (node?.kind === 'object') return [...keys, ...node.members.keys()];
  if (node?.kind !== 'array') return keys;
  return [...keys, ...node.items.map((item) => keyOf(item))];
}

function keyOf(item: JsonNode): string {
  const key = member(item, 'key');
  if (key?.kind !== 'string') throw failure('invalid_request', 'A tag must be an object with a key.');
  return key.value;
}

/** With nothing that MLflow would stumble over: what stands behind it would then be lost, its author for one. */
const list = z.array(z.looseObject({ key: z.string(), value: z.string().nullish() }));
const tags = list.nullish();
const tagged = z.looseObject({ tags });
/** Of a trace MLflow refuses null. */
const traceV2 = z.looseObject({ request_metadata: list.optional(), tags: list.optional() });
const map = z.record(z.string(), z.unknown()).nullish();
const dataset = z.looseObject({ tags: z.string().nullish() });
const assessments = z.array(z.looseObject({})).nullish();
const texts = z.record(z.string(), z.string()).nullish();
const trace = z.looseObject({
  trace: z.looseObject({
    trace_info: z.looseObject({
      trace_location: z.looseObject({}).nullish(),
      trace_metadata: texts,
      tags: texts,
      assessments,
    }),
  }),
});

/**
 * Every client says who its run belongs to (the user of its operating system), so what it says is not refused but
 * overwritten.
 */
export const stampRun: Stamp = ({ bytes, author }) => {
  const body = parseJson(bytes, tagged);
  return json({ ...body, user_id: nameOf(author), tags: withAuthor(body.tags, author) }, 'user_id', 'tags');
};

export const stampModel: Stamp = ({ bytes, author }) => {
  const body = parseJson(bytes, tagged);
  return json({ ...body, tags: withAuthor(body.tags, author) }, 'tags');
};

export const stampTraceV2: Stamp = ({ bytes, author }) => {
  const body = parseJson(bytes, traceV2);
  const stamped = {
    ...body,
    request_metadata: withAuthor(body.request_metadata, author),
    tags: (body.tags ?? []).filter(({ key }) => !isReservedTag(key)),
  };
  return json(stamped, 'request_metadata', 'tags');
};

/**
 * A trace's metadata cannot be changed later, its tags can: so the author stands in the former. The server overwrites
 * the assessment of an id, be it another trace's; clients give none, and the server then makes one up.
 */
export const stampTrace: Stamp = ({ bytes, author }) => {
  const body = parseJson(bytes, trace);
  const info = body.trace.trace_info;
  const { trace_location: location, assessments: given } = info;
  const stamped = {
    ...info,
    ...(location && { trace_location: inOrder(location, 'mlflow_experiment') }),
    trace_metadata: { ...unreserved(info.trace_metadata), ...Object.fromEntries(authorTags(author)) },
    tags: unreserved(info.tags),
    ...(given && { assessments: given.map(withoutId) }),
  };
  const ordered = inOrder(stamped, 'trace_location', 'trace_metadata', 'trace_id', 'tags');
  return json({ ...body, trace: inOrder({ ...body.trace, trace_info: ordered }, 'trace_info') }, 'trace');
};

/** A dataset's tags travel as JSON within a string. */
export const stampDataset: Stamp = ({ bytes, author }) => {
  const body = parseJson(bytes, dataset);
  const given = body.tags ?? '';
  const within = given === '' ? {} : parseJson(Buffer.from(given), map);
  const stamped = { ...unreserved(within), ...Object.fromEntries(authorTags(author)) };
  return json({ ...body, tags: JSON.stringify(stamped) }, 'tags');
};

/** Refuses reserved tags where they travel as JSON within a string. */
export const refuseReservedWithin: Stamp = (request) => {
  const tags = member(request.root, 'tags');
  if (tags === null) return null;
  if (tags.kind !== 'string') throw failure('invalid_request', '`tags` must be JSON within a string.');
  const root = tags.value === '' ? null : readJson(Buffer.from(tags.value)).root;
  if (root !== null && root.kind !== 'object')
    throw failure('invalid_request', '`tags` must hold an object.');
  for (const key of root?.members.keys() ?? []) refuseTag(key);
  return null;
};

function withAuthor(given: z.infer<typeof tags>, author: Author) {
  const kept = (given ?? []).filter(({ key }) => !isReservedTag(key));
  return [...kept, ...authorTags(author).map(([key, value]) => ({ key, value }))];
}

function unreserved(given: z.infer<typeof map>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([key]) => !isReservedTag(key)));
}

function withoutId(assessment: object): object {
  return Object.fromEntries(
    Object.entries(assessment).filter(([name]) => !['assessment_id', 'assessmentId'].includes(name)),
  );
}

function authorTags(author: Author): (readonly [string, string])[] {
  const { caller, decisionId } = author;
  const job = caller.chain.findLast(({ kind }) => kind === 'job');
  return [
    ['mlflow.user', nameOf(author)],
    ['lockstep.principal', caller.subject.id],
    ['lockstep.decision', decisionId],
    ...(job === undefined ? [] : [['lockstep.job', job.id] as const]),
  ];
}

/** MLflow keeps up to 256 characters of a user. */
function nameOf({ caller }: Author): string {
  return caller.subject.name.slice(0, 256);
}

/** With these members before all others: see `placesFirst`. */
function json(value: object, ...first: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(inOrder(value, ...first)));
}

function inOrder(value: object, ...first: readonly string[]): object {
  const members = new Map<string, unknown>(Object.entries(value));
  const ahead = first.filter((name) => members.has(name)).map((name) => [name, members.get(name)] as const);
  return Object.fromEntries([...ahead, ...[...members].filter(([name]) => !first.includes(name))]);
}
