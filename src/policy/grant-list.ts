import { contained, roleContains, type ActionEntry } from './action-table.ts';
import { insertAssigned, takeAssigned } from './assigned-list.ts';
import { reached, type Marks } from './marks.ts';
import type { Grant, Reach } from './nodes.ts';
import { buildPrincipalTable, slotOf, type PrincipalTable } from './principal-table.ts';

/** Up to this many grants at one scope, all are scanned; beyond it each identity of the caller is looked up. */
const scanLimit = 12;
/** Beyond this many, the look-up is changed in place instead of being built anew after a change. */
const rebuildLimit = 2_048;

/** The role assignments at one scope, in order of id. */
export class GrantList {
  readonly grants: Grant[] = [];
  /** Principals and roles of `grants` as plain numbers, side by side in memory. */
  #flat: { readonly principals: Int32Array; readonly roles: Int32Array } | null = null;
  #table: PrincipalTable | null = null;
  #byPrincipal: Map<number, Grant[]> | null = null;

  add(grant: Grant): void {
    insertAssigned(this.grants, grant);
    this.#forget();
    if (this.#byPrincipal) file(this.#byPrincipal, grant);
    else if (this.grants.length > rebuildLimit) {
      this.#byPrincipal = new Map();
      for (const each of this.grants) file(this.#byPrincipal, each);
    }
  }

  remove(id: string): void {
    const removed = takeAssigned(this.grants, id);
    if (!removed) return;
    this.#forget();
    const own = this.#byPrincipal?.get(removed.principal.index);
    if (!own) return;
    takeAssigned(own, id);
    if (own.length === 0) this.#byPrincipal?.delete(removed.principal.index);
  }

  /** The grant with the lowest id that gives one of the caller's identities this action. */
  find(marks: Marks, reach: Reach, action: ActionEntry): Grant | null {
    if (this.#byPrincipal) return lookUp(this.#byPrincipal, reach, action);
    return this.grants.length > scanLimit ? this.#probe(reach, action) : this.#scan(marks, action);
  }

  #scan(marks: Marks, action: ActionEntry): Grant | null {
    const { principals, roles } = (this.#flat ??= flatten(this.grants));
    const { bytes } = marks;
    for (let i = 0; i < principals.length; i++) {
      if (bytes[principals[i] ?? 0] === reached && this.#gives(i, roles[i] ?? 0, action)) {
        return this.grants[i] ?? null;
      }
    }
    return null;
  }

  #probe({ active }: Reach, action: ActionEntry): Grant | null {
    const { data, shift } = (this.#table ??= tableOf(this.grants));
    let lowest = this.grants.length;
    for (let i = 0; i < active.length; i++) {
      const slot = slotOf(data, shift, active[i] ?? 0);
      if (slot < 0) continue;
      const end = data[slot + 2] ?? 0;
      for (let at = data[slot + 1] ?? 0; at < end; at += 2) {
        const position = data[at] ?? 0;
        if (position >= lowest) break;
        if (this.#gives(position, data[at + 1] ?? 0, action)) lowest = position;
      }
    }
    return this.grants[lowest] ?? null;
  }

  #gives(position: number, role: number, action: ActionEntry): boolean {
    const known = action.verdicts[role];
    if (known !== undefined && known !== 0) return known === contained;
    const grant = this.grants[position];
    return grant !== undefined && roleContains(action, grant.role);
  }

  #forget(): void {
    this.#flat = null;
    this.#table = null;
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

function tableOf(grants: readonly Grant[]): PrincipalTable {
  const { principals, roles } = flatten(grants);
  return buildPrincipalTable(principals, roles);
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
