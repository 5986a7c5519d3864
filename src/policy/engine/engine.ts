import type { AttributeValue } from '../../store/changes.ts';
import type { ConditionContext } from '../conditions/evaluate.ts';
import type { AttributeSource } from '../conditions/syntax.ts';
import type { Access } from '../types.ts';
import { Actions } from './actions.ts';
import { Assignments, flagBits, isExact, isGated } from './assignments.ts';
import { DecisionCache, none } from './decision-cache.ts';
import type { Gate } from './gate.ts';
import { absent, conditional, Memberships } from './memberships.ts';
import { disabledState, Principals, unknownState } from './principals.ts';
import type { Reach } from './reach.ts';
import { ResourceTags } from './resource-tags.ts';
import { MaskTier, untold, yes } from './mask-tier.ts';
import { directoryHome, RightsCompiler, split } from './rights-compile.ts';
import { Roles } from './roles.ts';
import { chainSize, Scopes } from './scopes.ts';
import { TableMemory } from './table-memory.ts';

/** Outcomes of a decision other than the slot of the role assignment that allows. */
export const missingGrant = -1;
export const unknownPrincipal = -2;
export const disabledPrincipal = -3;
export const notAScope = -4;
/** Outcomes at or below it name the slot of the deny assignment: `deniedBase - slot`. */
export const deniedBase = -16;

export interface EngineOptions {
  /** Reserved for compiled rights, which name the policy that decides; used as they are made. */
  readonly rightsBytes: number;
  /** Reserved for compiled masks, which only tell yes from no. */
  readonly maskBytes: number;
  /** How often a principal must ask before its rights are compiled. */
  readonly compileAfter: number;
  /** Outcomes remembered, a power of two; 20 bytes each. */
  readonly cachedDecisions: number;
}

/** Marks the place of an outcome that is only yes or no. */
const unnamedOutcome = 1 << 30;

/** The longest chain of scopes: a path of 4096 characters, and the management groups above it. */
const longestChain = 4_096;

/**
 * Decisions on numbers. Three tiers, each complete by itself: outcomes of before (DecisionCache), one compiled table
 * for each set of rights (RightsTables), and what each principal and group is assigned itself (OwnTable).
 */
export class Engine {
  readonly principals: Principals;
  readonly scopes = new Scopes();
  readonly actions: Actions;
  readonly roles: Roles;
  readonly assignments: Assignments;
  readonly tags = new ResourceTags();
  /** Which roles, and which denials, contain which actions. */
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #rights: TableMemory;
  readonly #masks: MaskTier;
  readonly #cache: DecisionCache;
  /** Counts changes; cached outcomes are dated by it. */
  #now = 1;
  /** Outcomes from before it no longer count. */
  #floor = 1;
  /** The scopes at or above the one asked about at which something is assigned, nearest first. */
  readonly #chain = new Int32Array(longestChain);
  #length = 0;
  /** Whether the outcome of the decision at hand is not to be remembered, such as one that has asked a condition. */
  #asked = false;
  #access: Access | null = null;
  #principal = 0;
  #action = 0;
  readonly #context: ConditionContext;

  constructor(options: EngineOptions) {
    this.actions = new Actions(
      (from) => {
        this.#granted.forgetFrom(from);
        this.#denied.forgetFrom(from);
        this.#changeAll();
      },
      (kept) => {
        this.#granted.expandRow(kept);
        this.#denied.expandRow(kept);
      },
    );
    this.#granted = new Memberships(this.actions);
    this.#denied = new Memberships(this.actions);
    this.roles = new Roles(this.#granted, this.#denied);
    this.principals = new Principals(
      () => this.#now,
      () => this.forget(),
    );
    const { principals, scopes, roles } = this;
    this.assignments = new Assignments({ principals, scopes, roles }, () => this.#changeAll());
    const within = { principals, scopes, assignments: this.assignments };
    const { compileAfter } = options;
    const rights = new RightsCompiler(within);
    this.#rights = new TableMemory(principals.rights, (reach) => rights.compile(reach), {
      bytes: options.rightsBytes,
      compileAfter,
    });
    this.#masks = new MaskTier(within, this.#granted, this.#denied, {
      bytes: options.maskBytes,
      compileAfter,
    });
    this.#cache = new DecisionCache(options.cachedDecisions);
    this.#context = conditionContext(this);
  }

  /** To be called before each change is taken in. */
  tick(): void {
    this.#now++;
    if (this.#now < 0x7fff_ffff) return;
    this.#now = 2;
    this.principals.changedAt.fill(1);
    this.#floor = 1;
    this.#cache.clear();
  }

  /** A role's permissions have changed: no outcome of before counts, compiled tables stay. */
  changeRoles(): void {
    this.#changeAll();
  }

  /** What is assigned to everyone, or the tree itself, has changed: no outcome and no table of before counts. */
  forget(): void {
    this.#changeAll();
    this.#rights.forgetAll();
    this.#masks.forgetAll();
  }

  /** A number that stands for this principal for as long as it exists, and for nobody after; -1 if it is unknown. */
  principalHandle(id: string): number {
    return this.principals.index(id);
  }

  /** A number for an action named in code. */
  actionHandle(action: string, dataAction: boolean): number {
    return this.actions.keep(action, dataAction);
  }

  /** A number for a scope that is kept known until `dropScope`. The text must be in normal form. */
  scopeHandle(scope: string): number {
    return this.scopes.pin(scope) * 2 + 1;
  }

  dropScope(handle: number): void {
    if (this.scopes.unpin(handle >> 1)) this.#changeAll();
  }

  /**
   * The place of a scope, good until the next change: the number of the nearest known scope at or above it, times two,
   * plus one when it is that scope itself. -1 when the text is not a scope.
   */
  place(scope: string): number {
    this.scopes.read(scope);
    return this.#placeOf(scope);
  }

  #placeOf(scope: string): number {
    const found = this.scopes.resolved(scope);
    return found < 0 ? -1 : found * 2 + (this.scopes.exact ? 1 : 0);
  }

  /** `allows` for names. */
  allowsNamed(id: string, access: Access): boolean {
    this.#read(id, access);
    const principal = this.principals.found();
    if (principal < 0) return false;
    const action = this.actions.found(access.action, access.dataAction);
    return this.allows(principal, action, this.#placeOf(access.scope), access);
  }

  /** `decide` for names. */
  decideNamed(id: string, access: Access): number {
    this.#read(id, access);
    const principal = this.principals.found();
    if (principal < 0) return unknownPrincipal;
    const action = this.actions.found(access.action, access.dataAction);
    return this.decide(principal, action, this.#placeOf(access.scope), access);
  }

  /** Reads all three before any of them is looked for, so that the ways to memory overlap. */
  #read(id: string, { action, dataAction, scope }: Access): void {
    this.principals.read(id);
    this.actions.read(action, dataAction);
    this.scopes.read(scope);
  }

  /** Bytes of compiled rights in use. */
  get rightsSize(): number {
    return this.#rights.bytes + this.#masks.bytes;
  }

  /**
   * Whether `decide` would allow, without the policy that decides: what re-decides live sessions and answers lists.
   * Roles are bits here, so the nearest scope at which the principal is assigned anything tells nearly all.
   */
  allows(principal: number, action: number, place: number, access: Access | null): boolean {
    if (place < 0) return false;
    if (this.#cache.worthwhile) return this.#remembersAllowed(principal, action, place, access);
    const answer = this.#masks.allows(principal, action, place >> 1);
    return answer <= yes ? answer === yes : this.#finds(answer, principal, action, place, access);
  }

  #remembersAllowed(principal: number, action: number, place: number, access: Access | null): boolean {
    const since = Math.max(this.principals.changedAt[principal] ?? 0, this.#floor);
    const known = this.#cache.find(principal, action, place | unnamedOutcome, since);
    if (known !== none) return known === 1;
    this.#asked = false;
    const answer = this.#masks.allows(principal, action, place >> 1);
    const allowed = answer <= yes ? answer === yes : this.#finds(answer, principal, action, place, access);
    if (!this.#asked) {
      this.#cache.store(principal, action, place | unnamedOutcome, allowed ? 1 : 0, this.#now);
    }
    return allowed;
  }

  /** What the masks do not tell. */
  #finds(answer: number, principal: number, action: number, place: number, access: Access | null): boolean {
    if (answer === untold) {
      const node = this.principals.at(principal);
      if (!node?.record?.enabled) {
        // Whoever becomes known or enabled is not noticed unless somebody has looked into their groups before.
        this.#asked = true;
        return false;
      }
      if (this.#masks.ask(node)) return this.allows(principal, action, place, access);
    }
    return this.decide(principal, action, place, access) >= 0;
  }

  /**
   * The slot of the role assignment that allows, or why not. `place` is a handle or the place of a scope; `access` is
   * what conditions may ask, null for nothing.
   */
  decide(principal: number, action: number, place: number, access: Access | null): number {
    const state = this.principals.states[principal];
    if (state === unknownState || state === undefined) return unknownPrincipal;
    if (state === disabledState) return disabledPrincipal;
    if (place < 0) return notAScope;
    const cached = this.#cache.worthwhile;
    if (cached) {
      const since = Math.max(this.principals.changedAt[principal] ?? 0, this.#floor);
      const outcome = this.#cache.find(principal, action, place, since);
      if (outcome !== none) return outcome;
    }
    this.#asked = false;
    this.#access = access;
    this.#principal = principal;
    this.#action = action;
    const scope = place >> 1;
    this.#follow(scope);
    const outcome = this.#search(principal, scope, (place & 1) === 1);
    this.#access = null;
    if (cached && !this.#asked) this.#cache.store(principal, action, place, outcome, this.#now);
    return outcome;
  }

  /** What a condition that is evaluated now would find. */
  attribute(source: AttributeSource, name: string): AttributeValue | undefined {
    return this.attributeOf(this.#principal, this.#access, source, name);
  }

  /** What a condition finds for this principal and access. */
  attributeOf(
    principal: number,
    access: Access | null,
    source: AttributeSource,
    name: string,
  ): AttributeValue | undefined {
    switch (source) {
      case 'principal':
        return securityAttribute(this.principals.at(principal)?.record?.securityAttributes, name);
      case 'request':
        return own(access?.attributes?.request, name);
      case 'environment':
        return own(access?.attributes?.environment, name);
      case 'resource':
        return (
          own(access?.attributes?.resource, name) ?? (access ? this.tags.find(access.scope, name) : undefined)
        );
    }
  }

  /** What conditions find for this principal and access, at any time. */
  contextFor(principal: number, access: Access): ConditionContext {
    return {
      action: access.action.toLowerCase(),
      subOperation: access.subOperation ?? null,
      attribute: (source, name) => this.attributeOf(principal, access, source, name),
    };
  }

  get action(): string {
    return this.actions.name(this.#action);
  }

  get subOperation(): string | null {
    return this.#access?.subOperation ?? null;
  }

  #changeAll(): void {
    this.#floor = ++this.#now;
  }

  /** Lays the chain. */
  #follow(scope: number): void {
    const chain = this.#chain;
    let length = 0;
    const { scopes } = this;
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
    const { columns } = this.principals.rights;
    const table = columns[principal * 4] ?? 0;
    if (table !== 0) return this.#searchTable(table, columns[principal * 4 + 1] ?? 0, scope, exact);
    const node = this.principals.at(principal);
    if (!node) return unknownPrincipal;
    const reach = this.principals.reachOf(node);
    const made = this.#rights.ask(node, reach);
    if (made === 0) return this.#searchOwn(reach, scope, exact);
    return this.#searchTable(made, columns[principal * 4 + 1] ?? 0, scope, exact);
  }

  #searchTable(table: number, mask: number, scope: number, exact: boolean): number {
    const { memory } = this.#rights;
    const anchor = this.scopes.anchors[scope] ?? -1;
    const crown = this.scopes.crowns[scope] ?? -1;
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
    const { memory } = this.#rights;
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
    const { memory } = this.#rights;
    for (let i = 0; i < this.#length; i++) {
      const scope = this.#chain[i] ?? 0;
      const run = lookUp(memory, block + 3, memory[block + 2] ?? 0, scope);
      const slot = run === 0 ? none : this.#scanRun(block + run, denials, scope === here);
      if (slot !== none) return slot;
    }
    return none;
  }

  #scanRun(run: number, denials: boolean, here: boolean): number {
    const { memory } = this.#rights;
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

  /** The same without a compiled table: each principal's and group's own, scope by scope, nearest first. */
  #searchOwn(reach: Reach, scope: number, exact: boolean): number {
    const { own } = this.assignments;
    let grant = none;
    const { denials: ofEveryone } = this.principals.everyone;
    for (let j = 0; j < this.#length; j++) {
      const at = this.#chain[j] ?? 0;
      let denial = none;
      for (let i = 0; i <= reach.denials.length; i++) {
        const table = i < reach.denials.length ? reach.denials[i] : ofEveryone;
        for (let slot = own.get(table ?? 0, at); slot >= 0; slot = this.assignments.next[slot] ?? -1) {
          if (denial !== none && !this.assignments.before(slot, denial)) continue;
          if (!this.#applies(slot, true, exact && at === scope)) continue;
          if (this.assignments.excludes(slot, reach.active)) continue;
          denial = slot;
        }
      }
      if (denial !== none) return deniedBase - denial;
      if (grant !== none) continue;
      for (const table of reach.grants) {
        for (let slot = own.get(table, at); slot >= 0; slot = this.assignments.next[slot] ?? -1) {
          if (grant !== none && !this.assignments.before(slot, grant)) continue;
          if (this.#applies(slot, false, true)) grant = slot;
        }
      }
    }
    return grant === none ? missingGrant : grant;
  }

  /** `here`: at the very scope that is asked about. */
  #applies(slot: number, denial: boolean, here: boolean): boolean {
    const word = this.assignments.words[slot] ?? 0;
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
    const gate = this.assignments.gate(slot);
    if (gate && !this.#passes(gate, denial)) return false;
    if (bits !== conditional) return true;
    const permissions = this.roles.permissions(column, denial);
    if (!permissions) return false;
    const plane = this.actions.isDataAction(this.#action);
    for (const each of permissions.gates(this.action, plane)) if (this.#passes(each, denial)) return true;
    return false;
  }

  #passes({ condition }: Gate, denial: boolean): boolean {
    const truth = condition === null ? 'error' : condition.evaluate(this.#context);
    return denial ? truth !== 'false' : truth === 'true';
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

function conditionContext(engine: Engine): ConditionContext {
  return {
    get action() {
      return engine.action;
    },
    get subOperation() {
      return engine.subOperation;
    },
    attribute: (source, name) => engine.attribute(source, name),
  };
}

function own(
  set: Readonly<Record<string, AttributeValue>> | undefined,
  name: string,
): AttributeValue | undefined {
  const value = set?.[name];
  // What every object inherits are functions, and `__proto__`, which is no list.
  if (typeof value === 'object') return Array.isArray(value) ? value : undefined;
  return typeof value === 'function' ? undefined : value;
}

const customAttribute = 'microsoft.directory/customsecurityattributes/id:';

/** Names of attributes are compared without case. */
function securityAttribute(
  set: Readonly<Record<string, AttributeValue>> | undefined,
  name: string,
): AttributeValue | undefined {
  if (set === undefined || !name.startsWith(customAttribute)) return undefined;
  const wanted = name.slice(customAttribute.length);
  for (const [key, value] of Object.entries(set)) if (key.toLowerCase() === wanted) return value;
  return undefined;
}
