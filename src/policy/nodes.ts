import type { PrincipalId } from '../lib/ids.ts';
import type { DenyAssignment, PrincipalRecord, RoleAssignment } from '../store/changes.ts';
import type { PermissionSet } from './permission-set.ts';

/** A principal, known or only mentioned, with its edges and what is remembered of its groups. */
export interface PrincipalNode {
  readonly id: PrincipalId;
  /** Null while the directory does not know it: it is mentioned by an assignment or a membership only. */
  record: PrincipalRecord | null;
  readonly groups: Set<PrincipalNode>;
  readonly members: Set<PrincipalNode>;
  readonly grants: Set<Grant>;
  readonly denials: Set<Denial>;
  reach: Reach | null;
}

/** The principal itself and its groups, transitively. */
export interface Reach {
  /** By way of enabled groups only: what grants count. */
  readonly active: ReadonlySet<PrincipalNode>;
  /** By way of every group, disabled ones too: what denies count. The same set when nothing is disabled. */
  readonly all: ReadonlySet<PrincipalNode>;
}

/** A role's place in the snapshot; `permissions` is null while the role is unknown, which grants nothing. */
export interface RoleSlot {
  readonly id: string;
  roleName: string;
  permissions: PermissionSet | null;
}

export interface Grant {
  readonly assignment: RoleAssignment;
  readonly principal: PrincipalNode;
  readonly role: RoleSlot;
}

export interface Denial {
  readonly assignment: DenyAssignment;
  readonly permissions: PermissionSet;
  readonly everyone: boolean;
  readonly principals: readonly PrincipalNode[];
  readonly excluded: readonly PrincipalNode[];
}

/** A scope at which, or beneath which, something is assigned. Lists are in order of id, lowest first. */
export interface ScopeNode {
  readonly scope: string;
  readonly parent: ScopeNode | null;
  children: number;
  readonly grants: Grant[];
  /** Only once `grants` is long. */
  byPrincipal: Map<PrincipalNode, Grant[]> | null;
  readonly denials: Denial[];
}
