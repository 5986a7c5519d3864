import type { PrincipalId } from '../lib/ids.ts';
import type { AssignmentPrincipalType, PrincipalKind } from '../store/changes.ts';
import type { FailingPart } from './conditions/trace.ts';
import type { Access, Cause } from './types.ts';

/** Why a delegation chain may or may not do something, and what would change it. Plain data, fit for JSON. */
export interface Explanation {
  readonly access: Access;
  readonly allowed: boolean;
  readonly decidedFor: Who | null;
  readonly snapshotVersion: number;
  /** In the order of the chain; every one of them must be allowed. */
  readonly authorities: readonly AuthorityExplanation[];
}

export interface AuthorityExplanation {
  readonly principal: Who;
  readonly allowed: boolean;
  readonly cause: Cause;
  readonly policyId: string;
  /** The assignment that allows. */
  readonly grantedBy: AssignmentView | null;
  /** The deny assignment that refuses; no role assignment can outweigh it. */
  readonly deniedBy: DenyView | null;
  /** What is missing and how it could be given; null unless the cause is a missing grant. */
  readonly remedy: Remedy | null;
}

export interface Who {
  readonly id: PrincipalId;
  /** `unknown` once the directory no longer has it. */
  readonly kind: PrincipalKind | 'unknown';
  readonly name: string;
}

export interface AssignmentView {
  readonly id: string;
  readonly roleDefinitionId: string;
  readonly roleName: string;
  readonly scope: string;
  /** Whom the assignment names. */
  readonly principal: Who;
  /** The groups from the authority up to whom the assignment names, that one included; empty for itself. */
  readonly through: readonly Who[];
}

export interface DenyView {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly scope: string;
  readonly through: readonly Who[];
  /** Its condition; null when it has none. */
  readonly condition: string | null;
  /** Where the condition could not be told, which counts as true: what was in the way. */
  readonly untold: FailingPart | null;
}

export interface Remedy {
  readonly missing: { readonly kind: 'action' | 'data action'; readonly name: string };
  /** The assignments that came closest, closest first. */
  readonly nearest: readonly NearMiss[];
  /** Scopes at which a grant would suffice, from the widest to the access's own. */
  readonly scopes: readonly string[];
  /** Roles that contain what is missing, the least powerful first. */
  readonly roles: readonly { readonly id: string; readonly roleName: string; readonly type: string }[];
  /** Who may write a role assignment there. */
  readonly grantors: readonly Grantor[];
  /** Grantors beyond those listed. */
  readonly moreGrantors: number;
  /** What a grantor would send, for the least powerful role at the narrowest scope; null when no role contains it. */
  readonly request: GrantRequest | null;
  readonly ifGranted: {
    readonly allowed: boolean;
    /** Authorities of the same chain that would still be refused. */
    readonly stillDenied: readonly { readonly principal: Who; readonly policyId: string }[];
  };
}

export type Shortfall =
  /** It would do, but its condition is not true here. */
  | {
      readonly kind: 'condition';
      readonly condition: string;
      /** The part that is not true, with the values found; null for a condition that cannot be understood. */
      readonly failing: FailingPart | null;
    }
  /** Its role contains the action, and notActions takes it away again. */
  | { readonly kind: 'taken-away'; readonly pattern: string }
  /** Its role contains the action, but it is held through a group that is disabled. */
  | { readonly kind: 'disabled-group'; readonly group: Who }
  /** Its role contains the action, at a scope that does not cover this one. */
  | { readonly kind: 'other-scope' }
  /** It covers this scope, with a role that lacks the action. */
  | { readonly kind: 'role-lacks-action' }
  /** It would do, but names somebody else. */
  | { readonly kind: 'other-principal' };

/** A role assignment as it would be written; each grantor fills in a new GUID for `{guid}`. */
export interface GrantRequest {
  readonly method: 'PUT';
  readonly path: string;
  readonly body: {
    readonly properties: {
      readonly roleDefinitionId: string;
      readonly principalId: PrincipalId;
      readonly principalType: AssignmentPrincipalType;
    };
  };
  /** Where it would give the role. */
  readonly scope: string;
  readonly command: string;
}

export interface NearMiss {
  readonly assignment: AssignmentView;
  readonly shortfall: Shortfall;
}

export interface Grantor {
  readonly principal: Who;
  /** Of a group: people in it who may, at most five, and how many there are in all. */
  readonly people: readonly Who[];
  readonly peopleCount: number;
}
