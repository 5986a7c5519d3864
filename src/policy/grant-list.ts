import { contained, roleContains, type ActionEntry } from './action-table.ts';
import { insertAssigned, takeAssigned } from './assigned-list.ts';
import { reached, type Marks } from './marks.ts';
import type { Grant, Reach } from './nodes.ts';

/** Beyond this many grants at one scope, each of the caller's identities is looked up; up to it, all are scanned. */
const scanLimit = 512;

/** The role assignments at one scope, in order of id. */
export class GrantList {
  readonly grants: Grant[] = [];
  /** The principals and roles of `grants` as plain numbers, side by side in memory; built when first asked for. */
  #flat: { readonly principals: Int32Array; readonly roles: Int32Array } | null = null;
  #byPrincipal: Map<number, Grant[]> | null = null;

  add(grant: Grant): void {
    insertAssigned(this.grants, grant);
    this.#flat = null;
    if (this.#byPrincipal) file(this.#byPrincipal, grant);
    else if (this.grants.length > scanLimit) {
      this.#byPrincipal = new Map();
      for (const each of this.grants) file(this.#byPrincipal, each);
    }
  }

  remove(id: string): void {
    const removed = takeAssigned(this.grants, id);
    if (!removed) return;
    this.#flat = null;
    const own = this.#byPrincipal?.get(removed.principal.index);
    if (!own) return;
    takeAssigned(own, id);
    if (own.length === 0) this.#byPrincipal?.delete(removed.principal.index);
  }

  /** The grant with the lowest id that gives a marked principal this action. */
  find(marks: Marks, reach: Reach, action: ActionEntry): Grant | null {
    return this.#byPrincipal ? lookUp(this.#byPrincipal, reach, action) : this.#scan(marks, action);
  }

  #scan(marks: Marks, action: ActionEntry): Grant | null {
    const { principals, roles } = (this.#flat ??= flatten(this.grants));
    const { bytes } = marks;
    const { verdicts } = action;
    for (let i = 0; i < principals.length; i++) {
      if (bytes[principals[i] ?? 0] !== reached) continue;
      const verdict = verdicts[roles[i] ?? 0];
      if (verdict === contained) return this.grants[i] ?? null;
      if (verdict !== 0) continue;
      const grant = this.grants[i];
      if (grant && roleContains(action, grant.role)) return grant;
    }
    return null;
  }
}

function lookUp(
  byPrincipal: ReadonlyMap<number, readonly Grant[]>,
  reach: Reach,
  action: ActionEntry,
): Grant | null {
  let lowest: Grant | null = null;
  for (const index of reach.active) {
    const own = byPrincipal.get(index);
    if (!own) continue;
    for (const grant of own) {
      if (lowest && grant.assignment.id > lowest.assignment.id) break;
      if (!roleContains(action, grant.role)) continue;
      lowest = grant;
      break;
    }
  }
  return lowest;
}

function file(byPrincipal: Map<number, Grant[]>, grant: Grant): void {
  const own = byPrincipal.get(grant.principal.index);
  if (own) insertAssigned(own, grant);
  else byPrincipal.set(grant.principal.index, [grant]);
}

function flatten(grants: readonly Grant[]): { principals: Int32Array; roles: Int32Array } {
  const principals = new Int32Array(grants.length);
  const roles = new Int32Array(grants.length);
  for (const [i, grant] of grants.entries()) {
    principals[i] = grant.principal.index;
    roles[i] = grant.role.index;
  }
  return { principals, roles };
}
