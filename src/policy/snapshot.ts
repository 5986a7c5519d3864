import type { PrincipalId } from '../lib/ids.ts';
import type {
  Change,
  DenyAssignment,
  PolicyStep,
  PrincipalRecord,
  RoleAssignment,
  RoleDefinition,
  ScopePlacement,
} from '../store/changes.ts';
import { Engine, type EngineOptions } from './engine/engine.ts';
import { operationCatalogue } from './operation-catalogue.ts';
import type { PermissionSet } from './permission-set.ts';
import { isWithin, normalizeScope, scopeAndAncestors } from './scope.ts';

export { everyone } from './engine/principals.ts';

export interface PolicyRows {
  readonly principals: readonly PrincipalRecord[];
  readonly memberships: readonly { readonly group: PrincipalId; readonly member: PrincipalId }[];
  readonly roleDefinitions: readonly RoleDefinition[];
  readonly roleAssignments: readonly RoleAssignment[];
  readonly denyAssignments: readonly DenyAssignment[];
  /** Management groups, and the subscriptions that are beneath one; absent: none. */
  readonly placements?: readonly ScopePlacement[];
  /** Tags of the resources that have any; absent: none. */
  readonly tags?: readonly { readonly scope: string; readonly tags: Readonly<Record<string, string>> }[];
  /** Sequence of the last change that these rows contain, of whatever kind; 0 before the first. */
  readonly version: number;
}

const defaults: EngineOptions = {
  rightsBytes: 64 * 2 ** 20,
  maskBytes: 32 * 2 ** 20,
  compileAfter: 8,
  cachedDecisions: 2 ** 16,
};

/** Why a snapshot is not to be decided on. */
export type PolicyFault =
  /** Changes after `after` are missing, up to `upTo` at least. It ends when they have been applied. */
  | { readonly kind: 'behind'; readonly after: number; readonly upTo: number }
  /** A change could not be taken in. It ends when the snapshot is loaded anew. */
  | { readonly kind: 'broken'; readonly error: unknown }
  /** Whoever keeps it up to date no longer can. It ends with `resume`. */
  | { readonly kind: 'suspended' };

/** Changes that carry no policy: a kind that is neither here nor taken in is an error of types. */
type WithoutPolicy =
  | 'credential.added'
  | 'credential.removed'
  | 'session.opened'
  | 'session.closed'
  | 'token.revoked'
  | 'assertion.used'
  | 'lease.opened'
  | 'lease.started'
  | 'lease.ended'
  | 'signing-key.added'
  | 'signing-key.retired'
  | 'ledger-key.announced'
  | 'ledger-key.began'
  | 'ledger-key.ended'
  | 'job.status'
  | 'container.created'
  | 'container.deleted'
  | 'blob.written'
  | 'blob.deleted'
  | 'configuration.changed'
  | 'access-request.opened'
  | 'access-request.closed'
  | 'person.erased';

/**
 * The whole policy in memory, indexed for `decide` and kept up to date change by change. Pure: no I/O, no clock.
 * Every view of it between two calls of `apply` is consistent.
 */
export class PolicySnapshot {
  readonly #options: EngineOptions;
  #engine: Engine;
  #version: number;
  /** The newest change heard of; beyond the version while some are missing. */
  #heard: number;
  #error: { readonly error: unknown } | null = null;
  #suspended = false;
  /** Kept at hand: every decision asks. */
  #fault: PolicyFault | null = null;

  private constructor(rows: PolicyRows, options: EngineOptions) {
    this.#options = options;
    this.#engine = engineOf(rows, options);
    this.#version = rows.version;
    this.#heard = rows.version;
  }

  /** Throws a RangeError for an assignment whose scope is not a scope: such rows are never repaired. */
  static from(rows: PolicyRows, options: Partial<EngineOptions> = {}): PolicySnapshot {
    return new PolicySnapshot(rows, { ...defaults, ...options });
  }

  /** For this room's own files. */
  get engine(): Engine {
    return this.#engine;
  }

  /** Sequence of the last change applied. */
  get version(): number {
    return this.#version;
  }

  /** Why this snapshot cannot be trusted now; null while it can. Every decision on a faulty one is a deny. */
  get fault(): PolicyFault | null {
    return this.#fault;
  }

  /**
   * Takes in one change of the feed. A sequence at or below the version is a replay and changes nothing. One whose
   * `previous` is not the version leaves out changes before it: it is not taken in, and the snapshot is faulty until
   * all that it has heard of has been applied, in order. Never throws: a change that cannot be taken in makes the
   * snapshot faulty until it is loaded anew.
   */
  apply({ sequence, previous, change }: PolicyStep): void {
    if (sequence <= this.#version) return;
    try {
      if (!Number.isSafeInteger(sequence)) throw new RangeError(`${sequence} is not a sequence of the feed`);
      if (!(previous < sequence)) throw new RangeError(`${previous} does not come before ${sequence}`);
      if (sequence > this.#heard) this.#heard = sequence;
      if (this.#error !== null) return;
      if (previous === this.#version) {
        this.#engine.tick();
        if (change !== null) this.#take(change);
        this.#version = sequence;
      } else if (previous < this.#version) {
        throw new RangeError(`the feed goes from ${previous} to ${sequence}, past ${this.#version}`);
      }
    } catch (error) {
      this.#error ??= { error };
    }
    if (this.#heard !== this.#version || this.#error !== null || this.#fault !== null) this.#judge();
  }

  /**
   * Begins anew from these rows, which must be no older than what it has; what it has heard of beyond them is still
   * missing. Throws what `from` throws, and a RangeError for older rows; it is left as it was then.
   */
  load(rows: PolicyRows): void {
    if (rows.version < this.#version) {
      throw new RangeError(`these rows are of ${rows.version}, older than ${this.#version}`);
    }
    this.#engine = engineOf(rows, this.#options);
    this.#version = rows.version;
    this.#heard = Math.max(this.#heard, rows.version);
    this.#error = null;
    this.#judge();
  }

  /** Refuses every decision until `resume`: for whoever keeps it up to date and cannot tell whether it is. */
  suspend(): void {
    this.#suspended = true;
    this.#judge();
  }

  resume(): void {
    this.#suspended = false;
    this.#judge();
  }

  #judge(): void {
    if (this.#error !== null) this.#fault = { kind: 'broken', ...this.#error };
    else if (this.#heard > this.#version) {
      this.#fault = { kind: 'behind', after: this.#version, upTo: this.#heard };
    } else this.#fault = this.#suspended ? { kind: 'suspended' } : null;
  }

  principal(id: PrincipalId): PrincipalRecord | undefined {
    return this.#engine.principals.get(id)?.record ?? undefined;
  }

  *principals(): Generator<PrincipalRecord> {
    for (const { record } of this.#engine.principals.values()) if (record) yield record;
  }

  /** How many principals and scopes are known, those only mentioned included. */
  get size(): { readonly principals: number; readonly scopes: number } {
    return { principals: this.#engine.principals.size, scopes: this.#engine.scopes.size };
  }

  /** The principal and every enabled group that it belongs to, transitively; nothing for an unknown principal. */
  identitiesOf(id: PrincipalId): PrincipalId[] {
    const { principals } = this.#engine;
    const node = principals.get(id);
    return node?.record
      ? principals.reachOf(node).active.flatMap((index) => principals.at(index)?.id ?? [])
      : [];
  }

  roleDefinition(id: string): RoleDefinition | undefined {
    return this.#engine.roles.get(id)?.definition ?? undefined;
  }

  *roleDefinitions(): Generator<RoleDefinition> {
    for (const { definition } of this.#engine.roles.values()) if (definition) yield definition;
  }

  roleAssignment(id: string): RoleAssignment | undefined {
    return this.#engine.assignments.grant(id);
  }

  /** The role assignments that name this principal itself. */
  assignmentsOf(id: PrincipalId): RoleAssignment[] {
    const node = this.#engine.principals.get(id);
    return node ? this.#engine.assignments.grantsOf(node.index) : [];
  }

  /** The role assignments at exactly these scopes; only of the roles that are wanted, by id. */
  assignmentsAt(
    scopes: readonly string[],
    wantsRole: (id: string) => boolean = () => true,
  ): Generator<RoleAssignment> {
    const { scopes: known, roles, assignments } = this.#engine;
    const columns = Array.from(roles.values())
      .filter(({ id }) => wantsRole(id))
      .map(({ column }) => column);
    const numbers = scopes.map((scope) => known.find(scope)).filter((number) => number >= 0);
    return assignments.grantsAt(numbers, columns);
  }

  roleAssignments(): Generator<RoleAssignment> {
    return this.#engine.assignments.grants();
  }

  denyAssignment(id: string): DenyAssignment | undefined {
    return this.#engine.assignments.denial(id);
  }

  denyAssignments(): Generator<DenyAssignment> {
    return this.#engine.assignments.denials();
  }

  /** The compiled permissions of a role; undefined while the role is unknown. */
  permissionsOf(roleDefinitionId: string): PermissionSet | undefined {
    return this.#engine.roles.get(roleDefinitionId)?.permissions ?? undefined;
  }

  /** Where a management group or subscription was placed. */
  placement(scope: string): ScopePlacement | undefined {
    return this.#engine.scopes.placement(scope);
  }

  placements(): IterableIterator<ScopePlacement> {
    return this.#engine.scopes.placements();
  }

  /** The scope itself and every ancestor, nearest first, management groups included. The scope in normal form. */
  ancestors(scope: string): string[] {
    if (!this.#engine.scopes.isPlaced) return scopeAndAncestors(scope);
    const out: string[] = [];
    for (let at: string | null = scope; at !== null;) {
      const path: string[] = scopeAndAncestors(at);
      const placed: number = path.findIndex((ancestor) => this.placement(ancestor) !== undefined);
      if (placed < 0) return [...out, ...path];
      out.push(...path.slice(0, placed + 1));
      at = this.placement(path[placed] ?? '/')?.parent ?? '/';
    }
    return out;
  }

  /** Whether `scope` is `ancestor` or lies beneath it, management groups included. Both in normal form. */
  isWithin(scope: string, ancestor: string): boolean {
    return isWithin(scope, ancestor) || this.ancestors(scope).includes(ancestor);
  }

  #take(change: Change): void {
    const { principals, scopes, roles, assignments, tags } = this.#engine;
    switch (change.kind) {
      case 'principal.created':
      case 'principal.updated':
        principals.put(change.principal);
        break;
      case 'principal.deleted':
        principals.remove(change.id);
        break;
      case 'group.member-added':
        principals.addMember(change.group, change.member);
        break;
      case 'group.member-removed':
        principals.removeMember(change.group, change.member);
        break;
      case 'role-definition.put':
        roles.put(change.definition);
        this.#engine.changeRoles();
        break;
      case 'role-definition.deleted':
        roles.delete(change.id);
        this.#engine.changeRoles();
        break;
      case 'role-assignment.put':
        assignments.putGrant(change.assignment);
        break;
      case 'role-assignment.deleted':
        assignments.deleteGrant(change.assignment.id);
        break;
      case 'deny-assignment.put':
        assignments.putDenial(change.assignment);
        break;
      case 'deny-assignment.deleted':
        assignments.deleteDenial(change.assignment.id);
        break;
      case 'scope.placed':
        scopes.place(placementOf(change.placement));
        this.#engine.forget();
        break;
      case 'scope.removed':
        scopes.displace(change.scope);
        this.#engine.forget();
        break;
      case 'resource.put':
        if (change.tags) tags.put(normalizeScope(change.id) ?? change.id, change.tags);
        break;
      case 'resource.deleted':
        tags.delete(normalizeScope(change.id) ?? change.id);
        break;
      default:
        change.kind satisfies WithoutPolicy;
    }
  }
}

function engineOf(rows: PolicyRows, options: EngineOptions): Engine {
  const engine = new Engine(options);
  for (const { operations } of operationCatalogue) {
    for (const { name, isDataAction } of operations) engine.actionHandle(name, isDataAction);
  }
  const { principals, scopes, roles, assignments, tags } = engine;
  for (const principal of rows.principals) principals.put(principal);
  for (const { group, member } of rows.memberships) principals.addMember(group, member);
  for (const definition of rows.roleDefinitions) roles.put(definition);
  for (const placement of rows.placements ?? []) scopes.place(placement);
  assignments.expect(Math.ceil((rows.roleAssignments.length + rows.denyAssignments.length) * 1.02));
  for (const assignment of rows.roleAssignments) assignments.putGrant(assignment);
  for (const assignment of rows.denyAssignments) assignments.putDenial(assignment);
  for (const { scope, tags: own } of rows.tags ?? []) tags.put(scope, own);
  return engine;
}

function placementOf(placement: ScopePlacement): ScopePlacement {
  if (normalizeScope(placement.scope) !== placement.scope) {
    throw new RangeError(`'${placement.scope}' is not a scope that can be placed`);
  }
  return placement;
}
