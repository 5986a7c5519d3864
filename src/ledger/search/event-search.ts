import { failure } from '../../lib/errors.ts';
import type { Turns } from '../../store/connection.ts';
import type { AsLogged } from '../logged-entries.ts';
import type { TellRows } from '../privacy/teller.ts';
import type { EventFilter } from './event-filter.ts';
import { Indexer, type IndexLog } from './indexer.ts';
import { relatedIds } from './related-ids.ts';
import { searchEvents, type FoundEvents, type SearchOptions } from './search-events.ts';

/** So many events are indexed while a search waits. */
const maxAwaited = 100_000;

/** Finds events of a feed, whichever thread it is read by. */
export class EventSearch {
  readonly #indexer: Indexer;

  constructor(store: Turns, log: IndexLog, asLogged: AsLogged, told: TellRows) {
    this.#indexer = new Indexer(store, log, asLogged, told);
  }

  /** Looks through everything durable. Throws `ledger_unavailable` while the index of a large database is being built. */
  async find(filter: EventFilter, options: SearchOptions): Promise<FoundEvents> {
    const behind = await this.#indexer.behind();
    if (behind > maxAwaited) {
      this.#indexer.schedule();
      throw failure(
        'ledger_unavailable',
        `The search index is being built: ${behind} events are left. Try again soon.`,
      );
    }
    const index = await this.#indexer.caughtUp();
    if (filter.ids === undefined) return searchEvents(index, filter, options);
    const ids: string[] = [];
    for (const id of filter.ids) ids.push(...(await relatedIds(index, id, options.signal)));
    return searchEvents(index, { ...filter, ids }, options);
  }

  /** There is news. */
  schedule(): void {
    this.#indexer.schedule();
  }

  /** Nothing before this sequence has a row any more. */
  async forget(before: number): Promise<void> {
    await this.#indexer.forget(before);
  }

  async close(): Promise<void> {
    await this.#indexer.close();
  }
}
