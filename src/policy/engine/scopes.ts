import type { ScopePlacement } from '../../store/changes.ts';
import { isNormalScope, normalizeScope } from '../scope.ts';
import { grown } from './columns.ts';
import { ScopeTexts } from './scope-texts.ts';

const managementGroup = /^\/providers\/microsoft\.management\/managementgroups\/[^/]+$/;

/** Numbers in a chain: its key, and three scopes. */
export const chainSize = 4;

/** Steps to the root from where a scope may be placed; Azure nests management groups six deep. */
const deepest = 100;

/**
 * The tree of the scopes at which something is assigned, and of their ancestors, in columns by number. Scopes hang
 * beneath their path's parent, but a subscription or management group that was placed beneath another hangs there.
 */
export class Scopes {
  readonly root = 0;
  /** Set by `resolve`: whether the scope asked for is the one found, or lies beneath it. */
  exact = false;
  /**
   * By number: the subtree in which it lies, of a resource group or the like; -1 for what is above those. Rights are
   * filed by it, and what is above by `crowns`, the subscription or the like; what is -1 in both is at the top.
   */
  anchors = new Int32Array(64);
  crowns = new Int32Array(64);
  /** By number: the length of its text; of two scopes beneath the upper ones, the one within the other is longer. */
  lengths = new Int32Array(64);
  #parents = new Int32Array(64);
  #assigned = new Int32Array(64);
  #children = new Int32Array(64);
  /** By number, four each: see `chain`. */
  chains = new Int32Array(64 * chainSize);
  /** By number: what `aboveKey` answers. */
  #ups = new Int32Array(64);
  /** By number: the shape for which the two hold; 0: they do not. */
  #stamps = new Uint8Array(64);
  /** Another one whenever a scope begins or ceases to be one at which something is assigned, or is moved; 1 to 255. */
  #shape = 1;
  /** Counts how often something was hung elsewhere. */
  moves = 0;
  readonly #texts = new ScopeTexts();
  readonly #free: number[] = [];
  #count = 0;
  readonly #placements = new Map<string, ScopePlacement>();

  constructor() {
    this.#create('/', -1);
  }

  text(scope: number): string {
    return this.#texts.text(scope);
  }

  /** Known scopes. */
  get size(): number {
    return this.#count - this.#free.length;
  }

  placements(): IterableIterator<ScopePlacement> {
    return this.#placements.values();
  }

  /** Whether anything hangs elsewhere than its path says. */
  get isPlaced(): boolean {
    return this.#placements.size > 0;
  }

  placement(scope: string): ScopePlacement | undefined {
    return this.#placements.get(scope);
  }

  /** The nearest known scope at or above this text, sets `exact`; -1 when it is not a scope. */
  resolve(text: string): number {
    this.read(text);
    return this.resolved(text);
  }

  /** Makes the text the one that `resolved` speaks of; looks at nothing but the text. */
  read(text: string): void {
    this.#texts.read(text);
  }

  /** What `resolve` answers for the text that was read last. */
  resolved(text: string): number {
    if (text.length > 4_096) return -1;
    const found = this.#texts.find(text, text.length);
    if (found >= 0) {
      this.exact = true;
      return found;
    }
    let prefix = -1;
    let end = text.length;
    while (prefix < 0 && (end = this.#texts.lastSlash(text, end)) > 0) prefix = this.#texts.find(text, end);
    if (!isNormalScope(text, Math.max(end, 0))) {
      const normal = normalizeScope(text);
      return normal === null || normal === text ? -1 : this.resolve(normal);
    }
    this.exact = false;
    return prefix < 0 ? this.root : prefix;
  }

  /** The number of exactly this scope, or -1. */
  find(text: string): number {
    this.#texts.read(text);
    return this.#texts.find(text, text.length);
  }

  parent(scope: number): number {
    return this.#parents[scope] ?? -1;
  }

  isAssigned(scope: number): boolean {
    return (this.#assigned[scope] ?? 0) > 0;
  }

  /**
   * Where in `chains` the scope's chain is, which is up to date then: its key, and the scopes at or above it, beneath the
   * key, at which something is assigned, nearest first, each plus one; -1 for no more. Where there are more than three,
   * the third is the complement of that.
   */
  chain(scope: number): number {
    if (this.#stamps[scope] !== this.#shape) this.#link(scope);
    return scope * chainSize;
  }

  /** The nearest scope above the key of this one at which something is assigned; -1 where there is none. */
  aboveKey(scope: number): number {
    if (this.#stamps[scope] !== this.#shape) this.#link(scope);
    return this.#ups[scope] ?? -1;
  }

  #link(scope: number): void {
    const { chains } = this;
    const first = scope * chainSize;
    const key = this.key(scope);
    chains[first] = key;
    chains.fill(-1, first + 1, first + chainSize);
    let count = 0;
    for (let at = scope; at !== key; at = this.#parents[at] ?? key) {
      if ((this.#assigned[at] ?? 0) === 0) continue;
      if (++count < chainSize) chains[first + count] = at + 1;
      else {
        chains[first + chainSize - 1] = ~(chains[first + chainSize - 1] ?? 0);
        break;
      }
    }
    this.#ups[scope] = this.#assignedFrom(this.#parents[key] ?? -1);
    this.#stamps[scope] = this.#shape;
  }

  /** The next ancestor at which something is assigned; -1 above the last. */
  above(scope: number): number {
    return this.#assignedFrom(this.#parents[scope] ?? -1);
  }

  #assignedFrom(scope: number): number {
    let at = scope;
    while (at >= 0 && (this.#assigned[at] ?? 0) === 0) at = this.#parents[at] ?? -1;
    return at;
  }

  /** What rights at a scope are filed under. */
  key(scope: number): number {
    const anchor = this.anchors[scope] ?? -1;
    return anchor < 0 ? scope : anchor;
  }

  /** Steps down from the root. */
  depth(scope: number): number {
    let depth = 0;
    for (let at = this.#parents[scope] ?? -1; at >= 0; at = this.#parents[at] ?? -1) depth++;
    return depth;
  }

  /** Makes the scope known and counts one assignment at it. The text must be in normal form. */
  assign(text: string): number {
    const scope = this.#make(text);
    if (this.#assigned[scope] === 0) this.#reshape();
    this.#assigned[scope] = (this.#assigned[scope] ?? 0) + 1;
    return scope;
  }

  /** Takes one assignment away again. Answers whether numbers were given up, which may then mean other scopes. */
  release(scope: number): boolean {
    this.#assigned[scope] = (this.#assigned[scope] ?? 0) - 1;
    if (this.#assigned[scope] === 0) this.#reshape();
    return this.#prune(scope);
  }

  /** Keeps the scope known though nothing is assigned there; undone by `unpin`. */
  pin(text: string): number {
    const scope = this.#make(text);
    this.#children[scope] = (this.#children[scope] ?? 0) + 1;
    return scope;
  }

  unpin(scope: number): boolean {
    this.#children[scope] = (this.#children[scope] ?? 0) - 1;
    return this.#prune(scope);
  }

  /** Hangs a management group or a subscription elsewhere. Throws a RangeError for a ring. */
  place(placement: ScopePlacement): void {
    const { scope: text, parent } = placement;
    const before = this.#placements.get(text);
    const scope = this.pin(text);
    const target = parent === null ? this.root : this.pin(parent);
    let steps = 0;
    for (let at = target; at >= 0; at = this.parent(at)) {
      if (at === scope) throw new RangeError(`${text} cannot be beneath itself`);
      if (++steps > deepest) throw new RangeError(`${text} would be more than ${deepest} steps down`);
    }
    this.#hang(scope, target);
    this.#placements.set(text, placement);
    if (before) this.#forget(before);
  }

  /** Undoes a placement: the scope hangs where its path says. */
  displace(text: string): void {
    const placement = this.#placements.get(text);
    if (!placement) return;
    this.#placements.delete(text);
    const scope = this.find(text);
    this.#hang(scope, this.#make(parentPath(text)));
    this.#forget(placement);
  }

  #reshape(): void {
    if (++this.#shape <= 0xff) return;
    this.#stamps.fill(0);
    this.#shape = 1;
  }

  #forget({ scope, parent }: ScopePlacement): void {
    this.unpin(this.find(scope));
    if (parent !== null) this.unpin(this.find(parent));
  }

  #hang(scope: number, target: number): void {
    const old = this.parent(scope);
    this.#children[target] = (this.#children[target] ?? 0) + 1;
    this.#parents[scope] = target;
    this.moves++;
    this.#reshape();
    this.#children[old] = (this.#children[old] ?? 0) - 1;
    this.#prune(old);
  }

  #make(text: string): number {
    const known = this.find(text);
    return known >= 0 ? known : this.#create(text, this.#make(parentPath(text)));
  }

  #create(text: string, parent: number): number {
    const scope = this.#free.pop() ?? this.#count++;
    this.anchors = grown(this.anchors, scope + 1);
    this.crowns = grown(this.crowns, scope + 1);
    this.lengths = grown(this.lengths, scope + 1);
    this.#parents = grown(this.#parents, scope + 1);
    this.#assigned = grown(this.#assigned, scope + 1);
    this.#children = grown(this.#children, scope + 1);
    this.chains = grown(this.chains, (scope + 1) * chainSize);
    this.#ups = grown(this.#ups, scope + 1);
    this.#stamps = grown(this.#stamps, scope + 1);
    this.#texts.add(text, scope);
    this.lengths[scope] = text.length;
    this.#parents[scope] = parent;
    this.#assigned[scope] = 0;
    this.#children[scope] = 0;
    this.#stamps[scope] = 0;
    const segments = segmentsIn(text);
    const top = segments < 2 || isTop(text);
    const [anchor, crown] = parent < 0 ? [-1, -1] : [this.anchors[parent] ?? -1, this.crowns[parent] ?? -1];
    this.anchors[scope] = top || segments < 4 ? -1 : anchor < 0 ? scope : anchor;
    this.crowns[scope] = top ? -1 : segments < 4 && crown < 0 ? scope : crown;
    if (parent >= 0) this.#children[parent] = (this.#children[parent] ?? 0) + 1;
    return scope;
  }

  /** Lets go of a scope that nothing needs any more, and of ancestors that were there for it alone. */
  #prune(start: number): boolean {
    let scope = start;
    let gaveUp = false;
    while (scope > 0 && this.#children[scope] === 0 && this.#assigned[scope] === 0) {
      const parent = this.parent(scope);
      this.#texts.remove(scope);
      this.#free.push(scope);
      this.#reshape();
      gaveUp = true;
      this.#children[parent] = (this.#children[parent] ?? 0) - 1;
      scope = parent;
    }
    return gaveUp;
  }
}

const managementGroups = '/providers/microsoft.management';

/** A management group, or on the way to one: above any subscription. */
function isTop(text: string): boolean {
  if (!text.startsWith(managementGroups)) return false;
  return (
    text === managementGroups || text === `${managementGroups}/managementgroups` || managementGroup.test(text)
  );
}

function segmentsIn(text: string): number {
  let slashes = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 0x2f) slashes++;
  return text === '/' ? 0 : slashes;
}

function parentPath(text: string): string {
  const cut = text.lastIndexOf('/');
  return cut <= 0 ? '/' : text.slice(0, cut);
}
