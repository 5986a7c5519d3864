import { unknowable, type ConditionContext } from '../conditions/evaluate.ts';
import type { Access } from '../types.ts';
import type { Actions } from './actions.ts';
import { flagBits, type Assignments } from './assignments.ts';
import type { ConditionAttributes } from './condition-attributes.ts';
import { none } from './decision-cache.ts';
import type { Gate } from './gate.ts';
import { absent, conditional, type Memberships } from './memberships.ts';
import type { Principals } from './principals.ts';
import type { Reach } from './reach.ts';
import type { Roles } from './roles.ts';
import type { Scopes } from './scopes.ts';

export interface DenialsBeneathParts {
  readonly principals: Principals;
  readonly scopes: Scopes;
  readonly roles: Roles;
  readonly assignments: Assignments;
  readonly actions: Actions;
  readonly denied: Memberships;
  readonly attributes: ConditionAttributes;
}

/** One search: who asks for what, and the best slot so far. */
interface Search {
  readonly reach: Reach;
  readonly action: number;
  readonly scope: number;
  readonly context: ConditionContext;
  slot: number;
  steps: number;
}

/**
 * What lies beneath a scope and is denied there: what an operation on the whole of it would take with it. Denials are few, and
 * most scopes have none beneath: those that have are kept as a set, made anew when a denial or the tree has changed. Where
 * there are some, the principal's own are looked through.
 */
export class DenialsBeneath {
  readonly #parts: DenialsBeneathParts;
  /** Scopes above one at which something is denied to anybody. */
  #above: ReadonlySet<number> = new Set();
  #denialsAt = -1;
  #movesAt = -1;

  constructor(parts: DenialsBeneathParts) {
    this.#parts = parts;
  }

  /**
   * The slot of the denial strictly beneath the scope, by number, that applies to the principal and the action: the one
   * fewest steps down, of several the one with the lowest id; -1 for none. It applies unless its condition is false whatever
   * lies beneath: what the request or the resource would say there is not known here.
   */
  find(principal: number, action: number, scope: number, access: Access): number {
    if (!this.#scopesAbove().has(scope)) return none;
    const { principals } = this.#parts;
    const node = principals.at(principal);
    if (!node) return none;
    const reach = principals.reachOf(node);
    const context = this.#contextOf(principal, action, access);
    const search: Search = { reach, action, scope, context, slot: none, steps: Number.POSITIVE_INFINITY };
    for (const table of reach.denials) this.#lookThrough(table, search);
    this.#lookThrough(principals.deniedToEveryone, search);
    return search.slot;
  }

  #scopesAbove(): ReadonlySet<number> {
    const { assignments, scopes } = this.#parts;
    if (this.#denialsAt === assignments.denialChanges && this.#movesAt === scopes.moves) return this.#above;
    const above = new Set<number>();
    for (const denied of assignments.scopesOfDenials()) {
      for (let at = scopes.parent(denied); at >= 0 && !above.has(at); at = scopes.parent(at)) above.add(at);
    }
    this.#denialsAt = assignments.denialChanges;
    this.#movesAt = scopes.moves;
    this.#above = above;
    return above;
  }

  #lookThrough(table: number, search: Search): void {
    const { assignments } = this.#parts;
    assignments.own.eachHead(table, (head) => {
      const steps = this.#stepsDown(assignments.scopes[head] ?? -1, search.scope);
      if (steps <= 0 || steps > search.steps) return;
      for (let slot = head; slot >= 0; slot = assignments.next[slot] ?? -1) {
        if (steps === search.steps && !assignments.before(slot, search.slot)) continue;
        if (!this.#applies(slot, search) || assignments.excludes(slot, search.reach.active)) continue;
        search.slot = slot;
        search.steps = steps;
      }
    });
  }

  /** From `above` down to the scope; -1 where it does not lie there. */
  #stepsDown(scope: number, above: number): number {
    const { scopes } = this.#parts;
    let steps = 0;
    for (let at = scope; at >= 0; at = scopes.parent(at), steps++) if (at === above) return steps;
    return -1;
  }

  #applies(slot: number, { action, context }: Search): boolean {
    const { assignments, denied, roles, actions } = this.#parts;
    const column = (assignments.words[slot] ?? 0) >>> flagBits;
    const bits = denied.bits(action, column);
    if (bits === absent) return false;
    const gate = assignments.gate(slot);
    if (gate && isFalse(gate, context)) return false;
    if (bits !== conditional) return true;
    const permissions = roles.permissions(column, true);
    if (!permissions) return false;
    for (const each of permissions.gates(actions.name(action), actions.isDataAction(action)))
      if (!isFalse(each, context)) return true;
    return false;
  }

  #contextOf(principal: number, action: number, access: Access): ConditionContext {
    const { actions, attributes } = this.#parts;
    return {
      action: actions.name(action),
      subOperation: access.subOperation ?? null,
      attribute: (source, name) =>
        source === 'principal' || source === 'environment'
          ? attributes.find(principal, access, source, name)
          : unknowable,
    };
  }
}

function isFalse({ condition }: Gate, context: ConditionContext): boolean {
  return condition !== null && condition.evaluate(context) === 'false';
}
