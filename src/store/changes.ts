import type { Transaction } from 'kysely';
import type { JsonObject } from '../lib/canonical-json.ts';
import type {
  DecisionId,
  EventId,
  LeaseId,
  PrincipalId,
  RequestId,
  SessionId,
  TenantId,
} from '../lib/ids.ts';
import type { Schema } from './schema.ts';

/**
 * The vocabulary of durable change. Every row that the store writes is accompanied by one or more of these,
 * appended to the ledger in the same transaction; the in-memory policy snapshot and the liveness of identities
 * are fed by the same stream, so that what is recorded and what is enforced cannot drift apart.
 */
export type Change =
  | { readonly kind: 'principal.created'; readonly principal: PrincipalRecord }
  | {
      readonly kind: 'principal.updated';
      readonly principal: PrincipalRecord;
      /** Present when it was switched on or off, and nothing else. */
      readonly switched?: true;
    }
  | { readonly kind: 'principal.deleted'; readonly id: PrincipalId; readonly principalKind: PrincipalKind }
  | ({ readonly kind: 'group.member-added' } & Membership)
  | ({ readonly kind: 'group.member-removed' } & Membership)
  | {
      readonly kind: 'credential.added';
      readonly principal: PrincipalId;
      readonly credential: CredentialRecord;
    }
  | {
      readonly kind: 'credential.removed';
      readonly principal: PrincipalId;
      readonly credential: CredentialRecord;
    }
  | { readonly kind: 'role-definition.put'; readonly definition: RoleDefinition }
  | { readonly kind: 'role-definition.deleted'; readonly id: string }
  | { readonly kind: 'role-assignment.put'; readonly assignment: RoleAssignment }
  | { readonly kind: 'role-assignment.deleted'; readonly assignment: RoleAssignment }
  | { readonly kind: 'deny-assignment.put'; readonly assignment: DenyAssignment }
  | { readonly kind: 'deny-assignment.deleted'; readonly assignment: DenyAssignment }
  /** A management group or subscription was put beneath a management group; `parent` null is the root. */
  | { readonly kind: 'scope.placed'; readonly placement: ScopePlacement }
  | { readonly kind: 'scope.removed'; readonly scope: string }
  | { readonly kind: 'session.opened'; readonly session: SessionRecord }
  | { readonly kind: 'session.closed'; readonly session: SessionRecord; readonly reason: string }
  | {
      readonly kind: 'token.revoked';
      readonly tokenId: string;
      readonly principal: PrincipalId;
      /** Milliseconds since the epoch. */
      readonly expiresAt: number;
    }
  /** An assertion that may be exchanged once was exchanged; `digest` stands for it, it lapses at `expiresAt` (ms). */
  | {
      readonly kind: 'assertion.used';
      readonly principal: PrincipalId;
      readonly issuer: string;
      readonly digest: string;
      readonly expiresAt: number;
    }
  | { readonly kind: 'lease.opened'; readonly lease: LeaseRecord }
  | { readonly kind: 'lease.started'; readonly lease: LeaseRecord }
  | { readonly kind: 'lease.ended'; readonly lease: LeaseRecord; readonly reason: LeaseEndReason }
  | { readonly kind: 'signing-key.added'; readonly kid: string; readonly algorithm: string }
  | { readonly kind: 'signing-key.retired'; readonly kid: string; readonly algorithm: string }
  /** A key is to take the place of `follows` among those that sign the log; `note` is what both say of it, signed. */
  | {
      readonly kind: 'ledger-key.announced';
      readonly verifierKey: string;
      readonly follows: string;
      readonly note: string;
    }
  /** It signs from now on, beside the others until `until` (milliseconds); null: in their place, at once. */
  | { readonly kind: 'ledger-key.began'; readonly verifierKey: string; readonly until: number | null }
  /** It signs no more, and its private half has been destroyed. */
  | {
      readonly kind: 'ledger-key.ended';
      readonly verifierKey: string;
      readonly reason: 'planned' | 'compromised';
    }
  | {
      readonly kind: 'resource.put';
      readonly id: string;
      readonly type: string;
      readonly created: boolean;
      /** All of its tags as they now stand; conditions ask for them. Absent when it has none and had none. */
      readonly tags?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'resource.deleted'; readonly id: string; readonly type: string }
  | {
      readonly kind: 'job.status';
      readonly job: PrincipalId;
      readonly resourceId: string;
      readonly status: string;
      readonly detail: JsonObject;
    }
  | { readonly kind: 'container.created'; readonly scope: string }
  | { readonly kind: 'container.deleted'; readonly scope: string }
  | {
      readonly kind: 'blob.written';
      readonly scope: string;
      readonly bytes: number;
      readonly sha256: string | null;
      readonly etag: string;
    }
  | { readonly kind: 'blob.deleted'; readonly scope: string }
  /** A person asks for a role that a decision found missing. It grants nothing. */
  | { readonly kind: 'access-request.opened'; readonly request: AccessRequestRecord }
  | {
      readonly kind: 'access-request.closed';
      readonly request: Pick<AccessRequestRecord, 'id' | 'principalId' | 'roleDefinitionId' | 'scope'>;
      readonly reason: AccessRequestEnd;
      /** The assignment that gives what was asked for; null when none does. */
      readonly assignmentId: string | null;
    }
  /** What the ledger knew of somebody, beyond ids, was made unreadable: so many keys were destroyed. */
  | { readonly kind: 'person.erased'; readonly person: string; readonly keys: number }
  /** Found at a start: Lockstep runs under another configuration than before. */
  | {
      readonly kind: 'configuration.changed';
      /** SHA-256, hex, of the canonical JSON of the whole configuration; null before the first start. */
      readonly previous: string | null;
      readonly digest: string;
      /** The settings that differ, as `section.name`, sorted; their values are not recorded. */
      readonly settings: readonly string[];
    };

export type ChangeKind = Change['kind'];

export type PrincipalKind = 'user' | 'group' | 'application' | 'managed-identity' | 'job';

export interface Membership {
  readonly group: PrincipalId;
  readonly member: PrincipalId;
  /** Absent in records of before it was told. */
  readonly memberKind?: PrincipalKind;
}

/** What the policy and the pipeline need to know of a principal; no secret, no profile. */
export interface PrincipalRecord {
  readonly id: PrincipalId;
  readonly kind: PrincipalKind;
  readonly displayName: string;
  readonly enabled: boolean;
  /** The person who answers for a workload; null for people and groups. */
  readonly sponsorId: PrincipalId | null;
  /** User principal name of a user, application (client) id of a workload; null for groups. */
  readonly signInName: string | null;
  /** Custom security attributes by `{set}_{attribute}`; absent when it has none. Conditions ask for them. */
  readonly securityAttributes?: Readonly<Record<string, AttributeValue>>;
}

/** The value of an attribute that a condition may ask for. Numbers are integers; times are ISO 8601 texts. */
export type AttributeValue = string | number | boolean | readonly string[] | readonly number[];

/** Where a management group or a subscription hangs in the tree of scopes. Both scopes in normal form. */
export interface ScopePlacement {
  /** `/providers/microsoft.management/managementgroups/{name}` or `/subscriptions/{id}`. */
  readonly scope: string;
  /** A management group; null for the root. */
  readonly parent: string | null;
  readonly displayName: string;
}

export interface CredentialRecord {
  readonly id: string;
  readonly kind: 'password' | 'secret' | 'certificate' | 'federated';
  /** What a person recognises it by: a certificate's thumbprint, a federated credential's name. Never the secret. */
  readonly hint: string;
}

/** Azure RBAC: learn.microsoft.com/azure/role-based-access-control/role-definitions */
export interface RoleDefinition {
  /** GUID, lower case. */
  readonly id: string;
  readonly roleName: string;
  readonly description: string;
  readonly type: 'BuiltInRole' | 'CustomRole';
  readonly permissions: readonly Permission[];
  /** In normal form. */
  readonly assignableScopes: readonly string[];
  /** The assignable scopes as they were written, one for one; absent where that is their normal form. */
  readonly writtenScopes?: readonly string[];
  /** Who wrote it when; the store's word. */
  readonly history?: WrittenHistory;
}

/** ISO 8601, and object ids. */
export interface WrittenHistory {
  readonly createdOn: string;
  readonly createdBy: string;
  readonly updatedOn: string;
  readonly updatedBy: string;
}

export interface Permission {
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
  /** Azure ABAC condition v2.0 that gates this permission; null or absent when there is none. */
  readonly condition?: string | null;
}

export type AssignmentPrincipalType = 'User' | 'Group' | 'ServicePrincipal';

export interface RoleAssignment {
  /** GUID, lower case: the assignment's name. */
  readonly id: string;
  readonly scope: string;
  /** The scope as it was written, for those who compare it with case; absent where that is its normal form. */
  readonly writtenScope?: string;
  /** GUID of the role definition. */
  readonly roleDefinitionId: string;
  readonly principalId: PrincipalId;
  readonly principalType: AssignmentPrincipalType;
  readonly description: string;
  /** Azure ABAC condition v2.0 that gates this assignment; null or absent when there is none. */
  readonly condition?: string | null;
  /** ISO 8601. */
  readonly createdOn: string;
  readonly createdBy: string;
  /** When its description or condition was last changed, and by whom; absent: never. */
  readonly updatedOn?: string;
  readonly updatedBy?: string;
}

export interface DenyAssignment {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly scope: string;
  readonly permissions: readonly Permission[];
  readonly doNotApplyToChildScopes: boolean;
  /** Object ids; the all-zero GUID is everyone. */
  readonly principals: readonly PrincipalId[];
  readonly excludePrincipals: readonly PrincipalId[];
  /** Azure ABAC condition v2.0: the denial holds only where it is true, or cannot be told. Null or absent: always. */
  readonly condition?: string | null;
}

/** `lapsed`: nobody has answered it in time, or there is nobody any more whose it is. */
export type AccessRequestEnd = 'granted' | 'lapsed';

export interface AccessRequestRecord {
  /** `acr_…` */
  readonly id: string;
  /** Who asks, and for themselves. */
  readonly principalId: PrincipalId;
  /** GUID of the role definition. */
  readonly roleDefinitionId: string;
  /** Where the role is asked for; in normal form. */
  readonly scope: string;
  /** What was refused, and by which decision. */
  readonly action: string;
  readonly dataAction: boolean;
  readonly decisionId: DecisionId;
  /** In the person's own words. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface SessionRecord {
  readonly id: SessionId;
  readonly principalId: PrincipalId;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** RFC 8176 method references. */
  readonly authenticationMethods: readonly string[];
}

export type LeaseEndReason =
  'completed' | 'failed' | 'canceled' | 'lost' | 'owner-lost-right' | 'owner-disabled' | 'expired' | 'cut';

export interface LeaseRecord {
  readonly id: LeaseId;
  /** The job's own principal. */
  readonly jobId: PrincipalId;
  /** Scope of the job resource. */
  readonly jobScope: string;
  readonly ownerId: PrincipalId;
  /** The principal that submitted the job: the owner, or a workload such as a CI application. */
  readonly submitterId: PrincipalId;
  /** First the owner, then every actor in order, last the job. */
  readonly chain: readonly ActorRef[];
  readonly state: 'queued' | 'running' | 'ended';
}

/** One link of a delegation chain. */
export interface ActorRef {
  readonly kind: PrincipalKind | 'ci-run' | 'system' | 'anonymous';
  /** Object id of a principal, or the issuer-qualified run id of a CI run. */
  readonly id: string;
  readonly name: string;
  /** What the CI system swore of its run; conditions ask for it. Of a CI run only. */
  readonly ci?: CiRun | undefined;
}

/** Claims of a CI run's token, whole; one that it lacks, or that is too long to carry, is absent. */
export interface CiRun {
  readonly issuer: string;
  readonly repository?: string | undefined;
  readonly ref?: string | undefined;
  readonly environment?: string | undefined;
}

/** To whom, and to which request, a change is attributed. */
export interface Attribution {
  readonly tenantId: TenantId;
  /** First the person or sponsor, last the one that acted. Never empty: `system` stands alone for Lockstep itself. */
  readonly chain: readonly ActorRef[];
  readonly requestId: RequestId | null;
  /** What the caller says that this belongs to, so that their log and Entra's can be joined to ours: their word only. */
  readonly correlationId: string | null;
  readonly sourceAddress: string | null;
  /** The sign-in: `sid` of its tokens. */
  readonly sessionId: SessionId | null;
  readonly leaseId: LeaseId | null;
  /** `uti` of the token: Entra's unique token identifier. */
  readonly tokenId: string | null;
  readonly decisionId: DecisionId | null;
  readonly policyId: string | null;
  readonly snapshotVersion: number | null;
}

export type Tx = Transaction<Schema>;

/**
 * Runs `work` in one transaction together with the ledger entries of every change that it records.
 * Resolves when both are durable and every follower (policy snapshot, liveness) has applied the changes.
 * If `work` throws, neither the rows nor the entries exist, and the error is passed on.
 */
export type Commit = <T>(
  attribution: Attribution,
  work: (tx: Tx, record: (change: Change) => void) => Promise<T>,
) => Promise<T>;

/**
 * Asked of all that a transaction has recorded, within it and before it commits: what it throws undoes the transaction
 * and is passed on. It writes nothing.
 */
export type CommitGuard = (tx: Tx, changes: readonly Change[]) => Promise<void>;

/**
 * A change as it stands in the feed. Events that change nothing have sequences too, so one that is missing shows in
 * `previous` and not in the numbers themselves.
 */
export interface CommittedChange {
  /** Position in the feed: strictly increasing, the version of whatever has applied it. */
  readonly sequence: number;
  /** Sequence of the change before it; 0 for the first. */
  readonly previous: number;
  readonly change: Change;
  /** Of its record. */
  readonly event: EventId;
}

/** A change as those who follow policy take it in; null where what was read back carries none. */
export interface PolicyStep extends Omit<CommittedChange, 'change' | 'event'> {
  readonly change: Change | null;
}

/** The kinds of change that policy is made of. */
export type PolicyChange = Extract<
  Change,
  {
    readonly kind: `${'principal' | 'group' | 'role-definition' | 'role-assignment' | 'deny-assignment' | 'scope' | 'resource'}.${string}`;
  }
>;

/** Called after each commit, in order, before the committer's promise resolves. Must not throw. */
export type Follower = (committed: readonly CommittedChange[]) => void;

/** The attribution of what Lockstep does by itself (rotation, reconciliation, first start). */
export function systemAttribution(tenantId: TenantId, part: string): Attribution {
  return {
    tenantId,
    chain: [{ kind: 'system', id: part, name: `Lockstep ${part}` }],
    requestId: null,
    correlationId: null,
    sourceAddress: null,
    sessionId: null,
    leaseId: null,
    tokenId: null,
    decisionId: null,
    policyId: null,
    snapshotVersion: null,
  };
}
