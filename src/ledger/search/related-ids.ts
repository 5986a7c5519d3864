import { isGuid } from '../../lib/ids.ts';
import { factsIn } from './event-facts.ts';
import type { SearchIndex } from './indexer.ts';
import { searchEvents } from './search-events.ts';

/** Requests whose events belong to a job: those that began it. */
const beginnings = ['principal.created', 'lease.opened'];

/**
 * The id, and those under which the rest of what belongs to it is recorded: of an event the decision and the request
 * that it came of, of a request its decisions, of a job the decision by which it was submitted.
 */
export async function relatedIds(index: SearchIndex, id: string, signal?: AbortSignal): Promise<string[]> {
  const related = new Set([id]);
  if (id.startsWith('evt_')) {
    const { events } = await searchEvents(index, { ids: [id] }, { limit: 1, signal });
    for (const { entry } of events) {
      const { decisions = [], correlations = [] } = factsIn(entry) ?? {};
      for (const one of [...decisions, ...correlations.filter((other) => other.startsWith('req_'))])
        related.add(one);
    }
    return [...related];
  }
  // The end of a read may be told by its decision alone, among others.
  if (id.startsWith('req_')) {
    const { events } = await searchEvents(index, { ids: [id] }, { limit: 8, signal });
    for (const { entry } of events) for (const one of factsIn(entry)?.decisions ?? []) related.add(one);
    return [...related];
  }
  if (!isGuid(id)) return [id];
  for (const action of beginnings) {
    const { events } = await searchEvents(index, { job: id, action }, { limit: 4, signal });
    for (const { entry } of events) {
      for (const one of factsIn(entry)?.decisions ?? []) related.add(one);
    }
  }
  return [...related];
}
