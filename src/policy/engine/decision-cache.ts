/** Look-ups after which it is weighed whether looking is worth it. */
const window = 4_096;
/** Decisions that pass by a cache that was not worth it: at first, and after as many vain trials as make it so. */
const shortRest = 65_536;
const longRest = 2 ** 18;

const width = 4;

/**
 * The outcomes of decisions, found again by their whole key, never by a hash of it. An outcome counts only if nothing
 * that it depends on has changed since: its time is compared with that of its principal and of the policy at large.
 */
export class DecisionCache {
  readonly #entries: Int32Array;
  readonly #mask: number;
  /** The highest bits of a hash are the place of an entry: there every bit of the key has a say, the highest too. */
  readonly #shift: number;
  #looks = 0;
  #hits = 0;
  #resting = 0;
  #rest = shortRest;

  /** `size` entries, a power of two; 16 bytes and a time each. */
  constructor(size: number) {
    this.#entries = new Int32Array(size * (width + 1));
    this.#mask = size - 1;
    this.#shift = Math.clz32(size - 1);
  }

  /** Whether to ask at all: traffic that seldom repeats itself is better off without. */
  get worthwhile(): boolean {
    if (this.#resting === 0) return true;
    this.#resting--;
    return false;
  }

  /** The outcome that was stored for this key at or after `since`, or `none`. `place` is the scope and its exactness. */
  find(principal: number, action: number, place: number, since: number): number {
    const entries = this.#entries;
    const at = this.#at(principal, action, place);
    if (++this.#looks === window) this.#weigh();
    if (
      entries[at] !== principal + 1 ||
      entries[at + 1] !== action ||
      entries[at + 2] !== place ||
      (entries[at + 4] ?? 0) < since
    ) {
      return none;
    }
    this.#hits++;
    return entries[at + 3] ?? none;
  }

  store(principal: number, action: number, place: number, outcome: number, now: number): void {
    const entries = this.#entries;
    const at = this.#at(principal, action, place);
    entries[at] = principal + 1;
    entries[at + 1] = action;
    entries[at + 2] = place;
    entries[at + 3] = outcome;
    entries[at + 4] = now;
  }

  clear(): void {
    this.#entries.fill(0);
  }

  #at(principal: number, action: number, place: number): number {
    const hash =
      Math.imul(principal, 0x9e37_79b1) ^ Math.imul(place, 0x85eb_ca6b) ^ Math.imul(action, 0xc2b2_ae35);
    return ((hash >>> this.#shift) & this.#mask) * (width + 1);
  }

  #weigh(): void {
    if (this.#hits * 8 < window) {
      this.#resting = this.#rest;
      this.#rest = Math.min(this.#rest * 2, longRest);
    } else this.#rest = shortRest;
    this.#looks = 0;
    this.#hits = 0;
  }
}

/** No outcome. */
export const none = -0x8000_0000;
