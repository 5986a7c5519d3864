import { isDenial, isGated, type Assignments } from './assignments.ts';
import type { OwnTable } from './own-table.ts';
import type { Principals } from './principals.ts';
import type { Reach } from './reach.ts';
import type { Scopes } from './scopes.ts';

export interface Within {
  readonly principals: Principals;
  readonly scopes: Scopes;
  readonly assignments: Assignments;
}

/** A block with more entries than this is split by scope. */
const longest = 32;

/** Written in place of a block's first count when the block is split: then a directory of scopes follows. */
export const split = -1;

/**
 * Everything that a principal and its groups are assigned, as one table of numbers. All offsets are from its start:
 *
 *     [0] the upper block: what is assigned at management groups, subscriptions and the root
 *     [1] the directory's size less one, then pairs of anchor + 1 (0: empty) and the block of that subtree
 *     ... the blocks
 *
 * A block: how many entries, how many of them are denials, then for each entry its scope and (column << 3 | flags),
 * then for each its slot. Entries are in the order in which they are to be named: denials first, the nearest scope
 * first, the lowest id first; so the first that applies is the answer. A split block: -1, then a directory of scopes
 * like that of anchors.
 */
export function compileRights(within: Within, reach: Reach): number[] {
  const { scopes } = within;
  const upper: number[] = [];
  const anchored = new Map<number, number[]>();
  for (const slot of slotsOf(within, reach)) {
    const anchor = scopes.anchors[within.assignments.scopes[slot] ?? 0] ?? -1;
    if (anchor < 0) upper.push(slot);
    else append(anchored, anchor, slot);
  }
  const out: number[] = [0];
  writeDirectory(out, anchored, (slots) => writeBlock(out, slots, within, false));
  out[0] = writeBlock(out, upper, within, true);
  return out;
}

/** The hash by which directories are searched. */
export function directoryHome(key: number, mask: number): number {
  return (Math.imul(key, 0x9e37_79b1) >>> 15) & mask;
}

function* slotsOf({ assignments, principals }: Within, reach: Reach): Generator<number> {
  for (const table of reach.grants) yield* slotsIn(table, assignments);
  const { denials: ofEveryone } = principals.everyone;
  for (const table of ofEveryone ? [...reach.denials, ofEveryone] : reach.denials) {
    for (const slot of slotsIn(table, assignments)) {
      if (!assignments.excludes(slot, reach.active)) yield slot;
    }
  }
}

function* slotsIn(table: OwnTable, { next }: Assignments): Generator<number> {
  for (const head of table.heads()) for (let slot = head; slot >= 0; slot = next[slot] ?? -1) yield slot;
}

/** Answers the block's offset; 0, where no block is, for no entries. */
function writeBlock(out: number[], slots: number[], within: Within, upper: boolean): number {
  const kept = distinct(slots.sort(naming(within, upper)), within.assignments);
  if (kept.length === 0) return 0;
  if (kept.length <= longest) return writeEntries(out, kept, within.assignments);
  const offset = out.length;
  const byScope = new Map<number, number[]>();
  for (const slot of kept) append(byScope, within.assignments.scopes[slot] ?? 0, slot);
  out.push(split);
  writeDirectory(out, byScope, (own) => writeEntries(out, own, within.assignments));
  return offset;
}

function writeEntries(
  out: number[],
  slots: readonly number[],
  { flags, permissions, scopes }: Assignments,
): number {
  const offset = out.length;
  const denials = slots.reduce((count, slot) => count + ((flags[slot] ?? 0) & isDenial), 0);
  out.push(slots.length, denials);
  for (const slot of slots) out.push(scopes[slot] ?? 0, ((permissions[slot] ?? 0) << 3) | (flags[slot] ?? 0));
  for (const slot of slots) out.push(slot);
  return offset;
}

function writeDirectory(
  out: number[],
  entries: ReadonlyMap<number, number[]>,
  write: (slots: number[]) => number,
): void {
  const size = 2 ** Math.ceil(Math.log2(entries.size * 2 + 1));
  const at = out.length + 1;
  out.push(size - 1);
  for (let i = 0; i < size; i++) out.push(0, 0);
  for (const [key, slots] of entries) {
    let i = directoryHome(key, size - 1);
    while (out[at + i * 2] !== 0) i = (i + 1) & (size - 1);
    out[at + i * 2] = key + 1;
    out[at + i * 2 + 1] = write(slots);
  }
}

/** Denials first, then the nearest scope, then the lowest id; right among those that can apply to one scope. */
function naming({ assignments, scopes }: Within, upper: boolean): (a: number, b: number) => number {
  const depth = (slot: number): number => {
    const scope = assignments.scopes[slot] ?? 0;
    return upper ? scopes.depth(scope) : (scopes.lengths[scope] ?? 0);
  };
  return (a, b) => {
    const denials = ((assignments.flags[b] ?? 0) & isDenial) - ((assignments.flags[a] ?? 0) & isDenial);
    return denials || depth(b) - depth(a) || (assignments.before(a, b) ? -1 : 1);
  };
}

/** Without those that can never be named: another of the same kind, scope and permissions comes before. */
function distinct(slots: readonly number[], { flags, scopes, permissions }: Assignments): number[] {
  const seen = new Map<number, Set<number>>();
  return slots.filter((slot) => {
    const kind = flags[slot] ?? 0;
    if ((kind & isGated) !== 0) return true;
    const scope = scopes[slot] ?? 0;
    const word = ((permissions[slot] ?? 0) << 3) | kind;
    const words = seen.get(scope);
    if (words?.has(word)) return false;
    if (words) words.add(word);
    else seen.set(scope, new Set([word]));
    return true;
  });
}

function append(lists: Map<number, number[]>, key: number, slot: number): void {
  const list = lists.get(key);
  if (list) list.push(slot);
  else lists.set(key, [slot]);
}
