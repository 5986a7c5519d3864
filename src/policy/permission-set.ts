import type { Permission } from '../store/changes.ts';
import { compileActionPattern, type ActionPattern } from './action-pattern.ts';

/** Results that one set remembers per plane; beyond it the memory starts anew, so callers cannot make it grow. */
const memoLimit = 2_048;

interface Plane {
  readonly include: readonly ActionPattern[];
  readonly exclude: readonly ActionPattern[];
}

/**
 * The permissions of one role or deny assignment, compiled once. Each permission is its actions minus its
 * notActions; several permissions are united. Actions and data actions are two planes that never mix.
 */
export class PermissionSet {
  readonly #actions: readonly Plane[];
  readonly #dataActions: readonly Plane[];
  readonly #actionMemo = new Map<string, boolean>();
  readonly #dataActionMemo = new Map<string, boolean>();

  constructor(permissions: readonly Permission[]) {
    this.#actions = permissions.map((permission) => plane(permission.actions, permission.notActions));
    this.#dataActions = permissions.map((permission) =>
      plane(permission.dataActions, permission.notDataActions),
    );
  }

  /** `action` must be in lower case. */
  contains(action: string, dataAction: boolean): boolean {
    const memo = dataAction ? this.#dataActionMemo : this.#actionMemo;
    const known = memo.get(action);
    if (known !== undefined) return known;
    const result = evaluate(dataAction ? this.#dataActions : this.#actions, action);
    if (memo.size >= memoLimit) memo.clear();
    memo.set(action, result);
    return result;
  }

  /** The notAction that takes away what an action pattern of the same permission gives; null if there is none. */
  excludedBy(action: string, dataAction: boolean): string | null {
    for (const { include, exclude } of dataAction ? this.#dataActions : this.#actions) {
      if (!anyMatches(include, action)) continue;
      for (const pattern of exclude) if (pattern.matches(action)) return pattern.text;
    }
    return null;
  }
}

function plane(include: readonly string[], exclude: readonly string[]): Plane {
  return { include: include.map(compileActionPattern), exclude: exclude.map(compileActionPattern) };
}

function evaluate(planes: readonly Plane[], action: string): boolean {
  for (const { include, exclude } of planes) {
    if (anyMatches(include, action) && !anyMatches(exclude, action)) return true;
  }
  return false;
}

function anyMatches(patterns: readonly ActionPattern[], action: string): boolean {
  for (const pattern of patterns) if (pattern.matches(action)) return true;
  return false;
}
