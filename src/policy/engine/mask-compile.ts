import { maskedColumns } from './memberships.ts';
import { flagBits, isDenial, isExact, isGated } from './assignments.ts';
import { grown } from './columns.ts';
import type { Reach } from './reach.ts';
import type { Within } from './rights-compile.ts';
import type { Compiled } from './table-memory.ts';

/** Beside the roles, whose bits are those of Memberships: something is denied at the scope or above. */
export const someDenied = 1 << 30;
/** Or there is what a mask cannot tell: a condition, a role of a later column, a denial that does not reach down. */
export const beyondMask = 1 << 31;

/** The hash by which entries are found among `size`, at most 65,536. */
export function maskHome(scope: number, size: number): number {
  return Math.imul(Math.imul(scope, 0x9e37_79b1) >>> 16, size) >>> 16;
}

/**
 * Lays out what a principal and its groups are assigned for one question only: may they, yes or no. For every scope at
 * which they are assigned anything the roles that they hold there and above, as bits; then, where anything is denied
 * there or above, the columns of all those denials:
 *
 *     entries of two: scope + 1 (0: empty), the word of roles
 *     how many entries of denials, entries of two: scope + 1 (0: empty), the offset of a count and as many columns
 *
 * The nearest scope at or above the one asked about that has an entry tells all.
 */
export class MaskCompiler {
  readonly #in: Within;
  #slots = new Int32Array(1_024);
  #count = 0;
  #out = new Int32Array(4_096);
  #size = 0;

  constructor(within: Within) {
    this.#in = within;
  }

  compile({ grants, denials, active }: Reach): Compiled | null {
    const { assignments, principals } = this.#in;
    this.#count = 0;
    for (const table of grants) this.#gather(table, null);
    for (const table of denials) this.#gather(table, active);
    this.#gather(principals.everyone.denials, active);
    const { words, scopes } = assignments;
    const slots = this.#slots.subarray(0, this.#count).sort((a, b) => (scopes[a] ?? 0) - (scopes[b] ?? 0));
    let distinct = 0;
    for (let i = 0; i < slots.length; i++)
      if (scopes[slots[i] ?? 0] !== scopes[slots[i - 1] ?? -1]) distinct++;
    // More scopes than the hash can tell apart: no table.
    if (distinct > 40_000) return null;
    this.#size = Math.max(1, Math.ceil(distinct / 0.7));
    this.#out = grown(this.#out, this.#size * 2);
    this.#out.fill(0, 0, this.#size * 2);
    const denied = new Map<number, number[]>();
    for (const slot of slots) {
      const scope = scopes[slot] ?? 0;
      const word = words[slot] ?? 0;
      const entry = this.#entry(scope);
      this.#out[entry + 1] = (this.#out[entry + 1] ?? 0) | bitOf(word);
      if ((word & isDenial) === 0 || (word & (isGated | isExact)) !== 0) continue;
      const list = denied.get(scope);
      if (list) list.push(word >>> flagBits);
      else denied.set(scope, [word >>> flagBits]);
    }
    this.#inherit(slots, denied);
    const length = this.#writeDenials(denied);
    return { table: this.#out.subarray(0, length), size: this.#size };
  }

  #gather(table: number, exclude: Int32Array | null): void {
    const { assignments } = this.#in;
    assignments.own.eachHead(table, (head) => {
      for (let slot = head; slot >= 0; slot = assignments.next[slot] ?? -1) {
        if (exclude && assignments.excludes(slot, exclude)) continue;
        this.#slots = grown(this.#slots, this.#count + 1);
        this.#slots[this.#count++] = slot;
      }
    });
  }

  /** The place of a scope's entry; made if there is none. */
  #entry(scope: number): number {
    let i = maskHome(scope, this.#size);
    while (this.#out[i * 2] !== 0 && this.#out[i * 2] !== scope + 1) i = i + 1 === this.#size ? 0 : i + 1;
    this.#out[i * 2] = scope + 1;
    return i * 2;
  }

  #find(scope: number): number {
    let i = maskHome(scope, this.#size);
    while (this.#out[i * 2] !== scope + 1) {
      if (this.#out[i * 2] === 0) return -1;
      i = i + 1 === this.#size ? 0 : i + 1;
    }
    return i * 2;
  }

  /** Adds to each entry, and to its denials, what those above it hold, from the top down. */
  #inherit(slots: Int32Array, denied: Map<number, readonly number[]>): void {
    const { scopes, assignments } = this.#in;
    const order = new Float64Array(slots.length);
    for (let i = 0; i < slots.length; i++) {
      const scope = assignments.scopes[slots[i] ?? 0] ?? 0;
      const low = (scopes.crowns[scope] ?? -1) >= 0 || (scopes.anchors[scope] ?? -1) >= 0;
      order[i] = (low ? 4_096 + (scopes.lengths[scope] ?? 0) : scopes.depth(scope)) * 2 ** 31 + scope;
    }
    order.sort();
    for (let i = 0; i < order.length; i++) {
      if (order[i] === order[i - 1]) continue;
      const scope = (order[i] ?? 0) % 2 ** 31;
      const entry = this.#entry(scope);
      for (let above = scopes.above(scope); above >= 0; above = scopes.above(above)) {
        const found = this.#find(above);
        if (found < 0) continue;
        this.#out[entry + 1] = (this.#out[entry + 1] ?? 0) | (this.#out[found + 1] ?? 0);
        const own = denied.get(scope);
        const inherited = denied.get(above);
        // One list serves all that have no denials of their own.
        if (inherited) denied.set(scope, own ? [...own, ...inherited] : inherited);
        break;
      }
    }
  }

  /** Answers the table's length. */
  #writeDenials(denied: ReadonlyMap<number, readonly number[]>): number {
    const start = this.#size * 2;
    const size = Math.max(1, Math.ceil(denied.size / 0.7));
    let end = start + 1 + size * 2;
    this.#out = grown(this.#out, end);
    this.#out.fill(0, start, end);
    this.#out[start] = size;
    const places = new Map<readonly number[], number>();
    for (const [scope, columns] of denied) {
      let i = maskHome(scope, size);
      while (this.#out[start + 1 + i * 2] !== 0) i = i + 1 === size ? 0 : i + 1;
      this.#out[start + 1 + i * 2] = scope + 1;
      const place = places.get(columns) ?? end;
      this.#out[start + 2 + i * 2] = place;
      if (place !== end) continue;
      places.set(columns, end);
      this.#out = grown(this.#out, end + 1 + columns.length);
      this.#out[end] = columns.length;
      this.#out.set(columns, end + 1);
      end += 1 + columns.length;
    }
    return end;
  }
}

/** A role's bit, or a flag. */
function bitOf(word: number): number {
  if ((word & isDenial) !== 0) return (word & (isGated | isExact)) !== 0 ? beyondMask : someDenied;
  const column = word >>> flagBits;
  return (word & isGated) !== 0 || column >= maskedColumns ? beyondMask : 1 << column;
}
