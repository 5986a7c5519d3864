import type { Denial, Grant, PrincipalNode, ScopeNode } from './nodes.ts';
import { isWithin } from './scope.ts';

/** From this length on, looking each of a caller's groups up costs less than scanning. */
const indexFrom = 24;

/** The scopes that carry assignments, and their ancestors. */
export class ScopeTree {
  readonly #nodes = new Map<string, ScopeNode>();
  readonly #root: ScopeNode = scopeNode('/', null);

  constructor() {
    this.#nodes.set('/', this.#root);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** The scope's own node, or that of its nearest ancestor that has one. The scope must be in normal form. */
  nearest(scope: string): ScopeNode {
    let node = this.#nodes.get(scope);
    let end = scope.length;
    while (!node) {
      end = scope.lastIndexOf('/', end - 1);
      if (end <= 0) return this.#root;
      node = this.#nodes.get(scope.slice(0, end));
    }
    return node;
  }

  /** Every node at or beneath a scope. */
  *within(scope: string): Generator<ScopeNode> {
    for (const node of this.#nodes.values()) if (isWithin(node.scope, scope)) yield node;
  }

  addGrant(scope: string, grant: Grant): void {
    const node = this.#make(scope);
    insert(node.grants, grant);
    if (node.byPrincipal) {
      const own = node.byPrincipal.get(grant.principal);
      if (own) insert(own, grant);
      else node.byPrincipal.set(grant.principal, [grant]);
    } else if (node.grants.length >= indexFrom) {
      node.byPrincipal = index(node.grants);
    }
  }

  removeGrant(scope: string, id: string): void {
    const node = this.#nodes.get(scope);
    if (!node) return;
    const removed = take(node.grants, id);
    if (removed && node.byPrincipal) {
      const own = node.byPrincipal.get(removed.principal);
      if (own) take(own, id);
      if (own?.length === 0) node.byPrincipal.delete(removed.principal);
    }
    this.#prune(node);
  }

  addDenial(scope: string, denial: Denial): void {
    insert(this.#make(scope).denials, denial);
  }

  removeDenial(scope: string, id: string): void {
    const node = this.#nodes.get(scope);
    if (!node) return;
    take(node.denials, id);
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

  #prune(start: ScopeNode): void {
    let node = start;
    while (node.parent && node.children === 0 && node.grants.length === 0 && node.denials.length === 0) {
      this.#nodes.delete(node.scope);
      node = node.parent;
      node.children--;
    }
  }
}

function scopeNode(scope: string, parent: ScopeNode | null): ScopeNode {
  return { scope, parent, children: 0, grants: [], byPrincipal: null, denials: [] };
}

interface Assigned {
  readonly assignment: { readonly id: string };
}

function index(grants: readonly Grant[]): Map<PrincipalNode, Grant[]> {
  const byPrincipal = new Map<PrincipalNode, Grant[]>();
  for (const grant of grants) {
    const own = byPrincipal.get(grant.principal);
    if (own) own.push(grant);
    else byPrincipal.set(grant.principal, [grant]);
  }
  return byPrincipal;
}

function insert<T extends Assigned>(list: T[], item: T): void {
  list.splice(place(list, item.assignment.id), 0, item);
}

function take<T extends Assigned>(list: T[], id: string): T | undefined {
  const at = place(list, id);
  return list[at]?.assignment.id === id ? list.splice(at, 1)[0] : undefined;
}

/** The index of the first item whose id is not below `id`. */
function place(list: readonly Assigned[], id: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.assignment.id ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
