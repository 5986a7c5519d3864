/** What has been used, for as long as it could be used again. Of this process alone. */
export class UsedOnce {
  readonly #most: number;
  /** In seconds; the oldest first. */
  readonly #lapses = new Map<string, number>();

  constructor(most = 100_000) {
    this.#most = most;
  }

  /** False for what was used before, and when there is no room to remember another. */
  use(id: string, lapsesAt: number): boolean {
    const now = Date.now() / 1000;
    for (const [old, lapses] of this.#lapses) {
      if (lapses > now) break;
      this.#lapses.delete(old);
    }
    if (this.#lapses.has(id) || this.#lapses.size >= this.#most) return false;
    this.#lapses.set(id, lapsesAt);
    return true;
  }
}
