/**
 * Members that come and go with every request, each taken out again by the slot that it got. A Map or Set of them begins a new
 * table every few changes, and in V8 each old table refers to the next: once one of them has grown old, whatever stood in those
 * that followed passes for alive until a full collection, and is copied by every short one before that.
 */
export class Slots<T extends object> {
  readonly #members: (T | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#members.length - this.#free.length;
  }

  /** The slot that it got, which may have been another's before. */
  add(member: T): number {
    const slot = this.#free.pop() ?? this.#members.length;
    this.#members[slot] = member;
    return slot;
  }

  /** False where it is not in that slot, or not any more. */
  remove(slot: number, member: T): boolean {
    if (this.#members[slot] !== member) return false;
    this.#members[slot] = null;
    this.#free.push(slot);
    return true;
  }

  /** In no order; what is taken out meanwhile is left out. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let slot = 0; slot < this.#members.length; slot++) {
      const member = this.#members[slot];
      if (member) yield member;
    }
  }
}
