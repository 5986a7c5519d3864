import { addPlace, encodePlaces, encodeRare, segmentWidth, type Places } from './postings.ts';
import { SegmentTimes } from './segment-times.ts';

/** Words that occur at least so often in a segment have a row of their own. */
const commonFrom = 8;
/** The others share this many rows. */
export const rareRows = 128;

/** What is to be stored of a segment that is complete. */
export interface SealedSegment {
  readonly segment: number;
  readonly events: number;
  readonly times: SegmentTimes;
  /** By key, in order. */
  readonly common: readonly { readonly key: number; readonly places: Uint8Array }[];
  readonly rare: readonly { readonly row: number; readonly places: Uint8Array }[];
}

/** The newest segment, in memory until it is complete. */
export class OpenSegment {
  readonly segment: number;
  readonly times = new SegmentTimes();
  events = 0;
  /** The only place of a word, or all of them in order. */
  readonly #places = new Map<number, number | number[]>();

  constructor(segment: number) {
    this.segment = segment;
  }

  /** In order of sequence. `keys` may hold one twice. */
  add(sequence: number, time: number, keys: readonly number[]): void {
    const place = sequence - this.segment * segmentWidth;
    this.events += 1;
    this.times.add(place, time);
    for (const key of keys) {
      const known = this.#places.get(key);
      if (known === undefined) this.#places.set(key, place);
      else if (typeof known !== 'number') {
        if (known.at(-1) !== place) known.push(place);
      } else if (known !== place) this.#places.set(key, [known, place]);
    }
  }

  addPlacesOf(key: number, places: Places): void {
    const known = this.#places.get(key);
    if (typeof known === 'number') addPlace(places, known);
    else known?.forEach((place) => addPlace(places, place));
  }

  sealed(): SealedSegment {
    const common: { key: number; places: Uint8Array }[] = [];
    const rare: number[] = [];
    for (const [key, known] of this.#places) {
      if (typeof known === 'number') rare.push(key * segmentWidth + known);
      else if (known.length < commonFrom) for (const place of known) rare.push(key * segmentWidth + place);
      else common.push({ key, places: encodePlaces(known) });
    }
    return {
      segment: this.segment,
      events: this.events,
      times: this.times,
      common: common.sort((a, b) => a.key - b.key),
      rare: rareRowsOf(Float64Array.from(rare).sort()),
    };
  }
}

/** Which of the rows of rare words a key is in. */
export function rareRowOf(key: number): number {
  return Math.floor(key / (2 ** 32 / rareRows));
}

/** `sorted` holds key × width of a segment + place. */
function rareRowsOf(sorted: Float64Array): SealedSegment['rare'] {
  const rows: { row: number; places: Uint8Array }[] = [];
  for (let start = 0; start < sorted.length;) {
    const row = rareRowOf(Math.floor((sorted[start] ?? 0) / segmentWidth));
    let end = start;
    while (end < sorted.length && rareRowOf(Math.floor((sorted[end] ?? 0) / segmentWidth)) === row) end += 1;
    rows.push({ row, places: encodeRare(sorted.subarray(start, end)) });
    start = end;
  }
  return rows;
}
