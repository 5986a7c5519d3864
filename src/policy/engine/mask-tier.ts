import {
  bucketOf,
  bucketSize,
  itemBits,
  itemsMask,
  MaskCompiler,
  maskHeader,
  moreBlocks,
  pairsMask,
  pairsShift,
  someGated,
  unsureColumn,
} from './mask-compile.ts';
import { absent, conditional, contained, maskBits, maskUnsure, type Memberships } from './memberships.ts';
import type { PrincipalNode } from './principals.ts';
import type { Within } from './rights-compile.ts';
import { recordHead } from './scopes.ts';
import { TableMemory, type TableMemoryOptions } from './table-memory.ts';

export const no = 0;
export const yes = 1;
/** A condition, or the scope itself, has a say. */
export const undecided = 2;

/** Answers yes or no from compiled masks: see MaskCompiler for what they look like. */
export class MaskTier {
  readonly #in: Within;
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #tables: TableMemory;
  /** Of the last search: what is held, and where it stands what is denied (0: nothing is). */
  #held = 0;
  #denial = 0;

  constructor(within: Within, granted: Memberships, denied: Memberships, options: TableMemoryOptions) {
    this.#in = within;
    this.#granted = granted;
    this.#denied = denied;
    const compiler = new MaskCompiler(within);
    this.#tables = new TableMemory(within.principals.masks, (reach) => compiler.compile(reach), options);
  }

  get bytes(): number {
    return this.#tables.bytes;
  }

  forgetAll(): void {
    this.#tables.forgetAll();
  }

  /** Whether there is a table for this principal from now on. */
  ask(node: PrincipalNode): boolean {
    return this.#tables.ask(node, this.#in.principals.reachOf(node)) !== 0;
  }

  /** `yes`, `no` or `undecided`, for a principal that has a table. */
  allows(principal: number, action: number, scope: number): number {
    const { columns } = this.#in.principals.masks;
    const table = columns[principal * 4] ?? 0;
    const group = columns[principal * 4 + 2] ?? 0;
    if (group < 0) return this.#allowsInLayers(table, action, scope);
    this.#search(table + maskHeader, columns[principal * 4 + 1] ?? 1, scope);
    const held = this.#held;
    const mask = this.#granted.mask(action, group);
    if ((held & mask & maskBits) === 0) return (held & someGated) !== 0 || mask < 0 ? undecided : no;
    return this.#denial === 0 ? yes : this.#unlessDenied(table, action, this.#denial);
  }

  /** The same for roles of several groups. */
  #allowsInLayers(table: number, action: number, scope: number): number {
    const { memory } = this.#tables;
    let held = 0;
    let unsure = 0;
    let denial = 0;
    for (let i = 0; i < (memory[table + 1] ?? 0); i++) {
      const layer = table + 2 + i * 3;
      this.#search(table + (memory[layer + 1] ?? 0), memory[layer + 2] ?? 1, scope);
      const mask = this.#granted.mask(action, memory[layer] ?? 0);
      held |= this.#held & mask & maskBits;
      unsure |= (this.#held & someGated) | (mask & maskUnsure);
      denial ||= this.#denial;
    }
    if (held === 0) return unsure === 0 ? no : undecided;
    return denial === 0 ? yes : this.#unlessDenied(table, action, denial);
  }

  /** Finds the block of the scope's key, or of the nearest scope above that has one. */
  #search(layer: number, buckets: number, scope: number): void {
    const { memory } = this.#tables;
    const { scopes } = this.#in;
    let held = 0;
    let denial = 0;
    for (let at = scope; at >= 0;) {
      const record = scopes.record(at);
      const { records } = scopes;
      const a = records[record + recordHead] ?? 0;
      const b = records[record + recordHead + 1] ?? 0;
      const c = records[record + recordHead + 2] ?? 0;
      const d = records[record + recordHead + 3] ?? 0;
      const e = records[record + recordHead + 4] ?? 0;
      const key = records[record + 1] ?? 0;
      const up = (records[record + 2] ?? 0) - 1;
      // More scopes of this key than a record holds: the rest is in the next one.
      const rest = e > 0 && up >= 0 && scopes.key(up) === key;
      let bucket = layer + bucketOf(key, buckets) * bucketSize;
      for (;;) {
        const end = bucket + bucketSize;
        let block = bucket;
        while (block < end) {
          const found = memory[block] ?? 0;
          if (found === 0) break;
          const counts = memory[block + 1] ?? 0;
          const items = block + 3 + ((counts >>> pairsShift) & pairsMask) * 2;
          const next = items + (counts & itemsMask);
          if (found === key + 1) {
            held |= memory[block + 2] ?? 0;
            for (let i = items; i < next; i++) {
              const item = memory[i] ?? 0;
              const of = item >>> itemBits;
              if (of === a || of === b || of === c || of === d || of === e) held |= 1 << item;
            }
            for (let i = block + 3; denial === 0 && i < items; i += 2) {
              const of = memory[i] ?? 0;
              if ((of === 0 && !rest) || of === a || of === b || of === c || of === d || of === e)
                denial = i + 1;
            }
            if ((counts & moreBlocks) === 0 && !rest) {
              this.#held = held;
              this.#denial = denial;
              return;
            }
          }
          block = next;
        }
        if ((memory[bucket + 1] ?? 0) >= 0) break;
        bucket = end;
      }
      at = up;
    }
    this.#held = held;
    this.#denial = denial;
  }

  #unlessDenied(table: number, action: number, denial: number): number {
    const { memory } = this.#tables;
    const what = memory[denial] ?? 0;
    if (((what >>> 16) & this.#denied.filter(action)) === 0) return yes;
    const list = table + (memory[table] ?? 0) + (what & 0xffff);
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
