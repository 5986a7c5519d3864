import { keepBelow, segmentWidth, type Places } from './postings.ts';

/** Places of a segment that share an earliest and a latest time. */
const partWidth = 64;
const parts = segmentWidth / partWidth;

/** When the events of a segment happened, as far as a search must know to leave whole parts out: to the second. */
export class SegmentTimes {
  first = Infinity;
  last = -Infinity;
  /** Seconds since the epoch: the earliest of each part, then the latest of each. */
  readonly #seconds: Float64Array;

  constructor(
    seconds: Float64Array = new Float64Array(parts * 2).fill(Infinity, 0, parts).fill(-Infinity, parts),
  ) {
    this.#seconds = seconds;
  }

  add(place: number, time: number): void {
    this.first = Math.min(this.first, time);
    this.last = Math.max(this.last, time);
    const part = Math.floor(place / partWidth);
    const second = Math.floor(time / 1_000);
    this.#seconds[part] = Math.min(this.#seconds[part] ?? Infinity, second);
    this.#seconds[parts + part] = Math.max(this.#seconds[parts + part] ?? -Infinity, second);
  }

  /** Takes the parts out that lie wholly outside of `since` ≤ time < `until` (milliseconds). */
  keepWithin(places: Places, since: number, until: number): void {
    const wordsPerPart = partWidth / 32;
    for (let part = 0; part < parts; part++) {
      const earliest = (this.#seconds[part] ?? Infinity) * 1_000;
      const latest = (this.#seconds[parts + part] ?? -Infinity) * 1_000 + 999;
      if (earliest >= until || latest < since) places.fill(0, part * wordsPerPart, (part + 1) * wordsPerPart);
    }
  }

  encode(): Uint8Array {
    return new Uint8Array(this.#seconds.slice().buffer);
  }

  static decode(bytes: Uint8Array): SegmentTimes {
    if (bytes.length !== parts * 2 * 8) throw new Error('the search index is damaged');
    return new SegmentTimes(new Float64Array(bytes.slice().buffer));
  }
}

/** Leaves what lies before sequence `before`. */
export function keepBefore(places: Places, segment: number, before: number): void {
  keepBelow(places, Math.min(segmentWidth, Math.max(0, before - segment * segmentWidth)));
}
