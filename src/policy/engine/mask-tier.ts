import {
  bucketOf,
  bucketSize,
  denialsMask,
  denialsShift,
  denialSize,
  itemBits,
  itemsMask,
  MaskCompiler,
  maskHeader,
  moreBlocks,
  someGated,
  unsureColumn,
} from './mask-compile.ts';
import { absent, conditional, contained, maskBits, maskUnsure, type Memberships } from './memberships.ts';
import type { PrincipalNode, Principals } from './principals.ts';
import type { Within } from './rights-compile.ts';
import type { Scopes } from './scopes.ts';
import { TableMemory, type TableMemoryOptions, type TablePlaces } from './table-memory.ts';

export const no = 0;
export const yes = 1;
/** A condition has a say, or what these tables do not tell. */
export const undecided = 2;
export const untold = 3;

/** Answers yes or no from compiled masks: see MaskCompiler for what they look like. */
export class MaskTier {
  readonly #principals: Principals;
  readonly #places: TablePlaces;
  readonly #scopes: Scopes;
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #tables: TableMemory;
  readonly #memory: Int32Array;
  /** Of the last search: what is held, and where it stands what is denied (0: nothing is). */
  #held = 0;
  #denial = 0;

  constructor(within: Within, granted: Memberships, denied: Memberships, options: TableMemoryOptions) {
    this.#principals = within.principals;
    this.#places = within.principals.masks;
    this.#scopes = within.scopes;
    this.#granted = granted;
    this.#denied = denied;
    const compiler = new MaskCompiler(within);
    const compile = compiler.compile.bind(compiler);
    this.#tables = new TableMemory(within.principals, within.principals.masks, compile, options);
    this.#memory = this.#tables.memory;
  }

  get bytes(): number {
    return this.#tables.bytes;
  }

  forgetAll(): void {
    this.#tables.forgetAll();
  }

  /** Whether there is a table for this principal from now on. */
  ask(node: PrincipalNode): boolean {
    return this.#tables.ask(node, this.#principals.reachOf(node)) !== 0;
  }

  /** `yes`, `no` or `undecided`; `untold` for a principal that has no table. */
  allows(principal: number, action: number, scope: number): number {
    const { columns } = this.#places;
    const table = columns[principal * 4] ?? 0;
    if (table === 0) return untold;
    const group = columns[principal * 4 + 2] ?? 0;
    if (group < 0) return this.#allowsInLayers(table, action, scope);
    if (!this.#search(table + maskHeader, columns[principal * 4 + 1] ?? 1, scope)) return undecided;
    const held = this.#held;
    const mask = this.#granted.mask(action, group);
    if ((held & mask & maskBits) === 0) return ((held | mask) & unsure) === 0 ? no : undecided;
    return this.#denial === 0 ? yes : this.#unlessDenied(table, action, this.#denial);
  }

  /** The same for roles of several groups. */
  #allowsInLayers(table: number, action: number, scope: number): number {
    const memory = this.#memory;
    let held = 0;
    let doubts = 0;
    let denial = 0;
    for (let i = 0; i < (memory[table + 1] ?? 0); i++) {
      const layer = table + 2 + i * 3;
      if (!this.#search(table + (memory[layer + 1] ?? 0), memory[layer + 2] ?? 1, scope)) return undecided;
      const mask = this.#granted.mask(action, memory[layer] ?? 0);
      held |= this.#held & mask & maskBits;
      doubts |= (this.#held | mask) & unsure;
      denial ||= this.#denial;
    }
    if (held === 0) return doubts === 0 ? no : undecided;
    return denial === 0 ? yes : this.#unlessDenied(table, action, denial);
  }

  /**
   * Finds the block of the scope's key, or of the nearest scope above that has one, and notes what is held and what is
   * denied. False for a scope beneath more others than a chain tells.
   */
  #search(layer: number, buckets: number, scope: number): boolean {
    const memory = this.#memory;
    const scopes = this.#scopes;
    this.#held = 0;
    this.#denial = 0;
    for (let at = scope; at >= 0; at = scopes.aboveKey(at)) {
      const chain = scopes.chain(at);
      const { chains } = scopes;
      const key = (chains[chain] ?? 0) + 1;
      const a = chains[chain + 1] ?? 0;
      const b = chains[chain + 2] ?? 0;
      const c = chains[chain + 3] ?? 0;
      if (c < -1) return false;
      let bucket = layer + bucketOf(key - 1, buckets) * bucketSize;
      for (;;) {
        const end = bucket + bucketSize;
        for (let block = bucket; block < end;) {
          const found = memory[block] ?? 0;
          if (found === 0) break;
          const counts = memory[block + 1] ?? 0;
          const items = block + 3 + ((counts >>> denialsShift) & denialsMask) * denialSize;
          const next = items + (counts & itemsMask);
          if (found === key) {
            let held = this.#held | (memory[block + 2] ?? 0);
            for (let i = a < 0 ? next : items; i < next; i++) {
              const item = memory[i] ?? 0;
              const of = item >>> itemBits;
              if (of === a || of === b || of === c) held |= 1 << item;
            }
            this.#held = held;
            for (let i = block + 3; i < items && this.#denial === 0; i += denialSize) {
              const of = memory[i] ?? 0;
              if (of === 0 || of === a || of === b || of === c) this.#denial = i + 1;
            }
            if ((counts & moreBlocks) === 0) return true;
          }
          block = next;
        }
        if ((memory[bucket + 1] ?? 0) >= 0) break;
        bucket = end;
      }
    }
    return true;
  }

  #unlessDenied(table: number, action: number, denial: number): number {
    const memory = this.#memory;
    if (((memory[denial] ?? 0) & this.#denied.filter(action)) === 0) return yes;
    const list = table + (memory[table] ?? 0) + (memory[denial + 1] ?? 0);
    const end = list + (memory[list] ?? 0);
    let answer = yes;
    for (let i = list + 1; i <= end; i++) {
      const column = memory[i] ?? 0;
      const bits = column === unsureColumn ? conditional : this.#denied.bits(action, column);
      if (bits === contained) return no;
      if (bits !== absent) answer = undecided;
    }
    return answer;
  }
}

/** Of what is held, and of what contains an action: on a condition. */
const unsure = someGated | maskUnsure;
