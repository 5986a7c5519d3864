import type { Permission } from '../store/changes.ts';
import { compileActionPattern, type ActionPattern } from './action-pattern.ts';
import { gateOf, type Gate } from './engine/gate.ts';

interface Part {
  readonly actions: Plane;
  readonly dataActions: Plane;
  readonly gate: Gate | null;
}

interface Plane {
  readonly include: readonly ActionPattern[];
  readonly exclude: readonly ActionPattern[];
}

/** How a set holds an action: not at all, only where one of its permissions' conditions is true, or plainly. */
export type Membership = 'absent' | 'conditional' | 'contained';

/**
 * The permissions of one role or deny assignment, compiled once. Each permission is its actions minus its
 * notActions; several permissions are united. Actions and data actions are two planes that never mix.
 */
export class PermissionSet {
  readonly #parts: readonly Part[];

  constructor(permissions: readonly Permission[]) {
    this.#parts = permissions.map((permission) => ({
      actions: plane(permission.actions, permission.notActions),
      dataActions: plane(permission.dataActions, permission.notDataActions),
      gate: gateOf(permission.condition),
    }));
  }

  /** Whether any permission contains it, conditions left aside. `action` must be in lower case. */
  contains(action: string, dataAction: boolean): boolean {
    return this.membership(action, dataAction) !== 'absent';
  }

  /** `action` must be in lower case. */
  membership(action: string, dataAction: boolean): Membership {
    let found: Membership = 'absent';
    for (const part of this.#parts) {
      if (!holds(dataAction ? part.dataActions : part.actions, action)) continue;
      if (part.gate === null) return 'contained';
      found = 'conditional';
    }
    return found;
  }

  /** The conditions of the permissions that contain it. */
  *gates(action: string, dataAction: boolean): Generator<Gate> {
    for (const part of this.#parts) {
      if (part.gate && holds(dataAction ? part.dataActions : part.actions, action)) yield part.gate;
    }
  }

  /** The notAction that takes away what an action pattern of the same permission gives; null if there is none. */
  excludedBy(action: string, dataAction: boolean): string | null {
    for (const part of this.#parts) {
      const { include, exclude } = dataAction ? part.dataActions : part.actions;
      if (!anyMatches(include, action)) continue;
      for (const pattern of exclude) if (pattern.matches(action)) return pattern.text;
    }
    return null;
  }
}

function plane(include: readonly string[], exclude: readonly string[]): Plane {
  return { include: include.map(compileActionPattern), exclude: exclude.map(compileActionPattern) };
}

function holds({ include, exclude }: Plane, action: string): boolean {
  return anyMatches(include, action) && !anyMatches(exclude, action);
}

function anyMatches(patterns: readonly ActionPattern[], action: string): boolean {
  for (const pattern of patterns) if (pattern.matches(action)) return true;
  return false;
}
