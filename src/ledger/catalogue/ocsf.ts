import { isIP } from 'node:net';
import type { JsonObject } from '../../lib/canonical-json.ts';
import type { ActorRef, Attribution } from '../../store/changes.ts';

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
  readonly attributes: JsonObject;
  readonly unmapped?: JsonObject;
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
export function userObject(ref: ActorRef, tenantId: string): JsonObject {
  return { uid: ref.id, name: ref.name, ...userTypeOf(ref.kind), org: { uid: tenantId } };
}

/** A principal of which only the object id is known. */
export function userOfId(id: string, tenantId: string): JsonObject {
  return { uid: id, org: { uid: tenantId } };
}

function userTypeOf(kind: ActorRef['kind']): JsonObject {
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
export function actorObject(by: Attribution, decision: 'allow' | 'deny' | null): JsonObject {
  const acting = actingLink(by.chain);
  const user = contextUser(by.chain);
  return {
    user: userObject(user, by.tenantId),
    ...(user.id === acting.id ? {} : { app_uid: acting.id, app_name: acting.name }),
    ...(by.sessionId === null && by.tokenId === null
      ? {}
      : {
          session: {
            ...(by.sessionId === null ? {} : { uid: by.sessionId }),
            ...(by.tokenId === null ? {} : { credential_uid: by.tokenId }),
          },
        }),
    ...(by.policyId === null
      ? {}
      : {
          authorizations: [
            {
              ...(decision === null ? {} : { decision }),
              policy: {
                uid: by.policyId,
                ...(by.snapshotVersion === null ? {} : { version: String(by.snapshotVersion) }),
              },
            },
          ],
        }),
  };
}

/**
 * OCSF `src_endpoint`, which must say something, and goes on to when the address is not shown: that it is whoever
 * connected, or Lockstep itself.
 */
export function sourceEndpoint(sourceAddress: string | null): JsonObject {
  if (sourceAddress === null) return { svc_name: 'lockstep' };
  return { name: 'peer', ...(isIP(sourceAddress) === 0 ? {} : { ip: sourceAddress }) };
}

/** OCSF `databucket` for a Blob scope: the container, and the blob within it where there is one. */
export function bucketObject(scope: string): JsonObject {
  const [container = scope] = scope.split('/blobs/', 1);
  return {
    type_id: 2,
    type: 'Azure Blob',
    uid: container,
    name: container.slice(container.lastIndexOf('/') + 1) || container,
  };
}
