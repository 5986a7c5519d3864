import { grown } from './columns.ts';

/**
 * Of a table: its size less one, how many scopes it holds, how many were taken out since its filter was made, the
 * filter; then pairs of scope + 1 (0: empty) and first slot.
 */
const header = 3;
const smallest = 4;
/** Pairs for each number of a filter: it tells four of five absent scopes from one look. */
const pairsPerFilter = 8;

/** What a table searches for instead of a scope. */
export function hashOf(scope: number): number {
  return Math.imul(scope, 0x9e37_79b1);
}

function filterOf(mask: number): number {
  return (mask + pairsPerFilter) >>> 3;
}

function lengthOf(size: number): number {
  return header + filterOf(size - 1) + size * 2;
}

function home(hash: number, mask: number): number {
  return (hash >>> 15) & mask;
}

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
  /** No table that was given up is larger. */
  #largestFree = 0;

  /** The first slot at this scope, or -1. */
  get(table: number, scope: number): number {
    return table === 0 ? -1 : this.find(table, hashOf(scope), scope);
  }

  /** False only if the table, which is not the empty one, holds nothing at the scope of this hash. */
  mayHave(table: number, hash: number): boolean {
    const data = this.#data;
    const bit = hash & (filterOf(data[table] ?? 0) * 32 - 1);
    return (((data[table + header + (bit >>> 5)] ?? 0) >>> (bit & 31)) & 1) !== 0;
  }

  /** `get` for a table that is not the empty one. */
  find(table: number, hash: number, scope: number): number {
    const data = this.#data;
    const mask = data[table] ?? 0;
    const first = table + header + filterOf(mask);
    for (let i = home(hash, mask); ; i = (i + 1) & mask) {
      const key = data[first + i * 2] ?? 0;
      if (key === scope + 1) return data[first + i * 2 + 1] ?? -1;
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
    const first = this.#pairs(table);
    const end = first + this.#size(table) * 2;
    for (let at = first; at < end; at += 2) if (data[at] !== 0) take(data[at + 1] ?? -1);
  }

  #size(table: number): number {
    return (this.#data[table] ?? 0) + 1;
  }

  #pairs(table: number): number {
    return table + header + filterOf(this.#data[table] ?? 0);
  }

  /** Whether the scope is new. */
  #put(table: number, scope: number, slot: number): boolean {
    const data = this.#data;
    const mask = data[table] ?? 0;
    const first = this.#pairs(table);
    let i = home(hashOf(scope), mask);
    while (data[first + i * 2] !== 0 && data[first + i * 2] !== scope + 1) i = (i + 1) & mask;
    const isNew = data[first + i * 2] === 0;
    data[first + i * 2] = scope + 1;
    data[first + i * 2 + 1] = slot;
    if (isNew) this.#note(table, scope);
    return isNew;
  }

  /** Enters a scope into the filter. */
  #note(table: number, scope: number): void {
    const bit = hashOf(scope) & (filterOf(this.#data[table] ?? 0) * 32 - 1);
    const at = table + header + (bit >>> 5);
    this.#data[at] = (this.#data[at] ?? 0) | (1 << (bit & 31));
  }

  /** Moves later entries of the same run back, so that no look-up meets a gap. */
  #delete(table: number, scope: number): number {
    if (table === 0) return 0;
    const data = this.#data;
    const mask = data[table] ?? 0;
    const first = this.#pairs(table);
    let gap = home(hashOf(scope), mask);
    while (data[first + gap * 2] !== scope + 1) {
      if (data[first + gap * 2] === 0) return table;
      gap = (gap + 1) & mask;
    }
    const count = (data[table + 1] = (data[table + 1] ?? 0) - 1);
    if (count === 0) return this.#giveUp(table);
    for (let i = (gap + 1) & mask; data[first + i * 2] !== 0; i = (i + 1) & mask) {
      const at = home(hashOf((data[first + i * 2] ?? 0) - 1), mask);
      if (((i - at) & mask) < ((i - gap) & mask)) continue;
      data[first + gap * 2] = data[first + i * 2] ?? 0;
      data[first + gap * 2 + 1] = data[first + i * 2 + 1] ?? 0;
      gap = i;
    }
    data[first + gap * 2] = 0;
    const removed = (data[table + 2] = (data[table + 2] ?? 0) + 1);
    if (removed * 4 > mask) this.#makeFilter(table);
    return table;
  }

  #makeFilter(table: number): void {
    const data = this.#data;
    const first = this.#pairs(table);
    data[table + 2] = 0;
    data.fill(0, table + header, first);
    const end = first + this.#size(table) * 2;
    for (let at = first; at < end; at += 2) if (data[at] !== 0) this.#note(table, (data[at] ?? 0) - 1);
  }

  #grow(table: number): number {
    const larger = this.#allocate(this.#size(table) * 2);
    const data = this.#data;
    const first = this.#pairs(table);
    const end = first + this.#size(table) * 2;
    for (let at = first; at < end; at += 2) {
      if (data[at] !== 0) this.#put(larger, (data[at] ?? 0) - 1, data[at + 1] ?? -1);
    }
    data[larger + 1] = data[table + 1] ?? 0;
    this.#giveUp(table);
    return larger;
  }

  #allocate(size: number): number {
    const length = lengthOf(size);
    let table = this.#free.get(size)?.pop() ?? this.#cutFromLarger(size);
    if (table === undefined) {
      table = this.#end;
      this.#end += length;
      this.#data = grown(this.#data, this.#end);
    }
    this.#data.fill(0, table, table + length);
    this.#data[table] = size - 1;
    return table;
  }

  /** From the smallest larger table that was given up; the rest of it is left for others of this size. */
  #cutFromLarger(size: number): number | undefined {
    const length = lengthOf(size);
    for (let larger = size * 2; larger <= this.#largestFree; larger *= 2) {
      const found = this.#free.get(larger)?.pop();
      if (found === undefined) continue;
      const end = found + lengthOf(larger) - length;
      for (let rest = found + length; rest <= end; rest += length) this.#giveBack(rest, size);
      return found;
    }
    return undefined;
  }

  #giveUp(table: number): 0 {
    this.#giveBack(table, this.#size(table));
    return 0;
  }

  #giveBack(table: number, size: number): void {
    if (size > this.#largestFree) this.#largestFree = size;
    const free = this.#free.get(size);
    if (free) free.push(table);
    else this.#free.set(size, [table]);
  }
}
