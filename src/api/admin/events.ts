import { Readable } from 'node:stream';
import type { Route } from '../../gateway/routes.ts';
import type { Exchange } from '../../gateway/types.ts';
import { failure } from '../../lib/errors.ts';
import type { EventId } from '../../lib/ids.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownAction, ownRule } from '../own-actions.ts';
import { parseEvent, type EventLog } from './event-log.ts';
import { ownId } from './own.ts';
import { callerOf, noBody } from './replies.ts';

const mostAtOnce = 1000;
/** How often a follower looks for events that no change announced (reads are events too). */
const pollMilliseconds = 500;

/** The ledger's events for people and programs that may see everybody's, and receipts for those concerned. */
export function eventRoutes({ ledger }: { readonly ledger: EventLog }): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/events',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('events/read'),
      serve(exchange) {
        const { query } = exchange.head;
        const after = wholeNumber(query, 'after', 0);
        const limit = wholeNumber(query, 'limit', 100);
        const follow = query.get('follow') === 'true';
        const lines = follow ? following(ledger, after, exchange) : upTo(ledger, after, limit);
        return Promise.resolve({
          status: 200,
          headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
          body: Readable.from(lines, { objectMode: false }),
        });
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
        const row = /^evt_[0-9a-z]{26}$/.test(id) ? await ledger.eventById(id as EventId) : null;
        const own = ownId(callerOf(exchange));
        const mine = row !== null && parseEvent(row).unmapped.lockstep.chain.some((link) => link.id === own);
        if (!mine) await requireAlso(exchange, ownAccess('events/read'));
        if (row === null) throw failure('not_found', `There is no event ${id.slice(0, 80)}.`);
        return {
          status: 200,
          headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
          body: await ledger.receipt(id as EventId),
        };
      },
    },
  ];
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
async function* following(ledger: EventLog, after: number, { signal }: Exchange): AsyncGenerator<string> {
  let sequence = after;
  let wake: () => void = () => undefined;
  const unfollow = ledger.follow(() => wake());
  const stop = () => wake();
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const rows = await ledger.eventsAfter(sequence, mostAtOnce);
      for (const row of rows) yield line(row);
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

/** The entry itself is canonical JSON; its place in the feed stands before it. */
function line(row: { readonly sequence: number; readonly entry: Uint8Array }): string {
  return `{"sequence":${row.sequence},"event":${Buffer.from(row.entry).toString('utf8')}}\n`;
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw failure('invalid_request', `${name} must be a whole number.`, { target: name });
}
