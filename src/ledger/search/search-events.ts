import { setImmediate } from 'node:timers/promises';
import { eventFacts, factsIn, type EventFacts } from './event-facts.ts';
import { asksForSealed, clausesOf, matches, type EventFilter } from './event-filter.ts';
import type { FeedRow } from './index-rows.ts';
import type { SearchIndex } from './indexer.ts';
import {
  addPlace,
  allPlaces,
  downwards,
  keepCommon,
  noPlaces,
  segmentWidth,
  type Places,
} from './postings.ts';
import { keepBefore, SegmentTimes } from './segment-times.ts';

/** The event loop is given back after about so long. */
const sliceMilliseconds = 4;

export interface SearchOptions {
  /** Only events before this sequence; absent: from the newest on. */
  readonly before?: number | undefined;
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

export interface FoundEvents {
  /** Newest first. */
  readonly events: readonly FeedRow[];
  /** Where to go on: the `before` of the next page; null when there is no more. */
  readonly next: number | null;
}

/**
 * Events that the filter lets pass, newest first. Words that are looked for are cut with one another before any event
 * is read, so that two common ones which never meet cost no more than two that always do; every event that is read is
 * compared with the filter itself, as the log holds it.
 */
export async function searchEvents(
  index: SearchIndex,
  filter: EventFilter,
  { before = Infinity, limit, signal }: SearchOptions,
): Promise<FoundEvents> {
  const search = await index.rows.turn(() => new Search(index, filter, before, limit));
  while (!search.done) {
    signal?.throwIfAborted();
    const candidates = await index.rows.turn(() => search.goOn());
    const rows = await index.asLogged(candidates);
    search.take(rows, await factsOf(index, filter, rows));
    await setImmediate();
  }
  const events = search.found.slice(0, limit);
  return { events, next: search.found.length > limit ? (events.at(-1)?.sequence ?? null) : null };
}

/** What the rows say; of what they only bind also what may still be told, where that may be what is looked for. */
async function factsOf(
  index: SearchIndex,
  filter: EventFilter,
  rows: readonly FeedRow[],
): Promise<EventFacts[]> {
  const facts = rows.map(({ entry }) => factsIn(entry) ?? eventFacts(null));
  if (!asksForSealed(filter)) return facts;
  const sealed = rows.filter((_row, i) => facts[i]?.isCorrelationSealed === true);
  const told = new Map<number, EventFacts>();
  for (const { sequence, event } of await index.told(sealed)) told.set(sequence, eventFacts(event));
  return facts.map((one, i) => told.get(rows[i]?.sequence ?? -1) ?? one);
}

class Search {
  readonly found: FeedRow[] = [];
  done = false;
  readonly #index: SearchIndex;
  readonly #filter: EventFilter;
  readonly #before: number;
  readonly #limit: number;
  /** Of each an event has one of the keys, or is one of the sequences. */
  readonly #clauses: readonly { readonly keys: readonly number[]; readonly sequences: readonly number[] }[];
  readonly #steps: Generator<void>;
  /** Read, and not compared with the filter yet. */
  #candidates: FeedRow[] = [];

  constructor(index: SearchIndex, filter: EventFilter, before: number, limit: number) {
    this.#index = index;
    this.#filter = filter;
    this.#before = before;
    this.#limit = limit;
    this.#clauses = clausesOf(filter).map(({ words, ids }) => ({
      keys: words.map((word) => index.keys.of(word)),
      sequences: ids.flatMap((id) => index.rows.sequencesOf(id)),
    }));
    this.#steps = this.#walk();
  }

  /** Goes on for one slice of time; `take` is to be given the rows that it has read. */
  goOn(): readonly FeedRow[] {
    this.#candidates = [];
    const started = performance.now();
    while (!this.done && !this.#mayBeEnough() && performance.now() - started < sliceMilliseconds) {
      this.done = this.#steps.next().done === true;
    }
    return this.#candidates;
  }

  take(rows: readonly FeedRow[], facts: readonly EventFacts[]): void {
    for (const [i, row] of rows.entries()) {
      const own = facts[i];
      if (own !== undefined && this.#isWanted(row, own)) this.found.push(row);
    }
    this.done ||= this.found.length > this.#limit;
  }

  #mayBeEnough(): boolean {
    return this.found.length + this.#candidates.length > this.#limit;
  }

  *#walk(): Generator<void> {
    const { open, sealed } = this.#index;
    yield* this.#read(open.segment, open.times, (key, places) => open.addPlacesOf(key, places));
    for (let i = sealed.length - 1; i >= 0 && this.found.length <= this.#limit; i--) {
      const span = sealed[i];
      if (span === undefined || !this.#mayHold(span.segment, span.firstTime, span.lastTime)) continue;
      yield* this.#read(span.segment, null, (key, places) =>
        this.#index.rows.addPlacesOf(span.segment, key, places),
      );
    }
  }

  #mayHold(segment: number, firstTime: number, lastTime: number): boolean {
    const { since = -Infinity, until = Infinity } = this.#filter;
    return segment * segmentWidth < this.#before && lastTime >= since && firstTime < until;
  }

  *#read(
    segment: number,
    times: SegmentTimes | null,
    addPlacesOf: (key: number, places: Places) => void,
  ): Generator<void> {
    const places = this.#places(segment, times, addPlacesOf);
    yield;
    if (places === null) return;
    let read = 0;
    for (const place of downwards(places)) {
      if (this.found.length > this.#limit) return;
      const row = this.#index.rows.row(segment * segmentWidth + place);
      if (row !== null) this.#candidates.push(row);
      if (++read % 16 === 0 || this.#mayBeEnough()) yield;
    }
  }

  /** Null when the segment holds nothing. */
  #places(
    segment: number,
    times: SegmentTimes | null,
    addPlacesOf: (key: number, places: Places) => void,
  ): Places | null {
    const places = allPlaces();
    keepBefore(places, segment, this.#before);
    for (const { keys, sequences } of this.#clauses) {
      const clause = noPlaces();
      for (const key of keys) addPlacesOf(key, clause);
      for (const sequence of sequences) {
        if (Math.floor(sequence / segmentWidth) === segment) addPlace(clause, sequence % segmentWidth);
      }
      if (!keepCommon(places, clause)) return null;
    }
    const { since, until } = this.#filter;
    if (since !== undefined || until !== undefined || this.#clauses.length === 0) {
      const known = times ?? this.#index.rows.timesOf(segment);
      if (known === null) return null;
      known.keepWithin(places, since ?? -Infinity, until ?? Infinity);
    }
    return places;
  }

  #isWanted({ time }: FeedRow, facts: EventFacts): boolean {
    return matches(this.#filter, facts, time);
  }
}
