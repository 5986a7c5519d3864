import type { ActionEntry } from './action-table.ts';
import { insertAssigned, takeAssigned } from './assigned-list.ts';
import { everyoneIndex, reached, type Marks } from './marks.ts';
import type { Denial } from './nodes.ts';

/** The deny assignments at one scope, in order of id. */
export class DenialList {
  readonly denials: Denial[] = [];
  /** One entry per denied principal, in order of the denial's id; built when first asked for. */
  #flat: { readonly principals: Int32Array; readonly denials: readonly Denial[] } | null = null;

  add(denial: Denial): void {
    insertAssigned(this.denials, denial);
    this.#flat = null;
  }

  remove(id: string): void {
    takeAssigned(this.denials, id);
    this.#flat = null;
  }

  /** The denial with the lowest id that refuses a marked principal this action at `scope`. */
  find(marks: Marks, scope: string, action: ActionEntry): Denial | null {
    const { principals, denials } = (this.#flat ??= flatten(this.denials));
    const { bytes } = marks;
    for (let i = 0; i < principals.length; i++) {
      if (bytes[principals[i] ?? 0] === 0) continue;
      const denial = denials[i];
      if (denial && denialHolds(denial, marks, scope, action)) return denial;
    }
    return null;
  }
}

/** What remains to be asked once a denied principal is marked. */
function denialHolds(denial: Denial, marks: Marks, scope: string, action: ActionEntry): boolean {
  if (denial.assignment.doNotApplyToChildScopes && denial.assignment.scope !== scope) return false;
  for (const { index } of denial.excluded) if (marks.bytes[index] === reached) return false;
  return denial.permissions.contains(action.name, action.dataAction);
}

function flatten(denials: readonly Denial[]): { principals: Int32Array; denials: readonly Denial[] } {
  const principals: number[] = [];
  const owners: Denial[] = [];
  for (const denial of denials) {
    const indexes = denial.everyone ? [everyoneIndex] : denial.principals.map(({ index }) => index);
    for (const index of indexes) {
      principals.push(index);
      owners.push(denial);
    }
  }
  return { principals: Int32Array.from(principals), denials: owners };
}
