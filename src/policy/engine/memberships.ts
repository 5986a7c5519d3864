import type { PermissionSet } from '../permission-set.ts';
import type { Actions } from './actions.ts';
import { grown } from './columns.ts';

/** Two bits for each pair of an action and a permission set. */
const unknown = 0;
export const conditional = 1;
export const absent = 2;
export const contained = 3;
const codes = { absent, conditional, contained } as const;

/** Columns whose bits are in one mask. */
export const groupColumns = 30;
export const maskBits = 0x3fff_ffff;
/** Of a mask, beside them: it is known; a column contains the action on a condition. */
const maskKnown = 1 << 30;
export const maskUnsure = 1 << 31;

/** Permission sets that have columns; what lies beyond is matched each time. */
const columnLimit = 16_384;

/**
 * Which permission sets (by column) contain which actions (by row): found out once for each pair, beforehand for the
 * actions of the catalogue, of others when they are asked about.
 */
export class Memberships {
  readonly #actions: Actions;
  #words = new Int32Array(256);
  /** Words for each action. */
  #stride = 1;
  /** Rows that hold anything. */
  #rows = 0;
  readonly #sets: (PermissionSet | null)[] = [];
  /** By action, so many groups of columns each; 0 while nobody asked. */
  #masks = new Int32Array(64);
  #groups = 1;
  /** By kept action: the bits of all columns that contain it, and of some that once did. */
  #filters = new Int32Array(64);

  constructor(actions: Actions) {
    this.#actions = actions;
  }

  /** Puts a permission set into a column, or takes it out with null. */
  set(column: number, set: PermissionSet | null): void {
    this.#sets[column] = set;
    this.#forgetMasks(Math.floor(column / groupColumns));
    if (column >= columnLimit) return this.#expand(column);
    if (column >> 4 >= this.#stride) {
      this.#widen(column);
      return this.#expand(column);
    }
    const keep = ~(3 << ((column & 15) * 2));
    const end = this.#rows * this.#stride;
    for (let at = column >> 4; at < end; at += this.#stride) this.#words[at] = (this.#words[at] ?? 0) & keep;
    this.#expand(column);
  }

  /** Finds out about a kept action and every set. */
  expandRow(action: number): void {
    this.#filters = grown(this.#filters, action + 1);
    this.#filters[action] = 0;
    for (let column = 0; column < this.#sets.length; column++) this.#note(action, column);
  }

  /** Finds out about a set and every kept action. */
  #expand(column: number): void {
    for (let action = 0; action < this.#actions.kept; action++) this.#note(action, column);
  }

  #note(action: number, column: number): void {
    if (this.bits(action, column) === absent) return;
    this.#filters[action] = (this.#filters[action] ?? 0) | filterBit(column);
  }

  /** `conditional`, `absent` or `contained`. */
  bits(action: number, column: number): number {
    if (column < columnLimit && action < this.#rows) {
      const word = this.#words[action * this.#stride + (column >> 4)] ?? 0;
      const known = (word >>> ((column & 15) * 2)) & 3;
      if (known !== unknown) return known;
    }
    return this.#findOut(action, column);
  }

  /** Which columns of a group contain the action, as bits; `maskUnsure` if one of them does on a condition. */
  mask(action: number, group: number): number {
    const known = group < this.#groups ? (this.#masks[action * this.#groups + group] ?? 0) : 0;
    return (known & maskKnown) === 0 ? this.#findMask(action, group) : known;
  }

  #forgetMasks(group: number): void {
    const masks = this.#masks;
    for (let at = group; at < masks.length; at += this.#groups) masks[at] = 0;
  }

  /** Bits, of which `filterBit` of every column is one that contains the action, on a condition or not. */
  filter(action: number): number {
    return action < this.#actions.kept ? (this.#filters[action] ?? 0) : -1;
  }

  #findMask(action: number, group: number): number {
    if (group >= this.#groups) {
      this.#groups = group + 1;
      this.#masks = new Int32Array(this.#masks.length);
    }
    const at = action * this.#groups + group;
    this.#masks = grown(this.#masks, at + 1);
    const first = group * groupColumns;
    let mask = maskKnown;
    for (let i = 0; i < Math.min(groupColumns, this.#sets.length - first); i++) {
      const bits = this.bits(action, first + i);
      if (bits === contained) mask |= 1 << i;
      else if (bits === conditional) mask |= maskUnsure;
    }
    this.#masks[at] = mask;
    return mask;
  }

  /** Rows from `row` on will be other actions'. */
  forgetFrom(row: number): void {
    this.#masks.fill(0, row * this.#groups);
    this.#words.fill(0, row * this.#stride);
    this.#rows = Math.min(this.#rows, row);
  }

  #findOut(action: number, column: number): number {
    const set = this.#sets[column];
    const found = set
      ? codes[set.membership(this.#actions.name(action), this.#actions.isDataAction(action))]
      : absent;
    if (column >= columnLimit) return found;
    if (action >= this.#rows) {
      this.#words = grown(this.#words, (action + 1) * this.#stride);
      this.#rows = action + 1;
    }
    const at = action * this.#stride + (column >> 4);
    this.#words[at] = (this.#words[at] ?? 0) | (found << ((column & 15) * 2));
    return found;
  }

  #widen(column: number): void {
    const old = this.#words;
    const stride = this.#stride;
    this.#stride = Math.max(stride * 2, (column >> 4) + 1);
    this.#words = new Int32Array(Math.max(64, this.#rows + 1) * this.#stride);
    for (let action = 0; action < this.#rows; action++) {
      this.#words.set(old.subarray(action * stride, (action + 1) * stride), action * this.#stride);
    }
  }
}

/** A column's bit. */
export function filterBit(column: number): number {
  return 1 << (Math.imul(column, 0x9e37_79b1) >>> 27);
}
