import type { PrincipalId } from '../lib/ids.ts';
import type {
  Change,
  CommittedChange,
  DenyAssignment,
  PrincipalRecord,
  RoleAssignment,
  RoleDefinition,
  ScopePlacement,
} from '../store/changes.ts';
import { ActionTable } from './action-table.ts';
import type { Denial, Grant, RoleSlot } from './nodes.ts';
import { PermissionSet } from './permission-set.ts';
import { identitiesOf, PrincipalGraph } from './principal-graph.ts';
import { ScopeTree } from './scope-tree.ts';
import { normalizeScope } from './scope.ts';

/** In a deny assignment: everyone. It names no principal of the directory. */
export const everyone = '00000000-0000-0000-0000-000000000000';

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
  /** Sequence of the last change that these rows contain. */
  readonly version: number;
}

/**
 * The whole policy in memory, indexed for `decide` and kept up to date change by change. Pure: no I/O, no clock.
 * Every view of it between two calls of `apply` is consistent.
 */
export class PolicySnapshot {
  /** For the engine's own files. */
  readonly graph = new PrincipalGraph();
  /** For the engine's own files. */
  readonly scopes = new ScopeTree();
  /** For the engine's own files. */
  readonly actions = new ActionTable();
  readonly #definitions = new Map<string, RoleDefinition>();
  readonly #roles = new Map<string, RoleSlot>();
  readonly #grants = new Map<string, Grant>();
  readonly #denials = new Map<string, Denial>();
  #version: number;
  #fault: unknown = null;

  private constructor(version: number) {
    this.#version = version;
  }

  /** Throws a RangeError for an assignment whose scope is not a scope: such rows are never repaired. */
  static from(rows: PolicyRows): PolicySnapshot {
    const snapshot = new PolicySnapshot(rows.version);
    for (const principal of rows.principals) snapshot.graph.put(principal);
    for (const { group, member } of rows.memberships) snapshot.graph.addMember(group, member);
    for (const definition of rows.roleDefinitions) snapshot.#putDefinition(definition);
    for (const assignment of inOrder(rows.roleAssignments)) snapshot.#putGrant(assignment);
    for (const assignment of inOrder(rows.denyAssignments)) snapshot.#putDenial(assignment);
    return snapshot;
  }

  /** Sequence of the last change applied. */
  get version(): number {
    return this.#version;
  }

  /** Why this snapshot can no longer be trusted; null while it can. Every decision on a faulty one is a deny. */
  get fault(): unknown {
    return this.#fault;
  }

  /**
   * Takes in one committed change. A sequence at or below the version is a replay and changes nothing. Never
   * throws: a change that cannot be taken in makes the snapshot faulty for good, and it must be loaded anew.
   */
  apply(committed: CommittedChange): void {
    if (committed.sequence <= this.#version) return;
    try {
      if (!Number.isSafeInteger(committed.sequence)) {
        throw new RangeError(`${committed.sequence} is not a sequence of the feed`);
      }
      this.#take(committed.change);
      this.#version = committed.sequence;
    } catch (error) {
      this.#fault ??= error;
    }
  }

  principal(id: PrincipalId): PrincipalRecord | undefined {
    return this.graph.get(id)?.record ?? undefined;
  }

  /** The principal and every enabled group that it belongs to, transitively; nothing for an unknown principal. */
  identitiesOf(id: PrincipalId): PrincipalId[] {
    const node = this.graph.get(id);
    return node?.record ? Array.from(identitiesOf(node), (identity) => identity.id) : [];
  }

  roleDefinition(id: string): RoleDefinition | undefined {
    return this.#definitions.get(id);
  }

  roleDefinitions(): IterableIterator<RoleDefinition> {
    return this.#definitions.values();
  }

  roleAssignment(id: string): RoleAssignment | undefined {
    return this.#grants.get(id)?.assignment;
  }

  *roleAssignments(): Generator<RoleAssignment> {
    for (const { assignment } of this.#grants.values()) yield assignment;
  }

  grant(id: string): Grant | undefined {
    return this.#grants.get(id);
  }

  denyAssignment(id: string): DenyAssignment | undefined {
    return this.#denials.get(id)?.assignment;
  }

  *denyAssignments(): Generator<DenyAssignment> {
    for (const { assignment } of this.#denials.values()) yield assignment;
  }

  /** The compiled permissions of a role; undefined while the role is unknown. */
  permissionsOf(roleDefinitionId: string): PermissionSet | undefined {
    return this.#roles.get(roleDefinitionId)?.permissions ?? undefined;
  }

  #take(change: Change): void {
    switch (change.kind) {
      case 'principal.created':
      case 'principal.updated':
        this.graph.put(change.principal);
        break;
      case 'principal.deleted':
        this.graph.remove(change.id);
        break;
      case 'group.member-added':
        this.graph.addMember(change.group, change.member);
        break;
      case 'group.member-removed':
        this.graph.removeMember(change.group, change.member);
        break;
      case 'role-definition.put':
        this.#putDefinition(change.definition);
        break;
      case 'role-definition.deleted':
        this.#deleteDefinition(change.id);
        break;
      case 'role-assignment.put':
        this.#putGrant(change.assignment);
        break;
      case 'role-assignment.deleted':
        this.#deleteGrant(change.assignment.id);
        break;
      case 'deny-assignment.put':
        this.#putDenial(change.assignment);
        break;
      case 'deny-assignment.deleted':
        this.#deleteDenial(change.assignment.id);
        break;
      case 'scope.placed':
      case 'scope.removed':
      case 'credential.added':
      case 'credential.removed':
      case 'session.opened':
      case 'session.closed':
      case 'token.revoked':
      case 'assertion.used':
      case 'lease.opened':
      case 'lease.started':
      case 'lease.ended':
      case 'signing-key.added':
      case 'signing-key.retired':
      case 'resource.put':
      case 'resource.deleted':
      case 'job.status':
      case 'container.created':
      case 'container.deleted':
      case 'blob.written':
      case 'blob.deleted':
        // These carry no policy.
        break;
    }
  }

  #role(id: string): RoleSlot {
    let role = this.#roles.get(id);
    if (!role) {
      role = { id, index: this.#roles.size, roleName: id, permissions: null };
      this.#roles.set(id, role);
      this.actions.rolesChanged(this.#roles.size);
    }
    return role;
  }

  #putDefinition(definition: RoleDefinition): void {
    const role = this.#role(definition.id);
    role.roleName = definition.roleName;
    role.permissions = new PermissionSet(definition.permissions);
    this.#definitions.set(definition.id, definition);
    this.actions.rolesChanged(this.#roles.size);
  }

  #deleteDefinition(id: string): void {
    const role = this.#role(id);
    role.roleName = id;
    role.permissions = null;
    this.#definitions.delete(id);
    this.actions.rolesChanged(this.#roles.size);
  }

  #putGrant(given: RoleAssignment): void {
    const assignment = { ...given, scope: scopeOf(given) };
    this.#deleteGrant(assignment.id);
    const principal = this.graph.mention(assignment.principalId);
    const grant = { assignment, principal, role: this.#role(assignment.roleDefinitionId) };
    principal.grants.add(grant);
    this.#grants.set(assignment.id, grant);
    this.scopes.addGrant(assignment.scope, grant);
  }

  #deleteGrant(id: string): void {
    const grant = this.#grants.get(id);
    if (!grant) return;
    this.#grants.delete(id);
    this.scopes.removeGrant(grant.assignment.scope, id);
    grant.principal.grants.delete(grant);
    this.graph.release(grant.principal);
  }

  #putDenial(given: DenyAssignment): void {
    const assignment = { ...given, scope: scopeOf(given) };
    this.#deleteDenial(assignment.id);
    const denial: Denial = {
      assignment,
      permissions: new PermissionSet(assignment.permissions),
      everyone: assignment.principals.some((id) => id === everyone),
      principals: assignment.principals.map((id) => this.graph.mention(id)),
      excluded: assignment.excludePrincipals
        .filter((id) => id !== everyone)
        .map((id) => this.graph.mention(id)),
    };
    for (const node of denial.principals) node.denials.add(denial);
    for (const node of denial.excluded) node.denials.add(denial);
    this.#denials.set(assignment.id, denial);
    this.scopes.addDenial(assignment.scope, denial);
  }

  #deleteDenial(id: string): void {
    const denial = this.#denials.get(id);
    if (!denial) return;
    this.#denials.delete(id);
    this.scopes.removeDenial(denial.assignment.scope, id);
    for (const node of [...denial.principals, ...denial.excluded]) {
      node.denials.delete(denial);
      this.graph.release(node);
    }
  }
}

/** In order of id, so that each one is put at the end of its list. */
function inOrder<T extends { readonly id: string }>(rows: readonly T[]): T[] {
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function scopeOf(assignment: { readonly id: string; readonly scope: string }): string {
  const scope = normalizeScope(assignment.scope);
  if (scope === null)
    throw new RangeError(`assignment ${assignment.id} is at '${assignment.scope}', which is no scope`);
  return scope;
}
