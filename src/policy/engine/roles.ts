import type { Permission, RoleDefinition } from '../../store/changes.ts';
import { PermissionSet } from '../permission-set.ts';
import type { Actions } from './actions.ts';

/** A role's place; `permissions` is null while the role is unknown, which grants nothing. */
export interface RoleSlot {
  readonly id: string;
  readonly column: number;
  definition: RoleDefinition | null;
  permissions: PermissionSet | null;
}

interface DenySet {
  readonly key: string;
  readonly column: number;
  readonly permissions: PermissionSet;
  uses: number;
}

/** Roles, and the permissions of deny assignments (equal ones share a place), as columns of `Actions`. */
export class Roles {
  readonly #actions: Actions;
  readonly #roles = new Map<string, RoleSlot>();
  readonly #denied = new Map<string, DenySet>();
  readonly #byColumn: (RoleSlot | DenySet)[] = [];
  readonly #free: number[] = [];

  constructor(actions: Actions) {
    this.#actions = actions;
  }

  get(id: string): RoleSlot | undefined {
    return this.#roles.get(id);
  }

  values(): IterableIterator<RoleSlot> {
    return this.#roles.values();
  }

  permissions(column: number): PermissionSet | null {
    return this.#byColumn[column]?.permissions ?? null;
  }

  /** The place of a role; made if it is mentioned for the first time. */
  mention(id: string): RoleSlot {
    let role = this.#roles.get(id);
    if (!role) {
      role = { id, column: this.#column(), definition: null, permissions: null };
      this.#roles.set(id, role);
      this.#byColumn[role.column] = role;
      this.#actions.setColumn(role.column, null);
    }
    return role;
  }

  put(definition: RoleDefinition): void {
    const role = this.mention(definition.id);
    role.definition = definition;
    role.permissions = new PermissionSet(definition.permissions);
    this.#actions.setColumn(role.column, role.permissions);
  }

  delete(id: string): void {
    const role = this.mention(id);
    role.definition = null;
    role.permissions = null;
    this.#actions.setColumn(role.column, null);
  }

  /** The column of what a deny assignment denies; given back with `release`. */
  deny(permissions: readonly Permission[]): number {
    const key = JSON.stringify(permissions);
    let set = this.#denied.get(key);
    if (!set) {
      set = { key, column: this.#column(), permissions: new PermissionSet(permissions), uses: 0 };
      this.#denied.set(key, set);
      this.#byColumn[set.column] = set;
      this.#actions.setColumn(set.column, set.permissions);
    }
    set.uses++;
    return set.column;
  }

  release(column: number): void {
    const set = this.#byColumn[column];
    if (!set || !('uses' in set) || --set.uses > 0) return;
    this.#denied.delete(set.key);
    this.#actions.setColumn(column, null);
    this.#free.push(column);
  }

  #column(): number {
    return this.#free.pop() ?? this.#byColumn.length;
  }
}
