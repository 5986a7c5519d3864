import { grown } from './columns.ts';

/** Of a table: its size less one, how many scopes it holds, then pairs of scope + 1 (0: empty) and first slot. */
const header = 2;
const smallest = 4;

/**
 * What each principal is assigned itself, by scope: one open-addressing hash table for each in one array of numbers,
 * always complete and changed in place. A table is known by its offset, 0 for an empty one; changing it may move it.
 * Per scope it holds the first slot of a list, which goes on in `Assignments.next`.
 */
export class OwnTables {
  #data = new Int32Array(4_096);
  #end = header;
  /** Offsets of tables that were given up, by their size. */
  readonly #free = new Map<number, number[]>();

  /** The first slot at this scope, or -1. */
  get(table: number, scope: number): number {
    const data = this.#data;
    const mask = data[table] ?? 0;
    if (table === 0) return -1;
    for (let i = home(scope, mask); ; i = (i + 1) & mask) {
      const key = data[table + header + i * 2] ?? 0;
      if (key === scope + 1) return data[table + header + i * 2 + 1] ?? -1;
      if (key === 0) return -1;
    }
  }

  /** A `slot` of -1 takes the scope out. Answers where the table is from now on. */
  set(table: number, scope: number, slot: number): number {
    if (slot < 0) return this.#delete(table, scope);
    const place = table === 0 ? this.#allocate(smallest) : table;
    if (!this.#put(place, scope, slot)) return place;
    const count = (this.#data[place + 1] = (this.#data[place + 1] ?? 0) + 1);
    return count * 4 > this.#size(place) * 3 ? this.#grow(place) : place;
  }

  /** Calls `take` with the first slot of every scope. */
  eachHead(table: number, take: (slot: number) => void): void {
    if (table === 0) return;
    const data = this.#data;
    const end = table + header + this.#size(table) * 2;
    for (let at = table + header; at < end; at += 2) if (data[at] !== 0) take(data[at + 1] ?? -1);
  }

  #size(table: number): number {
    return (this.#data[table] ?? 0) + 1;
  }

  /** Whether the scope is new. */
  #put(table: number, scope: number, slot: number): boolean {
    const data = this.#data;
    const mask = data[table] ?? 0;
    const first = table + header;
    let i = home(scope, mask);
    while (data[first + i * 2] !== 0 && data[first + i * 2] !== scope + 1) i = (i + 1) & mask;
    const isNew = data[first + i * 2] === 0;
    data[first + i * 2] = scope + 1;
    data[first + i * 2 + 1] = slot;
    return isNew;
  }

  /** Moves later entries of the same run back, so that no look-up meets a gap. */
  #delete(table: number, scope: number): number {
    if (table === 0) return 0;
    const data = this.#data;
    const mask = data[table] ?? 0;
    const first = table + header;
    let gap = home(scope, mask);
    while (data[first + gap * 2] !== scope + 1) {
      if (data[first + gap * 2] === 0) return table;
      gap = (gap + 1) & mask;
    }
    const count = (data[table + 1] = (data[table + 1] ?? 0) - 1);
    if (count === 0) return this.#giveUp(table);
    for (let i = (gap + 1) & mask; data[first + i * 2] !== 0; i = (i + 1) & mask) {
      const at = home((data[first + i * 2] ?? 0) - 1, mask);
      if (((i - at) & mask) < ((i - gap) & mask)) continue;
      data[first + gap * 2] = data[first + i * 2] ?? 0;
      data[first + gap * 2 + 1] = data[first + i * 2 + 1] ?? 0;
      gap = i;
    }
    data[first + gap * 2] = 0;
    return table;
  }

  #grow(table: number): number {
    const larger = this.#allocate(this.#size(table) * 2);
    const data = this.#data;
    const end = table + header + this.#size(table) * 2;
    for (let at = table + header; at < end; at += 2) {
      if (data[at] !== 0) this.#put(larger, (data[at] ?? 0) - 1, data[at + 1] ?? -1);
    }
    data[larger + 1] = data[table + 1] ?? 0;
    this.#giveUp(table);
    return larger;
  }

  #allocate(size: number): number {
    const length = header + size * 2;
    let table = this.#free.get(size)?.pop();
    if (table === undefined) {
      table = this.#end;
      this.#end += length;
      this.#data = grown(this.#data, this.#end);
    }
    this.#data.fill(0, table, table + length);
    this.#data[table] = size - 1;
    return table;
  }

  #giveUp(table: number): 0 {
    const size = this.#size(table);
    const free = this.#free.get(size);
    if (free) free.push(table);
    else this.#free.set(size, [table]);
    return 0;
  }
}

function home(scope: number, mask: number): number {
  return (Math.imul(scope, 0x9e37_79b1) >>> 15) & mask;
}
