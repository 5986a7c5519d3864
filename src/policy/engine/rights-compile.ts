import { isDenial, isGated, type Assignments } from './assignments.ts';
import { grown } from './columns.ts';
import type { Principals } from './principals.ts';
import type { Reach } from './reach.ts';
import type { Scopes } from './scopes.ts';
import type { Compiled } from './table-memory.ts';

export interface Within {
  readonly principals: Principals;
  readonly scopes: Scopes;
  readonly assignments: Assignments;
}

/** A block with more entries than this is split by scope. */
const longest = 32;

/** Written in place of a block's count when the block is split: then a directory of scopes follows. */
export const split = -1;

/** The hash by which directories are searched. */
export function directoryHome(key: number, mask: number): number {
  return (Math.imul(key, 0x9e37_79b1) >>> 15) & mask;
}

/** The size, less one, of a directory that is at most half full. */
function maskFor(entries: number): number {
  return 2 ** Math.ceil(Math.log2(entries * 2 + 1)) - 1;
}

/**
 * Lays out everything that a principal and its groups are assigned as one table of numbers, all offsets from its
 * start:
 *
 *     the directory: pairs of key + 1 (0: empty) and the offset of a block; keys are anchors and crowns (see Scopes)
 *     the block of the top
 *     the blocks of the directory
 *
 * A block: how many scopes, whether there are denials, the scopes, nearest first, and the offset of each one's run
 * from the block. A run: how many denials, how many slots, the slots: denials first, the lowest id first. So the
 * first slot that applies is the one to be named. A block of many scopes is split: -1, whether there are denials, a
 * directory's size less one, a directory of its scopes with the offset of each one's run.
 */
export class RightsCompiler {
  readonly #in: Within;
  /** The table under work. */
  #out = new Int32Array(4_096);
  #length = 0;
  #slots = new Int32Array(1_024);
  #count = 0;
  /** The slots again, those of one anchor side by side. */
  #sorted = new Int32Array(1_024);
  /** By what is assigned and how, the last scope at which it was found, as counted by `#visit`. */
  #seen = new Int32Array(64);
  #visit = 0;

  constructor(within: Within) {
    this.#in = within;
  }

  /** The table, good until the next call; and its directory's size less one. */
  compile(reach: Reach): Compiled {
    this.#gather(reach);
    const { anchors, crowns } = this.#in.scopes;
    const { scopes } = this.#in.assignments;
    const groups = this.#group((slot) => {
      const scope = scopes[slot] ?? 0;
      const anchor = anchors[scope] ?? -1;
      return anchor === -1 ? (crowns[scope] ?? -1) : anchor;
    });
    const top = groups.get(-1);
    groups.delete(-1);
    this.#length = 0;
    const mask = maskFor(groups.size);
    this.#reserveDirectory(mask);
    this.#writeBlock(top?.from ?? 0, top?.to ?? 0, true);
    for (const [key, { from, to }] of groups) {
      this.#enter(0, mask, key, this.#length);
      this.#writeBlock(from, to, false);
    }
    return { table: this.#out.subarray(0, this.#length), size: mask, group: -1 };
  }

  #gather({ grants, denials, active }: Reach): void {
    const { assignments, principals } = this.#in;
    this.#count = 0;
    for (const table of grants) this.#gatherFrom(table);
    const first = this.#count;
    for (const table of denials) this.#gatherFrom(table);
    this.#gatherFrom(principals.deniedToEveryone);
    let kept = first;
    for (let i = first; i < this.#count; i++) {
      const slot = this.#slots[i] ?? 0;
      if (!assignments.excludes(slot, active)) this.#slots[kept++] = slot;
    }
    this.#count = kept;
  }

  #gatherFrom(table: number): void {
    const { next, own } = this.#in.assignments;
    own.eachHead(table, (head) => {
      for (let slot = head; slot >= 0; slot = next[slot] ?? -1) {
        this.#slots = grown(this.#slots, this.#count + 1);
        this.#slots[this.#count++] = slot;
      }
    });
  }

  /** Puts slots with the same key side by side into `#sorted`, and answers where each key's are. */
  #group(keyOf: (slot: number) => number): Map<number, { from: number; to: number }> {
    const groups = new Map<number, { from: number; to: number }>();
    for (let i = 0; i < this.#count; i++) {
      const key = keyOf(this.#slots[i] ?? 0);
      const group = groups.get(key);
      if (group) group.to++;
      else groups.set(key, { from: 0, to: 1 });
    }
    let start = 0;
    for (const group of groups.values()) {
      const size = group.to;
      group.from = start;
      group.to = start;
      start += size;
    }
    this.#sorted = grown(this.#sorted, this.#count);
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i] ?? 0;
      const group = groups.get(keyOf(slot));
      if (group) this.#sorted[group.to++] = slot;
    }
    return groups;
  }

  #writeBlock(from: number, end: number, top: boolean): void {
    this.#sort(from, end, top);
    const to = this.#distinct(from, end);
    const { scopes, words } = this.#in.assignments;
    let count = 0;
    let denials = 0;
    for (let i = from; i < to; i++) {
      const slot = this.#sorted[i] ?? 0;
      if (i === from || scopes[slot] !== scopes[this.#sorted[i - 1] ?? 0]) count++;
      denials |= (words[slot] ?? 0) & isDenial;
    }
    if (count > longest) return this.#writeSplit(from, to, count, denials);
    this.#push(count);
    this.#push(denials);
    const block = this.#length - 2;
    this.#length += count * 2;
    this.#out = grown(this.#out, this.#length);
    let entry = block + 2;
    this.#eachRun(from, to, (scope) => {
      this.#out[entry] = scope;
      this.#out[entry + count] = this.#length - block;
      entry++;
    });
  }

  #writeSplit(from: number, to: number, count: number, denials: number): void {
    const block = this.#length;
    this.#push(split);
    this.#push(denials);
    const mask = maskFor(count);
    this.#push(mask);
    this.#reserveDirectory(mask);
    this.#eachRun(from, to, (scope) => this.#enter(block + 3, mask, scope, this.#length - block));
  }

  /** Calls `before` and then writes the run, for each scope. */
  #eachRun(from: number, to: number, before: (scope: number) => void): void {
    const { words, scopes } = this.#in.assignments;
    for (let i = from; i < to;) {
      const scope = scopes[this.#sorted[i] ?? 0] ?? 0;
      before(scope);
      const run = this.#length;
      this.#push(0);
      this.#push(0);
      for (; i < to && scopes[this.#sorted[i] ?? 0] === scope; i++) {
        const slot = this.#sorted[i] ?? 0;
        this.#out[run] = (this.#out[run] ?? 0) + ((words[slot] ?? 0) & isDenial);
        this.#out[run + 1] = (this.#out[run + 1] ?? 0) + 1;
        this.#push(slot);
      }
    }
  }

  /** By insertion while there are few. */
  #sort(from: number, to: number, top: boolean): void {
    const sorted = this.#sorted;
    if (to - from > longest * 2) {
      sorted.subarray(from, to).sort((a, b) => (this.#precedes(a, b, top) ? -1 : 1));
      return;
    }
    for (let i = from; i < to; i++) {
      const slot = sorted[i] ?? 0;
      let j = i;
      for (; j > from && this.#precedes(slot, sorted[j - 1] ?? 0, top); j--) sorted[j] = sorted[j - 1] ?? 0;
      sorted[j] = slot;
    }
  }

  /** Scopes of one chain nearest first, each scope's slots together, denials first, the lowest id first. */
  #precedes(a: number, b: number, top: boolean): boolean {
    const { assignments, scopes } = this.#in;
    const left = assignments.scopes[a] ?? 0;
    const right = assignments.scopes[b] ?? 0;
    if (left !== right) {
      const deeper = top
        ? scopes.depth(left) - scopes.depth(right)
        : (scopes.lengths[left] ?? 0) - (scopes.lengths[right] ?? 0);
      return (deeper || right - left) > 0;
    }
    const denial = ((assignments.words[a] ?? 0) & isDenial) !== 0;
    const otherDenial = ((assignments.words[b] ?? 0) & isDenial) !== 0;
    return denial === otherDenial ? assignments.before(a, b) : denial;
  }

  /** Takes out what can never be named, since another of the same kind, scope and content comes before. */
  #distinct(from: number, to: number): number {
    const { words, scopes } = this.#in.assignments;
    let last = -1;
    let kept = from;
    for (let i = from; i < to; i++) {
      const slot = this.#sorted[i] ?? 0;
      const word = words[slot] ?? 0;
      const scope = scopes[slot] ?? 0;
      if (scope !== last) this.#visit++;
      last = scope;
      if ((word & isGated) === 0 && this.#seen[word] === this.#visit) continue;
      this.#seen = grown(this.#seen, word + 1);
      this.#seen[word] = this.#visit;
      this.#sorted[kept++] = slot;
    }
    return kept;
  }

  #reserveDirectory(mask: number): void {
    const end = this.#length + (mask + 1) * 2;
    this.#out = grown(this.#out, end);
    this.#out.fill(0, this.#length, end);
    this.#length = end;
  }

  #enter(directory: number, mask: number, key: number, offset: number): void {
    let i = directoryHome(key, mask);
    while (this.#out[directory + i * 2] !== 0) i = (i + 1) & mask;
    this.#out[directory + i * 2] = key + 1;
    this.#out[directory + i * 2 + 1] = offset;
  }

  #push(value: number): void {
    if (this.#length === this.#out.length) this.#out = grown(this.#out, this.#length + 1);
    this.#out[this.#length++] = value;
  }
}
