import { isIP } from 'node:net';
import type { ActorRef, Attribution } from '../../store/changes.ts';
import type {
  Actor,
  Authorization,
  ClassAttributes,
  Databucket,
  Endpoint,
  Entity,
  RequestFacts,
  Session,
  User,
} from './event-shape.ts';

/** The version of the Open Cybersecurity Schema Framework that events are written in. schema.ocsf.io/1.8.0 */
export const ocsfVersion = '1.8.0';

/** The classes in use: uid and category. */
export const classes = {
  accountChange: { uid: 3001, category: 3, name: 'Account Change' },
  authentication: { uid: 3002, category: 3, name: 'Authentication' },
  authorizeSession: { uid: 3003, category: 3, name: 'Authorize Session' },
  entityManagement: { uid: 3004, category: 3, name: 'Entity Management' },
  userAccess: { uid: 3005, category: 3, name: 'User Access Management' },
  groupManagement: { uid: 3006, category: 3, name: 'Group Management' },
  applicationLifecycle: { uid: 6002, category: 6, name: 'Application Lifecycle' },
  apiActivity: { uid: 6003, category: 6, name: 'API Activity' },
  datastoreActivity: { uid: 6005, category: 6, name: 'Datastore Activity' },
} as const;

export type OcsfClass = (typeof classes)[keyof typeof classes];

/** What a catalogue row says of one fact; `entry.ts` adds what every event carries. */
export interface Described {
  readonly class: OcsfClass;
  readonly activity: Activity;
  /** Attributes of the class, and `unmapped` facts that OCSF has no attribute for. */
  readonly attributes: ClassAttributes;
  readonly unmapped?: RequestFacts;
  readonly outcome?: 'success' | 'failure';
  /** Object id of the job that this is about, where the acting chain does not name it. */
  readonly jobId?: string;
}

export interface Activity {
  readonly id: number;
  readonly name: string;
}

/** OCSF's own id where the class has one. */
export function activity(id: number, name: string): Activity {
  return { id, name };
}

/** Id 99: an activity that the class has no id for; its name says what it is. */
export function otherActivity(name: string): Activity {
  return { id: 99, name };
}

const userTypes = {
  unknown: { type: 'Unknown', type_id: 0 },
  user: { type: 'User', type_id: 1 },
  system: { type: 'System', type_id: 3 },
  service: { type: 'Service', type_id: 4 },
} as const;

/** OCSF `user`: the object id with its tenant, never an e-mail address as the key. */
export function userObject(ref: ActorRef, tenantId: string): User {
  const { type, type_id } = userTypeOf(ref.kind);
  return {
    name: ref.name,
    org: { uid: tenantId },
    programmatic_credentials: undefined,
    type,
    type_id,
    uid: ref.id,
  };
}

/** A principal of which only the object id is known. */
export function userOfId(id: string, tenantId: string): User {
  return {
    name: undefined,
    org: { uid: tenantId },
    programmatic_credentials: undefined,
    type: undefined,
    type_id: undefined,
    uid: id,
  };
}

function userTypeOf(kind: ActorRef['kind']): (typeof userTypes)[keyof typeof userTypes] {
  switch (kind) {
    case 'user':
      return userTypes.user;
    case 'system':
      return userTypes.system;
    case 'application':
    case 'managed-identity':
    case 'job':
    case 'ci-run':
      return userTypes.service;
    case 'group':
    case 'anonymous':
      return userTypes.unknown;
  }
}

/**
 * On whose account this happens: a job acts in the context of its owner, the first link; anything else in its own,
 * the last link.
 */
export function contextUser(chain: readonly ActorRef[]): ActorRef {
  const last = actingLink(chain);
  return (last.kind === 'job' ? chain[0] : last) ?? last;
}

/** The last link: the one that acts. */
export function actingLink(chain: readonly ActorRef[]): ActorRef {
  return chain.at(-1) ?? { kind: 'anonymous', id: 'anonymous', name: 'anonymous' };
}

/** OCSF `actor`. The whole chain is in `unmapped.lockstep.chain`. */
export function actorObject(by: Attribution, decision: 'allow' | 'deny' | null): Actor {
  const acting = actingLink(by.chain);
  const user = contextUser(by.chain);
  const app = user.id === acting.id ? null : acting;
  return {
    app_name: app?.name,
    app_uid: app?.id,
    authorizations: by.policyId === null ? undefined : [authorization(by.policyId, by, decision)],
    session:
      by.sessionId === null && by.tokenId === null
        ? undefined
        : sessionObject({ uid: by.sessionId, credential: by.tokenId }),
    user: userObject(user, by.tenantId),
  };
}

function authorization(
  policyId: string,
  { snapshotVersion }: Attribution,
  decision: 'allow' | 'deny' | null,
): Authorization {
  return {
    decision: decision ?? undefined,
    policy: { uid: policyId, version: snapshotVersion === null ? undefined : String(snapshotVersion) },
  };
}

/** OCSF `session`, with what is known of it. Times in milliseconds since the epoch. */
export function sessionObject(known: {
  readonly uid: string | null;
  readonly credential?: string | null;
  readonly createdAt?: number;
  readonly expiresAt?: number | null;
  readonly reason?: string | null;
}): Session {
  return {
    created_time: known.createdAt,
    credential_uid: known.credential ?? undefined,
    expiration_reason: known.reason ?? undefined,
    expiration_time: known.expiresAt ?? undefined,
    uid: known.uid ?? undefined,
  };
}

/** What OCSF has no type for is of type 99, and `type` says what it is. */
export function entityObject(uid: string, type: string, name: string | undefined): Entity {
  return { name, policy: undefined, type, type_id: 99, uid };
}

/**
 * OCSF `src_endpoint`, which must say something, and goes on to when the address is not shown: that it is whoever
 * connected, or Lockstep itself.
 */
export function sourceEndpoint(sourceAddress: string | null): Endpoint {
  return sourceAddress === null
    ? { ip: undefined, name: undefined, svc_name: 'lockstep' }
    : { ip: isIP(sourceAddress) === 0 ? undefined : sourceAddress, name: 'peer', svc_name: undefined };
}

/** OCSF `databucket` for a Blob scope: the container, and the blob within it where there is one. */
export function bucketObject(scope: string): Databucket {
  const [container = scope] = scope.split('/blobs/', 1);
  return {
    name: container.slice(container.lastIndexOf('/') + 1) || container,
    type: 'Azure Blob',
    type_id: 2,
    uid: container,
  };
}
