import { hash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import { isGuid, type PrincipalId } from '../../lib/ids.ts';
import { actionForm, type EventFilter } from '../../ledger/search/event-filter.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';

/** The feed, oldest first, as it stands or as it goes on; or a search, newest first. */
export type EventQuery =
  | {
      readonly kind: 'feed';
      readonly after: number;
      readonly limit: number;
      readonly follow: boolean;
      readonly filter: EventFilter | null;
    }
  | {
      readonly kind: 'search';
      readonly filter: EventFilter;
      readonly limit: number;
      readonly before: number | undefined;
      /** The cursor of the page that goes on before this sequence. */
      readonly cursorAt: (before: number) => string;
    };

const mostFound = 1_000;

const text = z.string().min(1, 'must not be empty.').max(4_096, 'is too long.');
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number.')
  .transform(Number);
const time = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/,
    'must be a day or a time of ISO 8601 with its zone, such as 2027-03-01 or 2027-03-01T08:00:00Z.',
  )
  .transform((written) => Date.parse(written))
  .refine((milliseconds) => !Number.isNaN(milliseconds), 'is no time of the calendar.');

const schema = z.strictObject({
  person: text.max(320, 'is too long.').optional(),
  resource: text
    .regex(/^\//, 'must be a scope, which begins with /.')
    .refine((scope) => !scope.includes('*'), 'must be a scope without `*`: what is beneath it is found too.')
    .optional(),
  action: text
    .regex(actionForm, 'must be an operation, or the beginning of some and `/*` or `.*`.')
    .optional(),
  decision: z.enum(['allow', 'deny'], 'must be allow or deny.').optional(),
  policy: text.optional(),
  job: text.optional(),
  session: text.optional(),
  correlation: text.optional(),
  id: text.optional(),
  since: time.optional(),
  until: time.optional(),
  limit: wholeNumber.optional(),
  cursor: text.optional(),
  after: wholeNumber.optional(),
  follow: z.enum(['true', 'false'], 'must be true or false.').optional(),
  order: z.enum(['newest'], 'must be newest, or be left out.').optional(),
});

/**
 * Reads the query of `GET /admin/v1/events`. People and jobs may be named; those that are gone from the directory are
 * found by their ids. Throws `invalid_request` for what it does not understand, `not_found` for a name that nobody has.
 */
export function readEventQuery(query: URLSearchParams, snapshot: PolicySnapshot): EventQuery {
  const given: Record<string, string> = {};
  for (const [name, value] of query) {
    if (Object.hasOwn(given, name)) throw refuse(name, 'is given twice.');
    Object.defineProperty(given, name, { value, enumerable: true });
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    if (issue?.code === 'unrecognized_keys') throw refuse(issue.keys[0] ?? '', 'is not known here.');
    throw refuse(issue?.path.join('.') ?? 'query', issue?.message ?? 'is not valid.');
  }
  const { limit, cursor, after, follow, order, id, person, job, ...rest } = parsed.data;
  const { since, until } = rest;
  if (since !== undefined && until !== undefined && since >= until) {
    throw refuse('since', 'must lie before until, and does not.');
  }
  const filter: EventFilter = {
    ...rest,
    person: person === undefined ? undefined : personId(snapshot, person),
    job: job === undefined ? undefined : jobId(snapshot, job),
    ids: id === undefined ? undefined : [id],
  };
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const follows = follow === 'true';
  if (after !== undefined || follows || (!filtered && cursor === undefined && order === undefined)) {
    if (cursor !== undefined || order !== undefined) {
      throw refuse(cursor === undefined ? 'order' : 'cursor', 'is for a search, without after and follow.');
    }
    if (filtered && !follows) {
      throw refuse(
        'after',
        'goes with follow=true only when a filter is given: a search begins with the newest.',
      );
    }
    return {
      kind: 'feed',
      after: after ?? 0,
      limit: limit ?? 100,
      follow: follows,
      filter: filtered ? filter : null,
    };
  }
  if (limit !== undefined && (limit < 1 || limit > mostFound)) {
    throw refuse('limit', `must be from 1 to ${mostFound}; go on with the cursor.`);
  }
  const mark = hash('sha256', canonicalJson(JSON.parse(JSON.stringify(filter))), 'hex').slice(0, 12);
  return {
    kind: 'search',
    filter,
    limit: limit ?? 100,
    before: cursor === undefined ? undefined : readCursor(cursor, mark),
    cursorAt: (before) => Buffer.from(`${before}.${mark}`).toString('base64url'),
  };
}

function readCursor(cursor: string, mark: string): number {
  const [, before, of] =
    /^(\d{1,15})\.([0-9a-f]{12})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (before === undefined) throw refuse('cursor', 'is not one that was given out here.');
  if (of !== mark) throw refuse('cursor', 'belongs to another search: ask for the same as before.');
  return Number(before);
}

/** Of a sign-in name, a display name or an id. Throws `not_found` for a name that nobody has, `invalid_request` for that of several. */
export function personId(snapshot: PolicySnapshot, name: string): string {
  if (isGuid(name) && snapshot.principal(name.toLowerCase() as PrincipalId) !== undefined) return name;
  const wanted = name.toLowerCase();
  for (const record of snapshot.principals()) {
    if (record.signInName?.toLowerCase() === wanted) return record.id;
  }
  // Ids of runs of CI systems are addresses; somebody who was deleted is known by the object id only.
  if (isGuid(name) || name.includes('://')) return name;
  return named(snapshot, 'person', name, (kind) => kind !== 'job');
}

function jobId(snapshot: PolicySnapshot, name: string): string {
  return isGuid(name) ? name : named(snapshot, 'job', name, (kind) => kind === 'job');
}

function named(
  snapshot: PolicySnapshot,
  target: string,
  name: string,
  among: (kind: string) => boolean,
): string {
  const found = [...snapshot.principals()].filter(
    ({ kind, displayName }) => among(kind) && displayName.toLowerCase() === name.toLowerCase(),
  );
  const [first, ...others] = found;
  if (first === undefined) {
    const hint = 'who was deleted is found by object id';
    throw failure('not_found', `There is no ${target} named ${name.slice(0, 80)}; ${hint}.`, { target });
  }
  if (others.length > 0) throw refuse(target, `names ${found.length} of that name: give an object id.`);
  return first.id;
}

function refuse(target: string, what: string): Error {
  return failure('invalid_request', `${target.slice(0, 80)} ${what}`, { target: target.slice(0, 80) });
}
