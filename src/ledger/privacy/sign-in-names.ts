import { z } from 'zod';
import type { EventFilter } from '../search/event-filter.ts';
import type { SearchOptions } from '../search/search-events.ts';
import type { ToldEvent } from './tell-entry.ts';

type Search = (
  filter: EventFilter,
  options: SearchOptions,
) => Promise<{ readonly events: readonly ToldEvent[]; readonly next: number | null }>;

const atOnce = 1_000;

const recorded = z.object({
  unmapped: z.object({
    lockstep: z.object({
      change: z.object({ principal: z.object({ id: z.string(), signInName: z.string() }) }),
    }),
  }),
});

/**
 * What somebody has ever signed in by, so far as the ledger still tells it: others may have asked for them by that, and who
 * is gone from the directory is known by the object id only.
 */
export async function signInNames(search: Search, id: string): Promise<string[]> {
  const wanted = id.toLowerCase();
  const names = new Set<string>();
  let before: number | undefined;
  do {
    const { events, next } = await search(
      { person: wanted, action: 'principal.*' },
      { limit: atOnce, before },
    );
    for (const { event } of events) {
      const { data } = recorded.safeParse(event);
      const principal = data?.unmapped.lockstep.change.principal;
      if (principal?.id === wanted) names.add(principal.signInName);
    }
    before = next ?? undefined;
  } while (before !== undefined);
  return [...names];
}
