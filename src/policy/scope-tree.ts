import { DenialList } from './denial-list.ts';
import { GrantList } from './grant-list.ts';
import type { Denial, Grant } from './nodes.ts';

/** A scope at which, or beneath which, something is assigned; an empty list is null. */
export interface ScopeNode {
  readonly scope: string;
  readonly parent: ScopeNode | null;
  children: number;
  grants: GrantList | null;
  denials: DenialList | null;
  /** The nearest ancestor that carries something itself, as of `aboveShape`. */
  above: ScopeNode | null;
  aboveShape: number;
}

/** The scopes that carry assignments, and their ancestors. */
export class ScopeTree {
  readonly #nodes = new Map<string, ScopeNode>();
  readonly #root: ScopeNode = scopeNode('/', null);
  /** Raised whenever a node begins or ceases to carry something. */
  #shape = 0;

  constructor() {
    this.#nodes.set('/', this.#root);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** The node of exactly this scope. */
  exact(scope: string): ScopeNode | undefined {
    return this.#nodes.get(scope);
  }

  /** The node of the nearest ancestor that has one. The scope must be in normal form. */
  nearestAbove(scope: string): ScopeNode {
    let end = scope.length;
    for (;;) {
      end = scope.lastIndexOf('/', end - 1);
      if (end <= 0) return this.#root;
      const node = this.#nodes.get(scope.slice(0, end));
      if (node) return node;
    }
  }

  /** The next ancestor that carries something; null above the last. */
  above(node: ScopeNode): ScopeNode | null {
    if (node.aboveShape !== this.#shape) {
      let above = node.parent;
      while (above && !above.grants && !above.denials) above = above.parent;
      node.above = above;
      node.aboveShape = this.#shape;
    }
    return node.above;
  }

  addGrant(scope: string, grant: Grant): void {
    const node = this.#make(scope);
    if (!node.grants) {
      node.grants = new GrantList();
      this.#shape++;
    }
    node.grants.add(grant);
  }

  removeGrant(scope: string, id: string): void {
    const node = this.#nodes.get(scope);
    if (!node?.grants) return;
    node.grants.remove(id);
    if (node.grants.grants.length === 0) {
      node.grants = null;
      this.#shape++;
    }
    this.#prune(node);
  }

  addDenial(scope: string, denial: Denial): void {
    const node = this.#make(scope);
    if (!node.denials) {
      node.denials = new DenialList();
      this.#shape++;
    }
    node.denials.add(denial);
  }

  removeDenial(scope: string, id: string): void {
    const node = this.#nodes.get(scope);
    if (!node?.denials) return;
    node.denials.remove(id);
    if (node.denials.denials.length === 0) {
      node.denials = null;
      this.#shape++;
    }
    this.#prune(node);
  }

  #make(scope: string): ScopeNode {
    const known = this.#nodes.get(scope);
    if (known) return known;
    const cut = scope.lastIndexOf('/');
    const parent = cut <= 0 ? this.#root : this.#make(scope.slice(0, cut));
    parent.children++;
    const node = scopeNode(scope, parent);
    this.#nodes.set(scope, node);
    return node;
  }

  /** Lets go of a node that carries nothing any more, and of ancestors that were there for it alone. */
  #prune(start: ScopeNode): void {
    let node = start;
    while (node.parent && node.children === 0 && !node.grants && !node.denials) {
      this.#nodes.delete(node.scope);
      node = node.parent;
      node.children--;
    }
  }
}

function scopeNode(scope: string, parent: ScopeNode | null): ScopeNode {
  return { scope, parent, children: 0, grants: null, denials: null, above: null, aboveShape: -1 };
}
