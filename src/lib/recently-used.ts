/**
 * What was used last, by its key, in two generations: what is found in the older one moves to the younger, and when that is
 * full it becomes the older. So of `most` entries at least the half that was used last is kept, and to find one changes nothing.
 */
export class RecentlyUsed<Key, Value> {
  readonly #perGeneration: number;
  #younger = new Map<Key, Value>();
  #older = new Map<Key, Value>();

  constructor(most: number) {
    this.#perGeneration = Math.max(1, Math.floor(most / 2));
  }

  get(key: Key): Value | undefined {
    const found = this.#younger.get(key);
    if (found !== undefined) return found;
    const former = this.#older.get(key);
    if (former !== undefined) this.set(key, former);
    return former;
  }

  set(key: Key, value: Value): void {
    if (this.#younger.size >= this.#perGeneration && !this.#younger.has(key)) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(key, value);
  }

  delete(key: Key): void {
    this.#younger.delete(key);
    this.#older.delete(key);
  }
}
