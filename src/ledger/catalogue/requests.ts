import type { JsonObject } from '../../lib/canonical-json.ts';
import type { RequestFact } from '../events.ts';
import {
  activity,
  bucketObject,
  classes,
  otherActivity,
  sourceEndpoint,
  userObject,
  userOfId,
  actingLink,
  type Activity,
  type Described,
} from './ocsf.ts';

type RequestDecided = Extract<RequestFact, { kind: 'request.decided' }>;
type RequestListed = Extract<RequestFact, { kind: 'request.listed' }>;
type RequestEnded = Extract<RequestFact, { kind: 'request.ended' }>;
type Authentication = Extract<RequestFact, { kind: 'authentication' }>;
type Lifecycle = Extract<RequestFact, { kind: 'lifecycle' }>;

/** How what happened to a request is told as an OCSF event. */
export function describeRequest(fact: RequestFact): Described {
  switch (fact.kind) {
    case 'request.decided':
      return decided(fact);
    case 'request.listed':
      return listed(fact);
    case 'request.ended':
      return ended(fact);
    case 'authentication':
      return authentication(fact);
    case 'lifecycle':
      return lifecycle(fact);
  }
}

function decided(fact: RequestDecided): Described {
  return {
    ...call(fact, verbOf(fact.operation) ?? (fact.effect === 'read' ? 'read' : fact.method.toLowerCase()), {
      http_request: {
        ...(httpMethods.has(fact.method) ? { http_method: fact.method } : {}),
        url: { path: pathOnly(fact.path) },
        ...(fact.userAgent === null ? {} : { user_agent: fact.userAgent }),
        ...(fact.attribution.requestId === null ? {} : { uid: fact.attribution.requestId }),
      },
      action_id: fact.allowed ? 1 : 2,
      disposition_id: fact.allowed ? 1 : 2,
    }),
    outcome: fact.allowed ? 'success' : 'failure',
    unmapped: {
      surface: fact.surface,
      ...(httpMethods.has(fact.method) ? {} : { method: fact.method }),
      operation: fact.operation,
      effect: fact.effect,
      allowed: fact.allowed,
      reason: fact.reason,
      decidedFor: fact.decidedFor,
      authorities: fact.authorities,
      action: fact.action,
      dataAction: fact.dataAction,
      scope: fact.scope,
      ...(Object.keys(fact.attributes).length === 0 ? {} : { attributes: fact.attributes }),
      ...(fact.subOperation === null ? {} : { subOperation: fact.subOperation }),
      ...(fact.altered === undefined ? {} : { altered: fact.altered }),
    },
  };
}

/** Those that OCSF knows. A stranger may send any, and bytes that were no request have none. */
const httpMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

function listed(fact: RequestListed): Described {
  const uids = fact.shown.length === 0 ? [fact.scope] : fact.shown;
  return {
    class: classes.apiActivity,
    activity: activity(2, 'Read'),
    attributes: {
      api: { operation: fact.operation, service: { name: fact.surface } },
      resources: uids.map((uid) => ({ uid, type: 'Scope' })),
      src_endpoint: sourceEndpoint(fact.attribution.sourceAddress),
    },
    unmapped: {
      surface: fact.surface,
      operation: fact.operation,
      scope: fact.scope,
      asked: fact.asked.map(({ action, looked, allowed }) => ({ action, looked, allowed })),
      shown: fact.shown,
    },
  };
}

function ended(fact: RequestEnded): Described {
  return {
    ...call(fact, verbOf(fact.operation) ?? 'other', {
      http_request: {
        body_length: fact.requestBytes,
        ...(fact.attribution.requestId === null ? {} : { uid: fact.attribution.requestId }),
      },
      http_response: { code: fact.status, body_length: fact.responseBytes },
      duration: Math.round(fact.durationMilliseconds),
    }),
    outcome: fact.status < 400 && fact.ending === 'completed' ? 'success' : 'failure',
    unmapped: {
      surface: fact.surface,
      operation: fact.operation,
      scope: fact.scope,
      ending: fact.ending,
    },
  };
}

/** Datastore Activity for what lives in a blob service, API Activity for every other call. */
function call(fact: RequestDecided | RequestEnded, verb: string, attributes: JsonObject): Described {
  const source = sourceEndpoint(fact.attribution.sourceAddress);
  if (fact.scope.includes('/blobservices/')) {
    return {
      class: classes.datastoreActivity,
      activity: datastoreActivities[verb] ?? otherActivity(fact.operation),
      attributes: { databucket: bucketObject(fact.scope), type_id: 2, src_endpoint: source, ...attributes },
    };
  }
  return {
    class: classes.apiActivity,
    activity: apiActivities[verb] ?? otherActivity(fact.operation),
    attributes: {
      api: { operation: fact.operation, service: { name: fact.surface } },
      resources: [{ uid: fact.scope, type: 'Scope', role_id: 1 }],
      src_endpoint: source,
      ...attributes,
    },
  };
}

const apiActivities: Readonly<Record<string, Activity>> = {
  read: activity(2, 'Read'),
  write: activity(3, 'Update'),
  put: activity(3, 'Update'),
  patch: activity(3, 'Update'),
  post: activity(1, 'Create'),
  delete: activity(4, 'Delete'),
};

const datastoreActivities: Readonly<Record<string, Activity>> = {
  read: activity(1, 'Read'),
  write: activity(5, 'Write'),
  put: activity(5, 'Write'),
  delete: activity(7, 'Delete'),
};

/** `…/blobs/read` → `read`; null for an operation that is not named in Azure's form. */
function verbOf(operation: string): string | null {
  const verb = operation.slice(operation.lastIndexOf('/') + 1).toLowerCase();
  return ['read', 'write', 'delete', 'action'].includes(verb) ? verb : null;
}

/** Whatever follows `?` may be a credential (a signed URL), and is never part of the decision. */
function pathOnly(path: string): string {
  return path.split('?', 1)[0] ?? '';
}

const authenticationActivities = {
  'sign-in': activity(1, 'Logon'),
  'token-issue': activity(4, 'Service Ticket Request'),
  'token-renewal': activity(5, 'Service Ticket Renew'),
} as const;

function authentication(fact: Authentication): Described {
  const { attribution: by, principalId, principalName } = fact;
  const user =
    principalId === null
      ? userObject(actingLink(by.chain), by.tenantId)
      : { ...userOfId(principalId, by.tenantId), ...(principalName === null ? {} : { name: principalName }) };
  return {
    class: classes.authentication,
    activity: authenticationActivities[fact.activity],
    attributes: {
      user,
      service: { name: fact.audience ?? 'Lockstep' },
      ...protocolOf(fact),
      ...(fact.expiresAt === null && fact.tokenId === null && by.sessionId === null
        ? {}
        : {
            session: {
              ...(by.sessionId === null ? {} : { uid: by.sessionId }),
              ...(fact.tokenId === null ? {} : { credential_uid: fact.tokenId }),
              ...(fact.expiresAt === null ? {} : { expiration_time: fact.expiresAt * 1_000 }),
            },
          }),
      ...(fact.failureCode === null ? {} : { status_detail: fact.failureCode }),
    },
    outcome: fact.succeeded ? 'success' : 'failure',
    unmapped: {
      activity: fact.activity,
      method: fact.method,
      principalId,
      principalName,
      audience: fact.audience,
      issuedTokenId: fact.tokenId,
      expiresAt: fact.expiresAt,
      failureCode: fact.failureCode,
      detail: fact.detail,
    },
  };
}

/** Tokens are given out by OAuth; how somebody proved who they are otherwise has no number of its own. */
function protocolOf({ activity: does, method }: Authentication): JsonObject {
  return does === 'token-issue'
    ? { auth_protocol: 'OAUTH 2.0', auth_protocol_id: 6 }
    : { auth_protocol: method, auth_protocol_id: 99 };
}

const lifecycleActivities = {
  start: activity(3, 'Start'),
  stop: activity(4, 'Stop'),
  prune: otherActivity('Prune'),
  'prune-archive': otherActivity('Prune Archive'),
  'clock-set': otherActivity('Clock Set'),
} as const;

function lifecycle(fact: Lifecycle): Described {
  return {
    class: classes.applicationLifecycle,
    activity: lifecycleActivities[fact.activity],
    attributes: { app: { name: 'Lockstep', vendor_name: 'Lockstep', version: fact.version } },
    unmapped: { activity: fact.activity, detail: fact.detail },
  };
}
