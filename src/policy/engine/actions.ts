import { grown } from './columns.ts';
import type { PermissionSet } from '../permission-set.ts';

/** Two bits for each pair of an action and a permission set. */
export const unknown = 0;
export const conditional = 1;
export const absent = 2;
export const contained = 3;
const codes = { absent, conditional, contained } as const;

/** Actions seen on the way that are in no catalogue; beyond it their memory starts anew. */
const transientLimit = 4_096;
/** Permission sets that have columns; what lies beyond is matched each time. */
const columnLimit = 16_384;

/**
 * Which permission sets contain which actions, as bits by number: found out once for each pair. Actions of the
 * catalogue keep their numbers; others are numbered as they come, and forgotten together when there are too many.
 */
export class Actions {
  readonly #numbers: readonly [Map<string, number>, Map<string, number>] = [new Map(), new Map()];
  readonly #names: string[] = [];
  readonly #planes: boolean[] = [];
  /** Numbers below it are kept. */
  #kept = 0;
  #words = new Int32Array(256);
  /** Words for each action. */
  #stride = 4;
  readonly #sets: (PermissionSet | null)[] = [];
  readonly #onForgotten: () => void;

  /** `onForgotten` is called when numbers begin to mean other actions. */
  constructor(onForgotten: () => void) {
    this.#onForgotten = onForgotten;
  }

  /** The number of an action, in any case. */
  number(action: string, dataAction: boolean): number {
    return this.#numbers[dataAction ? 1 : 0].get(action) ?? this.#admit(action, dataAction);
  }

  /** A number that keeps its meaning for as long as the process lives. For names from code, never from requests. */
  keep(action: string, dataAction: boolean): number {
    const name = action.toLowerCase();
    const known = this.#numbers[dataAction ? 1 : 0].get(name);
    if (known !== undefined && known < this.#kept) return known;
    this.#forgetTransient();
    const number = this.#add(name, dataAction);
    this.#kept = number + 1;
    return number;
  }

  /** In lower case. */
  name(action: number): string {
    return this.#names[action] ?? '';
  }

  isDataAction(action: number): boolean {
    return this.#planes[action] ?? false;
  }

  /** Puts a permission set into a column, or takes it out with null. */
  setColumn(column: number, set: PermissionSet | null): void {
    while (this.#sets.length <= column) this.#sets.push(null);
    this.#sets[column] = set;
    if (column >= columnLimit) return;
    if (column >> 4 >= this.#stride) return this.#widen(column);
    const keep = ~(3 << ((column & 15) * 2));
    const end = this.#names.length * this.#stride;
    for (let at = column >> 4; at < end; at += this.#stride) this.#words[at] = (this.#words[at] ?? 0) & keep;
  }

  /** `conditional`, `absent` or `contained`. */
  bits(action: number, column: number): number {
    if (column >= columnLimit) return this.#evaluate(action, column);
    const at = action * this.#stride + (column >> 4);
    const shift = (column & 15) * 2;
    const known = ((this.#words[at] ?? 0) >>> shift) & 3;
    if (known !== unknown) return known;
    const found = this.#evaluate(action, column);
    this.#words[at] = (this.#words[at] ?? 0) | (found << shift);
    return found;
  }

  #evaluate(action: number, column: number): number {
    const set = this.#sets[column];
    return set ? codes[set.membership(this.name(action), this.isDataAction(action))] : absent;
  }

  #admit(action: string, dataAction: boolean): number {
    const numbers = this.#numbers[dataAction ? 1 : 0];
    if (numbers.size >= transientLimit + this.#kept) this.#forgetTransient();
    const name = action.toLowerCase();
    const number = numbers.get(name) ?? this.#add(name, dataAction);
    // The spelling that a caller uses is remembered too, so that it costs one look-up.
    if (name !== action) numbers.set(action, number);
    return number;
  }

  #add(name: string, dataAction: boolean): number {
    const number = this.#names.length;
    this.#names.push(name);
    this.#planes.push(dataAction);
    this.#numbers[dataAction ? 1 : 0].set(name, number);
    this.#words = grown(this.#words, (number + 1) * this.#stride);
    return number;
  }

  #forgetTransient(): void {
    if (this.#names.length === this.#kept && this.#numbers[0].size + this.#numbers[1].size === this.#kept) return;
    this.#names.length = this.#kept;
    this.#planes.length = this.#kept;
    this.#words.fill(0, this.#kept * this.#stride);
    for (const numbers of this.#numbers) {
      for (const [name, number] of numbers) {
        if (number >= this.#kept || name !== this.#names[number]) numbers.delete(name);
      }
    }
    this.#onForgotten();
  }

  #widen(column: number): void {
    const old = this.#words;
    const stride = this.#stride;
    this.#stride = Math.max(stride * 2, (column >> 4) + 1);
    this.#words = new Int32Array(Math.max(64, this.#names.length + 1) * this.#stride);
    for (let action = 0; action < this.#names.length; action++) {
      const row = old.subarray(action * stride, (action + 1) * stride);
      this.#words.set(row, action * this.#stride);
    }
  }
}
