import type { PrincipalId } from '../lib/ids.ts';
import type { DenyAssignment, PrincipalRecord, RoleAssignment } from '../store/changes.ts';
import type { PermissionSet } from './permission-set.ts';

/** A principal, known or only mentioned, with its edges and what is remembered of its groups. */
export interface PrincipalNode {
  readonly id: PrincipalId;
  /** Small and dense, so that sets of principals are arrays of numbers; given to another once this one is released. */
  readonly index: number;
  /** Null while the directory does not know it: it is mentioned by an assignment or a membership only. */
  record: PrincipalRecord | null;
  readonly groups: Set<PrincipalNode>;
  readonly members: Set<PrincipalNode>;
  readonly grants: Set<Grant>;
  readonly denials: Set<Denial>;
  reach: Reach | null;
}

/** Indexes of the principal itself and of its groups, transitively. */
export interface Reach {
  /** By way of enabled groups only: what grants count. */
  readonly active: Int32Array;
  /** By way of every group, disabled ones too: what denies count. */
  readonly all: Int32Array;
}

/** A role's place in the snapshot; `permissions` is null while the role is unknown, which grants nothing. */
export interface RoleSlot {
  readonly id: string;
  readonly index: number;
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
