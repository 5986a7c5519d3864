import { failure } from '../../lib/errors.ts';
import type { EventFilter } from './event-filter.ts';
import type { Indexer } from './indexer.ts';
import { relatedIds } from './related-ids.ts';
import { searchEvents, type FoundEvents, type SearchOptions } from './search-events.ts';

/** So many events are indexed while a search waits. */
const maxAwaited = 100_000;

/** Looks through everything durable. Throws `ledger_unavailable` while the index of a large database is being built. */
export async function searchCaughtUp(
  indexer: Indexer,
  filter: EventFilter,
  options: SearchOptions,
): Promise<FoundEvents> {
  const behind = await indexer.behind();
  if (behind > maxAwaited) {
    indexer.schedule();
    throw failure(
      'ledger_unavailable',
      `The search index is being built: ${behind} events are left. Try again soon.`,
    );
  }
  const index = await indexer.caughtUp();
  if (filter.ids === undefined) return searchEvents(index, filter, options);
  const ids: string[] = [];
  for (const id of filter.ids) ids.push(...(await relatedIds(index, id, options.signal)));
  return searchEvents(index, { ...filter, ids }, options);
}
