import type { Access } from '../types.ts';
import { Actions } from './actions.ts';
import { Assignments } from './assignments.ts';
import { ConditionAttributes } from './condition-attributes.ts';
import { DecisionCache, none } from './decision-cache.ts';
import { Memberships } from './memberships.ts';
import { DenialsBeneath } from './denials-beneath.ts';
import { deniedBase, disabledPrincipal, notAScope, unknownPrincipal } from './outcomes.ts';
import { disabledState, Principals, unknownState } from './principals.ts';
import { ResourceTags } from './resource-tags.ts';
import { MaskTier, untold, yes } from './mask-tier.ts';
import { RightsTier } from './rights-tier.ts';
import { Roles } from './roles.ts';
import { Scopes } from './scopes.ts';

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

/**
 * Decisions on numbers, by tiers: outcomes of before (DecisionCache), masks that tell yes from no (MaskTier), and the
 * rights themselves, which name the policy (RightsTier).
 */
export class Engine {
  readonly principals: Principals;
  readonly scopes = new Scopes();
  readonly actions: Actions;
  readonly roles: Roles;
  readonly assignments: Assignments;
  readonly tags = new ResourceTags();
  readonly attributes: ConditionAttributes;
  /** Which roles, and which denials, contain which actions. */
  readonly #granted: Memberships;
  readonly #denied: Memberships;
  readonly #rights: RightsTier;
  readonly #masks: MaskTier;
  readonly #cache: DecisionCache;
  readonly #beneath: DenialsBeneath;
  /** Counts changes; cached outcomes are dated by it. */
  #now = 1;
  /** Outcomes from before it no longer count. */
  #floor = 1;
  /** Whether the outcome of the decision at hand is not to be remembered, such as one that has asked a condition. */
  #asked = false;

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
    const granted = this.#granted;
    const denied = this.#denied;
    this.attributes = new ConditionAttributes(principals, this.tags);
    const parts = { ...within, roles, actions: this.actions, granted, denied, attributes: this.attributes };
    this.#rights = new RightsTier(parts, { bytes: options.rightsBytes, compileAfter });
    this.#beneath = new DenialsBeneath(parts);
    this.#masks = new MaskTier(within, granted, denied, {
      bytes: options.maskBytes,
      compileAfter,
    });
    this.#cache = new DecisionCache(options.cachedDecisions);
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
    const place = this.#placeOf(access.scope);
    if (!this.allows(principal, action, place, access)) return false;
    return access.subtree !== true || this.#denialBeneath(principal, action, place, access) < 0;
  }

  /** `decide` for names. */
  decideNamed(id: string, access: Access): number {
    this.#read(id, access);
    const principal = this.principals.found();
    if (principal < 0) return unknownPrincipal;
    const action = this.actions.found(access.action, access.dataAction);
    const place = this.#placeOf(access.scope);
    const outcome = this.decide(principal, action, place, access);
    if (access.subtree !== true || outcome < 0) return outcome;
    const denial = this.#denialBeneath(principal, action, place, access);
    return denial < 0 ? outcome : deniedBase - denial;
  }

  /** Beneath a scope that is not known nothing is assigned. */
  #denialBeneath(principal: number, action: number, place: number, access: Access): number {
    return (place & 1) === 1 ? this.#beneath.find(principal, action, place >> 1, access) : -1;
  }

  /** Reads all three before any of them is looked for, so that the ways to memory overlap; the longest way first. */
  #read(id: string, { action, dataAction, scope }: Access): void {
    this.scopes.read(scope);
    this.principals.read(id);
    this.actions.read(action, dataAction);
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
    const outcome = this.#rights.search(principal, action, place >> 1, (place & 1) === 1, access);
    this.#asked = this.#rights.asked;
    if (cached && !this.#asked) this.#cache.store(principal, action, place, outcome, this.#now);
    return outcome;
  }

  #changeAll(): void {
    this.#floor = ++this.#now;
  }
}
