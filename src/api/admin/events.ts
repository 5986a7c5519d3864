import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Route } from '../../gateway/routes.ts';
import type { Exchange, Reply } from '../../gateway/types.ts';
import { formatDisclosures } from '../../ledger/verify/disclose.ts';
import { eventFacts } from '../../ledger/search/event-facts.ts';
import { matches, type EventFilter } from '../../ledger/search/event-filter.ts';
import { parseDecimal } from '../../ledger/tlog/checkpoint.ts';
import { failure, LockstepError } from '../../lib/errors.ts';
import type { EventId, PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownAction, ownRule } from '../own-actions.ts';
import { parseEvent, type EventLog, type LoggedEvent } from './event-log.ts';
import { personId, readEventQuery, type EventQuery } from './event-query.ts';
import { ownId } from './own.ts';
import { callerOf, noBody, ok, smallJson } from './replies.ts';

const mostAtOnce = 1000;
/** Events compared with a filter without leaving the event loop. */
const mostCompared = 100;
/** How often a follower looks for events that no change announced (reads are events too). */
const pollMilliseconds = 500;

export interface EventParts {
  readonly ledger: EventLog;
  readonly snapshot: PolicySnapshot;
}

const pruning = z.strictObject({
  /** What happened before this goes, so far as the archive holds it. */
  before: z.iso.datetime({ offset: true }),
  /** The archive is to forget it as well. */
  archive: z.boolean().default(false),
});

const erasing = z
  .strictObject({
    /** Sign-in name, display name or object id. */
    person: z.string().min(1).max(320).optional(),
    /** Of a role, an assignment, a scope, or somebody who is gone; or an address. It is recorded, but for an address. */
    id: z
      .string()
      .max(4_096)
      .regex(
        /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\/.+|[a-z][a-z0-9+.-]*:\/\/.+|[^\s@/]+@[^\s@/]+|anonymous)$/i,
        'must be an object id, a scope, the id of a CI run or an address: it is recorded, so a name is not taken for one.',
      )
      .optional(),
    addresses: z.array(z.string().min(3).max(320)).max(100).default([]),
  })
  .refine(
    ({ person, id }) => (person === undefined) !== (id === undefined),
    'Give person or id, one of them.',
  );

/** The ledger's events for people and programs that may see everybody's, and receipts for those concerned. */
export function eventRoutes({ ledger, snapshot }: EventParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/events',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('events/read'),
      async serve(exchange) {
        const asked = readEventQuery(exchange.head.query, snapshot);
        if (asked.kind === 'search') return found(ledger, asked, exchange);
        const { after, limit, follow, filter } = asked;
        return lines(follow ? following(ledger, after, filter, exchange) : upTo(ledger, after, limit));
      },
    },
    {
      method: 'GET',
      path: '/admin/v1/events/:id/receipt',
      operation: 'Lockstep.Access/events/receipt',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('own-events'),
      async serve(exchange, { id = '' }) {
        const row = isEventId(id) ? await ledger.eventById(id) : null;
        if (row === null || !isOwn(exchange, row)) await requireAlso(exchange, ownAccess('events/read'));
        if (!isEventId(id)) throw failure('not_found', `There is no event ${id.slice(0, 80)}.`);
        // One whose row was pruned has its receipt from the archive.
        return receiptReply(await ledger.receipt(id));
      },
    },
    {
      method: 'GET',
      path: '/admin/v1/ledger/entries/:index/receipt',
      operation: 'Lockstep.Access/events/receipt',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('own-events'),
      async serve(exchange, { index = '' }) {
        const at = parseDecimal(index);
        const found = at === null ? null : await ledger.receiptAt(at).catch(notFoundIsNull);
        if (found === null || !isOwn(exchange, found)) await requireAlso(exchange, ownAccess('events/read'));
        if (found === null) throw failure('not_found', `The log holds no entry ${index.slice(0, 20)}.`);
        return receiptReply(found.text);
      },
    },
    {
      method: 'GET',
      path: '/admin/v1/events/:id/disclosures',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('events/read'),
      async serve(_exchange, { id = '' }) {
        if (!isEventId(id)) throw failure('not_found', `There is no event ${id.slice(0, 80)}.`);
        return {
          status: 200,
          headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
          body: formatDisclosures(await ledger.disclosures(id)),
        };
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/ledger/erase',
      effect: 'change',
      body: smallJson,
      guard: () => ownAction('ledger/erase/action'),
      async serve(exchange) {
        const { person, id, addresses } = exchange.json(erasing);
        const whom = id ?? personId(snapshot, person ?? '');
        const known = snapshot.principal(whom.toLowerCase() as PrincipalId);
        const signInName = known?.kind === 'user' ? known.signInName : null;
        const erased = await ledger.erase(exchange.attribution, {
          id: whom,
          addresses: signInName === null ? addresses : [signInName, ...addresses],
        });
        return ok({ id: whom, ...erased, stillKnown: known !== undefined });
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/ledger/prune',
      effect: 'change',
      body: smallJson,
      guard: () => ownAction('ledger/prune/action'),
      async serve(exchange) {
        const { before, archive } = exchange.json(pruning);
        if (archive) await requireAlso(exchange, ownAccess('ledger/pruneArchive/action'));
        const { attribution, signal } = exchange;
        const { firstIndex, rows } = await ledger.prune(attribution, Date.parse(before), signal);
        if (!archive) return ok({ firstIndex, rows });
        return ok({
          firstIndex,
          rows,
          archive: await ledger.pruneArchive(attribution, Date.parse(before), signal),
        });
      },
    },
  ];
}

/** Whether the caller had a part in it. */
function isOwn(exchange: Exchange, event: Pick<LoggedEvent, 'entry'>): boolean {
  const own = ownId(callerOf(exchange));
  return parseEvent({ told: event.entry }).unmapped.lockstep.chain.some((link) => link.id === own);
}

/** Whether there is such an entry is told to nobody who may not see it. */
function notFoundIsNull(error: unknown): null {
  if (error instanceof LockstepError && error.code === 'not_found') return null;
  throw error;
}

function receiptReply(body: string): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    body,
  };
}

/** One page, newest first; where there is more, `Link` leads on (RFC 8288). */
async function found(
  ledger: EventLog,
  { filter, limit, before, cursorAt }: Extract<EventQuery, { kind: 'search' }>,
  exchange: Exchange,
): Promise<Reply> {
  const { events, next } = await ledger.search(filter, { limit, before, signal: exchange.signal });
  const query = new URLSearchParams(exchange.head.query);
  if (next !== null) query.set('cursor', cursorAt(next));
  const link = next === null ? {} : { link: `</admin/v1/events?${query.toString()}>; rel="next"` };
  return lines(events.map(line), link);
}

function lines(
  of: Iterable<string> | AsyncIterable<string>,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store', ...headers },
    body: Readable.from(of, { objectMode: false }),
  };
}

function isEventId(id: string): id is EventId {
  return /^evt_[0-9a-z]{26}$/.test(id);
}

async function* upTo(ledger: EventLog, after: number, limit: number): AsyncGenerator<string> {
  let sequence = after;
  let left = limit;
  while (left > 0) {
    const rows = await ledger.eventsAfter(sequence, Math.min(left, mostAtOnce));
    if (rows.length === 0) return;
    for (const row of rows) yield line(row);
    left -= rows.length;
    sequence = rows.at(-1)?.sequence ?? sequence;
  }
}

/** Goes on until the client leaves, loses the right (the stream is cut then) or the server drains. */
async function* following(
  ledger: EventLog,
  after: number,
  filter: EventFilter | null,
  { signal }: Exchange,
): AsyncGenerator<string> {
  let sequence = after;
  let wake: () => void = () => undefined;
  const unfollow = ledger.follow(() => wake());
  const stop = () => wake();
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const rows = await ledger.eventsAfter(sequence, filter === null ? mostAtOnce : mostCompared);
      for (const row of rows) if (filter === null || isWanted(filter, row)) yield line(row);
      sequence = rows.at(-1)?.sequence ?? sequence;
      if (rows.length > 0) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMilliseconds);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    unfollow();
    signal.removeEventListener('abort', stop);
  }
}

/** What is told is canonical JSON; its place in the feed stands before it. */
function line(row: LoggedEvent): string {
  return `{"sequence":${row.sequence},"event":${Buffer.from(row.told).toString('utf8')}}\n`;
}

function isWanted(filter: EventFilter, { time, told }: LoggedEvent): boolean {
  return matches(filter, eventFacts(JSON.parse(Buffer.from(told).toString('utf8'))), time);
}
