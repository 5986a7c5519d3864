import { flagBits, isDenial, isExact, isGated } from './assignments.ts';
import { grown } from './columns.ts';
import { filterBit, groupColumns } from './memberships.ts';
import type { Reach } from './reach.ts';
import type { Within } from './rights-compile.ts';
import type { Compiled } from './table-memory.ts';

/** Numbers before a table's first layer: where its lists begin, how many layers, then three about each layer. */
export const maskHeader = 16;
const mostLayers = 4;

/** Numbers in a bucket. */
export const bucketSize = 32;
const blockHeader = 3;

/** In a block's counts: another block of the same key follows. In those of a bucket's first block: the search goes on. */
export const moreBlocks = 1 << 30;
export const moreBuckets = 1 << 31;
export const denialsShift = 16;
export const denialsMask = 0xff;
/** Numbers of what is denied at a scope. */
export const denialSize = 3;
export const itemsMask = 0xffff;

/** What an item tells beside its scope: the bit of a role, or that one is held on a condition. */
export const itemBits = 5;
const gatedBit = 31;
export const someGated = 1 << gatedBit;
/** In a list of denied columns: a condition has a say, or the scope that is asked about. */
export const unsureColumn = -1;

/** More than this beneath one key is not laid out: a search looks at all of it. */
const mostItems = 256;

/** The bucket where the blocks of this key begin, among so many. */
export function bucketOf(key: number, buckets: number): number {
  return Math.imul(Math.imul(key, 0x9e37_79b1) >>> 16, buckets) >>> 16;
}

/** What is assigned beneath one key, or at it. */
interface Block {
  readonly key: number;
  /** What is held at the key and above, as bits. */
  word: number;
  whole: boolean;
  /** Scope + 1 and a bit, of what is held beneath the key. */
  readonly items: number[];
  /** Denied columns by scope. */
  denials: Map<number, number[]> | null;
  /** What is denied at the key and above. */
  denied: readonly number[] | null;
}

/**
 * Lays out what a principal and its groups are assigned for one question only: may they, yes or no. A table is
 *
 *     its header
 *     layers, one for each group of roles in which something is held (see Memberships); denials are in the first
 *     lists of denied columns: how many, the columns
 *
 * A layer is buckets, of one line of the processor's cache each, with blocks in them. A block is about one key (see
 * `Scopes.key`): a resource group with all beneath it, or a scope above those:
 *
 *     key + 1, counts, what is held at the key and above as bits
 *     denials, nearest first: scope + 1 (0: whatever the scope), a filter of the columns that are denied there and above,
 *         the offset of their list
 *     items: scope + 1 and the bit of a role that is held there
 *
 * A block is in the bucket of its key or, where that was full, in a later one. So one look at memory finds all that matters for a
 * scope; only where there is no block of its key the next scope above is asked about.
 */
export class MaskCompiler {
  readonly #in: Within;
  #slots = new Int32Array(1_024);
  #count = 0;
  readonly #blocks = new Map<number, Block>();
  #out = new Int32Array(4_096);
  #end = 0;
  readonly #lists = new Map<readonly number[], number>();
  #listed = 0;

  constructor(within: Within) {
    this.#in = within;
  }

  /** The table, good until the next call; its size is that of its only layer, in buckets. Null: it would be too large. */
  compile(reach: Reach): Compiled | null {
    this.#gather(reach);
    const groups = this.#groups();
    if (groups.length > mostLayers) return null;
    this.#lists.clear();
    this.#listed = 0;
    this.#end = maskHeader;
    let size = 0;
    for (const [layer, group] of groups.entries()) {
      const start = this.#end;
      if (!this.#collect(group, layer === 0)) return null;
      size = this.#layOut();
      this.#out.set([group, start, size], 2 + layer * 3);
    }
    if (size > 0xffff) return null;
    this.#out[0] = this.#end;
    this.#out[1] = groups.length;
    this.#out = grown(this.#out, this.#end + this.#listed);
    for (const columns of this.#lists.keys()) {
      this.#out[this.#end] = columns.length;
      this.#out.set(columns, this.#end + 1);
      this.#end += columns.length + 1;
    }
    const table = this.#out.subarray(0, this.#end);
    return { table, size, group: groups.length === 1 ? (groups[0] ?? 0) : -1 };
  }

  #gather({ grants, denials, active }: Reach): void {
    this.#count = 0;
    for (const table of grants) this.#gatherFrom(table, null);
    for (const table of denials) this.#gatherFrom(table, active);
    this.#gatherFrom(this.#in.principals.deniedToEveryone, active);
  }

  #gatherFrom(table: number, exclude: readonly number[] | null): void {
    const { assignments } = this.#in;
    assignments.own.eachHead(table, (head) => {
      for (let slot = head; slot >= 0; slot = assignments.next[slot] ?? -1) {
        if (exclude && assignments.excludes(slot, exclude)) continue;
        this.#slots = grown(this.#slots, this.#count + 1);
        this.#slots[this.#count++] = slot;
      }
    });
  }

  /** The groups of the roles that are held without a condition. */
  #groups(): number[] {
    const { words } = this.#in.assignments;
    const groups: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      const word = words[this.#slots[i] ?? 0] ?? 0;
      if ((word & (isDenial | isGated)) !== 0) continue;
      const group = groupOf(word >>> flagBits);
      if (!groups.includes(group)) groups.push(group);
    }
    return groups.length === 0 ? [0] : groups;
  }

  /** Makes the blocks of one layer. */
  #collect(group: number, first: boolean): boolean {
    const { assignments, scopes } = this.#in;
    this.#blocks.clear();
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i] ?? 0;
      const word = assignments.words[slot] ?? 0;
      const scope = assignments.scopes[slot] ?? 0;
      const column = word >>> flagBits;
      const held = (word & (isDenial | isGated)) === 0;
      if (held ? groupOf(column) !== group : !first) continue;
      const block = this.#block(scopes.key(scope));
      if ((word & isDenial) !== 0) {
        block.denials ??= new Map();
        const denied = (word & (isGated | isExact)) === 0 ? column : unsureColumn;
        const known = block.denials.get(scope);
        if (known) known.push(denied);
        else block.denials.set(scope, [denied]);
        continue;
      }
      const bit = held ? column - group * groupColumns : gatedBit;
      if (scope === block.key) block.word |= 1 << bit;
      else {
        const item = ((scope + 1) << itemBits) | bit;
        if (!block.items.includes(item)) block.items.push(item);
        if (block.items.length > mostItems) return false;
      }
    }
    for (const block of this.#blocks.values()) this.#inherit(block);
    return true;
  }

  #block(key: number): Block {
    let block = this.#blocks.get(key);
    if (!block) {
      block = { key, word: 0, whole: false, items: [], denials: null, denied: null };
      this.#blocks.set(key, block);
    }
    return block;
  }

  /** Adds what is held and denied above. */
  #inherit(block: Block): void {
    if (block.whole) return;
    block.whole = true;
    block.denied = block.denials?.get(block.key) ?? null;
    const { scopes } = this.#in;
    for (let scope = scopes.above(block.key); scope >= 0; scope = scopes.above(scope)) {
      const above = this.#blocks.get(scope);
      if (!above) continue;
      this.#inherit(above);
      block.word |= above.word;
      block.denied = united(block.denied, above.denied);
      return;
    }
  }

  /** Writes the blocks of one layer. Answers in how many buckets they are at home. */
  #layOut(): number {
    const pieces = Array.from(this.#blocks.values(), (block) => this.#pieces(block)).flat();
    pieces.sort((a, b) => b.content.length - a.content.length);
    let length = 0;
    for (const { content } of pieces) length += content.length;
    const buckets = Math.ceil(length / (bucketSize * 0.75)) || 1;
    // Each that finds its own bucket full needs one more at most; then there is an empty one.
    const room = (buckets + pieces.length + 1) * bucketSize;
    this.#out = grown(this.#out, this.#end + room);
    this.#out.fill(0, this.#end, this.#end + room);
    const used = new Uint8Array(buckets + pieces.length + 1);
    let last = buckets - 1;
    for (const { key, content } of pieces) {
      let bucket = bucketOf(key, buckets);
      while ((used[bucket] ?? 0) + content.length > bucketSize) {
        const counts = this.#end + bucket * bucketSize + 1;
        this.#out[counts] = (this.#out[counts] ?? 0) | moreBuckets;
        bucket++;
      }
      this.#out.set(content, this.#end + bucket * bucketSize + (used[bucket] ?? 0));
      used[bucket] = (used[bucket] ?? 0) + content.length;
      last = Math.max(last, bucket);
    }
    this.#end += (last + 1) * bucketSize;
    return buckets;
  }

  /** The block in pieces that fit into a bucket each. */
  #pieces(block: Block): { key: number; content: readonly number[] }[] {
    const { key, word, items } = block;
    const denials = this.#denials(block);
    const pieces = [];
    let itemsDone = 0;
    let denialsDone = 0;
    do {
      const free = bucketSize - blockHeader;
      const someDenials = denials.slice(denialsDone, denialsDone + Math.floor(free / denialSize));
      const someItems = items.slice(itemsDone, itemsDone + free - someDenials.length * denialSize);
      denialsDone += someDenials.length;
      itemsDone += someItems.length;
      const goesOn = denialsDone < denials.length || itemsDone < items.length ? moreBlocks : 0;
      const counts = goesOn | (someDenials.length << denialsShift) | someItems.length;
      pieces.push({ key, content: [key + 1, counts, word, ...someDenials.flat(), ...someItems] });
    } while (denialsDone < denials.length || itemsDone < items.length);
    return pieces;
  }

  /** What is denied beneath the key, nearest first, and last what is denied there and above. */
  #denials({ key, denials, denied }: Block): (readonly [scope: number, filter: number, list: number])[] {
    const found: (readonly [number, number, number])[] = [];
    if (denials) {
      const { scopes } = this.#in;
      const whole = new Map<number, readonly number[]>();
      const lengthOf = (scope: number): number => scopes.lengths[scope] ?? 0;
      for (const [scope, own] of Array.from(denials).sort(([a], [b]) => lengthOf(a) - lengthOf(b))) {
        if (scope === key) continue;
        let above = scopes.above(scope);
        while (above >= 0 && !whole.has(above)) above = scopes.above(above);
        const inherited = above < 0 ? denied : (whole.get(above) ?? null);
        const columns = inherited ? [...own, ...inherited] : own;
        whole.set(scope, columns);
        found.unshift([scope + 1, filterOf(columns), this.#list(columns)]);
      }
    }
    if (denied) found.push([0, filterOf(denied), this.#list(denied)]);
    return found;
  }

  /** The offset of the list of these columns. */
  #list(columns: readonly number[]): number {
    let offset = this.#lists.get(columns);
    if (offset === undefined) {
      offset = this.#listed;
      this.#lists.set(columns, offset);
      this.#listed += columns.length + 1;
    }
    return offset;
  }
}

function groupOf(column: number): number {
  return Math.floor(column / groupColumns);
}

function united(a: readonly number[] | null, b: readonly number[] | null): readonly number[] | null {
  return a && b ? [...a, ...b] : (a ?? b);
}

/** One bit for each column; all where a column is unsure. */
function filterOf(columns: readonly number[]): number {
  let filter = 0;
  for (const column of columns) filter |= column === unsureColumn ? -1 : filterBit(column);
  return filter;
}
