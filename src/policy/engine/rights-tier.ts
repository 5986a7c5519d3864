import type { ConditionContext } from '../conditions/evaluate.ts';
import type { Access } from '../types.ts';
import type { Actions } from './actions.ts';
import { flagBits, isExact, isGated, type Assignments } from './assignments.ts';
import type { ConditionAttributes } from './condition-attributes.ts';
import { none } from './decision-cache.ts';
import type { Gate } from './gate.ts';
import { absent, conditional, type Memberships } from './memberships.ts';
import { deniedBase, missingGrant, unknownPrincipal } from './outcomes.ts';
import { hashOf } from './own-tables.ts';
import type { Principals } from './principals.ts';
import type { Reach } from './reach.ts';
import { directoryHome, RightsCompiler, split, type Within } from './rights-compile.ts';
import type { Roles } from './roles.ts';
import { chainSize, type Scopes } from './scopes.ts';
import { TableMemory, type TableMemoryOptions } from './table-memory.ts';

/** The longest chain of scopes: a path of 4096 characters, and the management groups above it. */
const longestChain = 4_096;

export interface RightsTierParts extends Within {
  readonly roles: Roles;
  readonly actions: Actions;
  /** Which roles, and which denials, contain which actions. */
  readonly granted: Memberships;
  readonly denied: Memberships;
  readonly attributes: ConditionAttributes;
}

/**
 * Names the slot that decides: from one compiled table for each set of rights, or, without one, from what each principal
 * and group is assigned itself. Either is complete by itself.
 */
export class RightsTier {
  readonly #principals: Principals;
  readonly #scopes: Scopes;
  readonly #assignments: Assignments;
  readonly #roles: Roles;
  readonly #actions: Actions;
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #tables: TableMemory;
  /** The scopes at or above the one asked about at which something is assigned, nearest first. */
  readonly #chain = new Int32Array(longestChain);
  readonly #hashes = new Int32Array(longestChain);
  #length = 0;
  /** Where in the chain the best slot of a search is, so far. */
  #nearest = 0;
  #asked = false;
  #access: Access | null = null;
  #principal = 0;
  #action = 0;
  readonly #context: ConditionContext;

  constructor(parts: RightsTierParts, options: TableMemoryOptions) {
    this.#principals = parts.principals;
    this.#scopes = parts.scopes;
    this.#assignments = parts.assignments;
    this.#roles = parts.roles;
    this.#actions = parts.actions;
    this.#granted = parts.granted;
    this.#denied = parts.denied;
    const compiler = new RightsCompiler(parts);
    const compile = compiler.compile.bind(compiler);
    this.#tables = new TableMemory(parts.principals, parts.principals.rights, compile, options);
    this.#context = this.#contextOf(parts.attributes);
  }

  get bytes(): number {
    return this.#tables.bytes;
  }

  forgetAll(): void {
    this.#tables.forgetAll();
  }

  /** Whether the last search has asked a condition: then its outcome holds for that access only. */
  get asked(): boolean {
    return this.#asked;
  }

  /** The outcome at a scope, by number; `exact`: it is the very scope that is asked about. */
  search(principal: number, action: number, scope: number, exact: boolean, access: Access | null): number {
    this.#asked = false;
    this.#access = access;
    this.#principal = principal;
    this.#action = action;
    this.#follow(scope);
    const outcome = this.#search(principal, scope, exact);
    this.#access = null;
    return outcome;
  }

  /** Lays the chain. */
  #follow(scope: number): void {
    const chain = this.#chain;
    let length = 0;
    const scopes = this.#scopes;
    for (let at = scope; at >= 0;) {
      const first = scopes.chain(at);
      const { chains } = scopes;
      let last = 0;
      for (let i = first + 1; i < first + chainSize; i++) {
        const above = chains[i] ?? -1;
        if (above === -1) break;
        last = above;
        chain[length++] = (above < 0 ? ~above : above) - 1;
      }
      if (last < 0) {
        at = scopes.parent(~last - 1);
        continue;
      }
      const key = chains[first] ?? 0;
      if (scopes.isAssigned(key)) chain[length++] = key;
      at = scopes.aboveKey(at);
    }
    this.#length = length;
  }

  #search(principal: number, scope: number, exact: boolean): number {
    const { columns } = this.#principals.rights;
    const table = columns[principal * 4] ?? 0;
    if (table !== 0) return this.#searchTable(table, columns[principal * 4 + 1] ?? 0, scope, exact);
    const node = this.#principals.at(principal);
    if (!node) return unknownPrincipal;
    const reach = this.#principals.reachOf(node);
    const made = this.#tables.ask(node, reach);
    if (made === 0) return this.#searchOwn(reach, scope, exact);
    return this.#searchTable(made, columns[principal * 4 + 1] ?? 0, scope, exact);
  }

  #searchTable(table: number, mask: number, scope: number, exact: boolean): number {
    const { memory } = this.#tables;
    const anchor = this.#scopes.anchors[scope] ?? -1;
    const crown = this.#scopes.crowns[scope] ?? -1;
    const near = anchor < 0 ? 0 : lookUp(memory, table, mask, anchor);
    const far = crown < 0 ? 0 : lookUp(memory, table, mask, crown);
    const top = (mask + 1) * 2;
    const here = exact ? scope : -1;
    let slot = near !== 0 && memory[table + near + 1] !== 0 ? this.#scan(table + near, true, here) : none;
    if (slot === none && far !== 0 && memory[table + far + 1] !== 0)
      slot = this.#scan(table + far, true, here);
    if (slot === none && memory[table + top + 1] !== 0) slot = this.#scan(table + top, true, here);
    if (slot !== none) return deniedBase - slot;
    if (near !== 0) slot = this.#scan(table + near, false, here);
    if (slot === none && far !== 0) slot = this.#scan(table + far, false, here);
    if (slot === none) slot = this.#scan(table + top, false, here);
    return slot === none ? missingGrant : slot;
  }

  /** The first slot of a block that applies, of the denials or the grants; `here` is the scope asked about, or -1. */
  #scan(block: number, denials: boolean, here: number): number {
    const { memory } = this.#tables;
    const count = memory[block] ?? 0;
    if (count === split) return this.#scanSplit(block, denials, here);
    const chain = this.#chain;
    const length = this.#length;
    const end = block + 2 + count;
    for (let i = block + 2; i < end; i++) {
      const scope = memory[i] ?? 0;
      let j = 0;
      while (j < length && chain[j] !== scope) j++;
      if (j === length) continue;
      const slot = this.#scanRun(block + (memory[i + count] ?? 0), denials, scope === here);
      if (slot !== none) return slot;
    }
    return none;
  }

  #scanSplit(block: number, denials: boolean, here: number): number {
    const { memory } = this.#tables;
    for (let i = 0; i < this.#length; i++) {
      const scope = this.#chain[i] ?? 0;
      const run = lookUp(memory, block + 3, memory[block + 2] ?? 0, scope);
      const slot = run === 0 ? none : this.#scanRun(block + run, denials, scope === here);
      if (slot !== none) return slot;
    }
    return none;
  }

  #scanRun(run: number, denials: boolean, here: boolean): number {
    const { memory } = this.#tables;
    const first = run + 2;
    const denied = memory[run] ?? 0;
    const from = denials ? first : first + denied;
    const to = denials ? first + denied : first + (memory[run + 1] ?? 0);
    for (let i = from; i < to; i++) {
      const slot = memory[i] ?? 0;
      if (this.#applies(slot, denials, here)) return slot;
    }
    return none;
  }

  /** The same without a compiled table: from each principal's and group's own. */
  #searchOwn(reach: Reach, scope: number, exact: boolean): number {
    this.#hash();
    const here = exact ? scope : -1;
    const toEveryone = this.#principals.deniedToEveryone;
    this.#nearest = this.#length - 1;
    let denial = none;
    for (const table of reach.denials) denial = this.#better(denial, table, reach, here);
    if (toEveryone !== 0) denial = this.#better(denial, toEveryone, reach, here);
    if (denial !== none) return deniedBase - denial;
    this.#nearest = this.#length - 1;
    let grant = none;
    for (const table of reach.grants) grant = this.#better(grant, table, null, here);
    return grant === none ? missingGrant : grant;
  }

  #hash(): void {
    for (let i = 0; i < this.#length; i++) this.#hashes[i] = hashOf(this.#chain[i] ?? 0);
  }

  /**
   * The slot of this table that comes before `best`, which is at the scope numbered `#nearest` of the chain, if it has one
   * that applies; else `best`. `reach` is given for denials only, which may exclude one of it.
   */
  #better(best: number, table: number, reach: Reach | null, here: number): number {
    const { own, next } = this.#assignments;
    let found = best;
    for (let i = 0; i <= this.#nearest; i++) {
      const hash = this.#hashes[i] ?? 0;
      if (!own.mayHave(table, hash)) continue;
      const scope = this.#chain[i] ?? 0;
      for (let slot = own.find(table, hash, scope); slot >= 0; slot = next[slot] ?? -1) {
        if (i === this.#nearest && found !== none && !this.#assignments.before(slot, found)) continue;
        if (!this.#applies(slot, reach !== null, scope === here)) continue;
        if (reach !== null && this.#assignments.excludes(slot, reach.active)) continue;
        found = slot;
        this.#nearest = i;
      }
    }
    return found;
  }

  /** `here`: at the very scope that is asked about. */
  #applies(slot: number, denial: boolean, here: boolean): boolean {
    const word = this.#assignments.words[slot] ?? 0;
    if ((word & isExact) !== 0 && !here) return false;
    const column = word >>> flagBits;
    const bits = (denial ? this.#denied : this.#granted).bits(this.#action, column);
    if (bits === absent) return false;
    if ((word & isGated) === 0 && bits !== conditional) return true;
    return this.#holds(slot, column, bits, denial);
  }

  /** Whether the conditions let it apply: a grant only if they are true, a denial unless one of them is false. */
  #holds(slot: number, column: number, bits: number, denial: boolean): boolean {
    this.#asked = true;
    const gate = this.#assignments.gate(slot);
    if (gate && !this.#passes(gate, denial)) return false;
    if (bits !== conditional) return true;
    const permissions = this.#roles.permissions(column, denial);
    if (!permissions) return false;
    const plane = this.#actions.isDataAction(this.#action);
    for (const each of permissions.gates(this.#actions.name(this.#action), plane))
      if (this.#passes(each, denial)) return true;
    return false;
  }

  #passes({ condition }: Gate, denial: boolean): boolean {
    const truth = condition === null ? 'error' : condition.evaluate(this.#context);
    return denial ? truth !== 'false' : truth === 'true';
  }

  /** Of the search at hand. */
  #contextOf(attributes: ConditionAttributes): ConditionContext {
    const action = (): string => this.#actions.name(this.#action);
    const kept = (): number => (this.#action < this.#actions.kept ? this.#action : -1);
    const subOperation = (): string | null => this.#access?.subOperation ?? null;
    return {
      get action() {
        return action();
      },
      get actionNumber() {
        return kept();
      },
      get subOperation() {
        return subOperation();
      },
      attribute: (source, name) => attributes.find(this.#principal, this.#access, source, name),
    };
  }
}

/** What a directory holds under this key, 0 for nothing. */
function lookUp(memory: Int32Array, directory: number, mask: number, key: number): number {
  for (let i = directoryHome(key, mask); ; i = (i + 1) & mask) {
    const found = memory[directory + i * 2] ?? 0;
    if (found === key + 1) return memory[directory + i * 2 + 1] ?? 0;
    if (found === 0) return 0;
  }
}
