import type { DecisionId, PrincipalId } from '../lib/ids.ts';
import type { AttributeValue } from '../store/changes.ts';

/** What a request asks to do, in Azure's words. */
export interface Access {
  /** Operation name, e.g. `Microsoft.MachineLearningServices/workspaces/jobs/write`. Compared without case. */
  readonly action: string;
  /** True when `action` is matched against dataActions, false when against actions. */
  readonly dataAction: boolean;
  /** Scope in normal form (see scope.ts). */
  readonly scope: string;
  /**
   * Set where the action is done to all that lies beneath the scope too (a directory that is moved, an account that is
   * emptied): then nothing beneath may be denied either. See `decide`.
   */
  readonly subtree?: true;
  /** Suboperation of the action, e.g. `Blob.List`; conditions may ask for it. */
  readonly subOperation?: string;
  /** What conditions may ask of the request. A condition that asks for anything else finds it missing. */
  readonly attributes?: AccessAttributes;
}

/** Attributes by source, then by name in lower case, e.g. `microsoft.authorization/roleassignments:principaltype`. */
export interface AccessAttributes {
  readonly request?: AttributeSet;
  readonly resource?: AttributeSet;
  readonly environment?: AttributeSet;
}

export type AttributeSet = Readonly<Record<string, AttributeValue>>;

/** Why; the closed vocabulary of reasons. */
export type Cause =
  | {
      readonly kind: 'role-assignment';
      readonly id: string;
      readonly roleDefinitionId: string;
      readonly roleName: string;
      readonly scope: string;
      /** The user, workload or group that the assignment names. */
      readonly principalId: PrincipalId;
    }
  | { readonly kind: 'deny-assignment'; readonly id: string; readonly name: string; readonly scope: string }
  | { readonly kind: 'missing-grant' }
  | { readonly kind: 'unknown-principal' }
  | { readonly kind: 'disabled-principal' }
  /** Open to anyone by a named rule of Lockstep's own (discovery documents, sign-in, the public log). */
  | { readonly kind: 'public'; readonly rule: string }
  /** Open to whoever is authenticated, on what is their own, by a named rule. */
  | { readonly kind: 'authenticated'; readonly rule: string }
  /** The route is not described by its adapter. */
  | { readonly kind: 'unknown-route' }
  /** No valid credential where one is needed; `code` is from the error table. */
  | { readonly kind: 'unauthenticated'; readonly code: string }
  /** The request broke a rule of the edge before it could be described; `code` is from the error table. */
  | { readonly kind: 'refused-at-edge'; readonly code: string }
  /** A fault inside the decision. */
  | { readonly kind: 'policy-unavailable' };

/** The answer for one principal. */
export interface Verdict {
  readonly allowed: boolean;
  readonly cause: Cause;
}

/** The answer for a request: every authority in the delegation chain must be allowed. */
export interface Decision {
  readonly id: DecisionId;
  readonly allowed: boolean;
  readonly cause: Cause;
  /** On a deny, the authority that lacked the right; on an allow, the first authority. Null when there is none. */
  readonly decidedFor: PrincipalId | null;
  readonly authorities: readonly PrincipalId[];
  readonly access: Access;
  /** Sequence of the last change that the snapshot had applied. */
  readonly snapshotVersion: number;
  /** A condition asked what time it is: the same access may be decided otherwise later, though nothing changes. */
  readonly restsOnTime: boolean;
}

/** The policy id that a decision is recorded and shown under; always exactly one. */
export function policyIdOf(cause: Cause): string {
  switch (cause.kind) {
    case 'role-assignment':
      return `roleAssignment:${cause.id}`;
    case 'deny-assignment':
      return `denyAssignment:${cause.id}`;
    case 'public':
    case 'authenticated':
      return `rule:${cause.rule}`;
    case 'unauthenticated':
    case 'refused-at-edge':
      return `default:${cause.kind}:${cause.code}`;
    case 'missing-grant':
    case 'unknown-principal':
    case 'disabled-principal':
    case 'unknown-route':
    case 'policy-unavailable':
      return `default:${cause.kind}`;
  }
}
