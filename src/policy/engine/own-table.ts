/**
 * What one principal is assigned, by scope: an open-addressing hash table in one array of numbers, always complete
 * and changed in place. Per scope it holds the first slot of a list; the list goes on in `Assignments.next`.
 */
export class OwnTable {
  /** Pairs of scope + 1 (0: empty) and first slot. */
  #data = new Int32Array(8);
  #mask = 3;
  #count = 0;

  /** The first slot at this scope, or -1. */
  get(scope: number): number {
    const data = this.#data;
    for (let i = home(scope, this.#mask); ; i = (i + 1) & this.#mask) {
      const key = data[i * 2] ?? 0;
      if (key === scope + 1) return data[i * 2 + 1] ?? -1;
      if (key === 0) return -1;
    }
  }

  /** A `slot` of -1 takes the scope out. */
  set(scope: number, slot: number): void {
    if (slot < 0) this.#delete(scope);
    else if (this.#put(scope, slot) && ++this.#count * 4 > (this.#mask + 1) * 3) this.#grow();
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Calls `take` with the first slot of every scope. */
  eachHead(take: (slot: number) => void): void {
    const data = this.#data;
    for (let i = 0; i < data.length; i += 2) if (data[i] !== 0) take(data[i + 1] ?? -1);
  }

  /** Whether the scope is new. */
  #put(scope: number, slot: number): boolean {
    const data = this.#data;
    let i = home(scope, this.#mask);
    while (data[i * 2] !== 0 && data[i * 2] !== scope + 1) i = (i + 1) & this.#mask;
    const isNew = data[i * 2] === 0;
    data[i * 2] = scope + 1;
    data[i * 2 + 1] = slot;
    return isNew;
  }

  /** Moves later entries of the same run back, so that no look-up meets a gap. */
  #delete(scope: number): void {
    const data = this.#data;
    const mask = this.#mask;
    let gap = home(scope, mask);
    while (data[gap * 2] !== scope + 1) {
      if (data[gap * 2] === 0) return;
      gap = (gap + 1) & mask;
    }
    this.#count--;
    for (let i = (gap + 1) & mask; data[i * 2] !== 0; i = (i + 1) & mask) {
      const at = home((data[i * 2] ?? 0) - 1, mask);
      if (((i - at) & mask) < ((i - gap) & mask)) continue;
      data[gap * 2] = data[i * 2] ?? 0;
      data[gap * 2 + 1] = data[i * 2 + 1] ?? 0;
      gap = i;
    }
    data[gap * 2] = 0;
  }

  #grow(): void {
    const old = this.#data;
    this.#data = new Int32Array(old.length * 2);
    this.#mask = old.length - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] !== 0) this.#put((old[i] ?? 0) - 1, old[i + 1] ?? -1);
    }
  }
}

function home(scope: number, mask: number): number {
  return (Math.imul(scope, 0x9e37_79b1) >>> 15) & mask;
}
