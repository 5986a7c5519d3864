import type { Permission, RoleDefinition } from '../../store/changes.ts';
import { PermissionSet } from '../permission-set.ts';
import type { Memberships } from './memberships.ts';

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

/** Roles, and what deny assignments deny (equal permissions share a column), each in columns of their own. */
export class Roles {
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #roles = new Map<string, RoleSlot>();
  readonly #byColumn: RoleSlot[] = [];
  readonly #denySets = new Map<string, DenySet>();
  readonly #denySetByColumn: (DenySet | null)[] = [];
  readonly #free: number[] = [];

  constructor(granted: Memberships, denied: Memberships) {
    this.#granted = granted;
    this.#denied = denied;
  }

  get(id: string): RoleSlot | undefined {
    return this.#roles.get(id);
  }

  values(): IterableIterator<RoleSlot> {
    return this.#roles.values();
  }

  /** What a column of roles, or of denials, holds. */
  permissions(column: number, denial: boolean): PermissionSet | null {
    return (denial ? this.#denySetByColumn[column] : this.#byColumn[column])?.permissions ?? null;
  }

  /** The place of a role; made if it is mentioned for the first time. */
  mention(id: string): RoleSlot {
    let role = this.#roles.get(id);
    if (!role) {
      role = { id, column: this.#byColumn.length, definition: null, permissions: null };
      this.#roles.set(id, role);
      this.#byColumn.push(role);
      this.#granted.set(role.column, null);
    }
    return role;
  }

  put(definition: RoleDefinition): void {
    const role = this.mention(definition.id);
    role.definition = definition;
    role.permissions = new PermissionSet(definition.permissions);
    this.#granted.set(role.column, role.permissions);
  }

  delete(id: string): void {
    const role = this.mention(id);
    role.definition = null;
    role.permissions = null;
    this.#granted.set(role.column, null);
  }

  /** The column of what a deny assignment denies; given back with `release`. */
  deny(permissions: readonly Permission[]): number {
    const key = keyOf(permissions);
    let set = this.#denySets.get(key);
    if (!set) {
      const column = this.#free.pop() ?? this.#denySetByColumn.length;
      set = { key, column, permissions: new PermissionSet(permissions), uses: 0 };
      this.#denySets.set(key, set);
      this.#denySetByColumn[column] = set;
      this.#denied.set(column, set.permissions);
    }
    set.uses++;
    return set.column;
  }

  release(column: number): void {
    const set = this.#denySetByColumn[column];
    if (!set || --set.uses > 0) return;
    this.#denySets.delete(set.key);
    this.#denySetByColumn[column] = null;
    this.#denied.set(column, null);
    this.#free.push(column);
  }
}

/** Equal permissions have equal keys. */
function keyOf(permissions: readonly Permission[]): string {
  return JSON.stringify(
    permissions.map(({ actions, notActions, dataActions, notDataActions, condition }) => [
      actions,
      notActions,
      dataActions,
      notDataActions,
      ...(condition ? [condition] : []),
    ]),
  );
}
