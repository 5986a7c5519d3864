import type { RoleSlot } from './nodes.ts';

/** Actions remembered per plane; beyond it the memory starts anew, so callers cannot make it grow. */
const limit = 4_096;

const unknown = 0;
export const contained = 1;
const absent = 2;

/** One action and, by role index, whether the role contains it: 0 while nobody asked. */
export interface ActionEntry {
  /** Lower case. */
  readonly name: string;
  readonly dataAction: boolean;
  verdicts: Uint8Array;
}

/** Which roles contain which actions, found out once per pair. */
export class ActionTable {
  readonly #actions = new Map<string, ActionEntry>();
  readonly #dataActions = new Map<string, ActionEntry>();
  #roles = 0;

  entry(action: string, dataAction: boolean): ActionEntry {
    const table = dataAction ? this.#dataActions : this.#actions;
    let entry = table.get(action);
    if (!entry) {
      entry = { name: action.toLowerCase(), dataAction, verdicts: new Uint8Array(this.#roles) };
      if (table.size >= limit) table.clear();
      table.set(action, entry);
    }
    return entry;
  }

  /** Must be called whenever a role is added or its permissions change. */
  rolesChanged(count: number): void {
    this.#roles = count;
    this.#actions.clear();
    this.#dataActions.clear();
  }
}

export function roleContains(entry: ActionEntry, role: RoleSlot): boolean {
  const known = entry.verdicts[role.index] ?? unknown;
  if (known !== unknown) return known === contained;
  const verdict = role.permissions?.contains(entry.name, entry.dataAction) ? contained : absent;
  entry.verdicts[role.index] = verdict;
  return verdict === contained;
}
