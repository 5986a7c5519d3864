import type { LeaseId, PrincipalId, SessionId, TenantId } from '../lib/ids.ts';
import type { ActorRef } from '../store/changes.ts';

/** Who is asking, after recognition. */
export interface Caller {
  readonly tenantId: TenantId;
  /** The `oid` of the credential: the person or workload on whose account this happens. */
  readonly subject: {
    readonly id: PrincipalId;
    readonly kind: 'user' | 'application' | 'managed-identity';
    readonly name: string;
  };
  /** First the person or sponsor, then each actor in order (CI run, application, job), last the one that acts. */
  readonly chain: readonly ActorRef[];
  /**
   * Every one of these must be allowed: delegation only narrows. A person: [person]. An application: [application].
   * A job: [owner, submitter if another, job].
   */
  readonly authorities: readonly PrincipalId[];
  readonly credential: Credential;
}

/** A person who does something themselves, and no program that acts for one. */
export function isPersonAlone({ subject, chain, credential }: Caller): boolean {
  return subject.kind === 'user' && credential.leaseId === null && chain.at(-1)?.id === subject.id;
}

export interface Credential {
  readonly kind: 'bearer' | 'session-cookie' | 'signed-url';
  /** The token's `uti`; for a session cookie the session id. */
  readonly tokenId: string;
  readonly sessionId: SessionId | null;
  readonly leaseId: LeaseId | null;
  /** Seconds since the epoch at which the credential itself lapses. */
  readonly expiresAt: number;
}
