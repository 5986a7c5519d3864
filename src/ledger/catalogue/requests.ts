import type { RequestFact } from '../events.ts';
import { cleanUnlessPlain } from './clean.ts';
import type { ClassAttributes, RequestFacts, User } from './event-shape.ts';
import {
  activity,
  bucketObject,
  classes,
  otherActivity,
  sessionObject,
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
type RequestsEnded = Extract<RequestFact, { kind: 'requests.ended' }>;
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
    case 'requests.ended':
      return endedTogether(fact);
    case 'authentication':
      return authentication(fact);
    case 'lifecycle':
      return lifecycle(fact);
  }
}

function decided(fact: RequestDecided): Described {
  const verb = verbOf(fact.operation) ?? (fact.effect === 'read' ? 'read' : fact.method.toLowerCase());
  const isKnown = httpMethods.has(fact.method);
  const described = call(fact, verb, {
    action_id: fact.allowed ? 1 : 2,
    disposition_id: fact.allowed ? 1 : 2,
    http_request: {
      body_length: undefined,
      http_method: isKnown ? fact.method : undefined,
      uid: fact.attribution.requestId ?? undefined,
      url: { path: pathOnly(fact.path) },
      user_agent: fact.userAgent ?? undefined,
    },
  });
  return {
    ...described,
    outcome: fact.allowed ? 'success' : 'failure',
    unmapped: {
      action: fact.action,
      allowed: fact.allowed,
      altered: fact.altered,
      attributes: Object.keys(fact.attributes).length === 0 ? undefined : cleanUnlessPlain(fact.attributes),
      authorities: fact.authorities,
      dataAction: fact.dataAction,
      decidedFor: fact.decidedFor,
      effect: fact.effect,
      method: isKnown ? undefined : fact.method,
      operation: fact.operation,
      reason: fact.reason,
      scope: fact.scope,
      subOperation: fact.subOperation ?? undefined,
      subtree: fact.subtree,
      surface: fact.surface,
    },
  };
}

/** Those that OCSF knows. A stranger may send any, and bytes that were no request have none. */
export const httpMethods: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
]);

function listed(fact: RequestListed): Described {
  const uids = fact.shown.length === 0 ? [fact.scope] : fact.shown;
  return {
    class: classes.apiActivity,
    activity: activity(2, 'Read'),
    attributes: {
      api: { operation: fact.operation, service: { name: fact.surface } },
      resources: uids.map((uid) => ({ role_id: undefined, type: 'Scope', uid })),
      src_endpoint: sourceEndpoint(fact.attribution.sourceAddress),
    },
    unmapped: {
      asked: fact.asked.map(({ action, allowed, looked }) => ({ action, allowed, looked })),
      operation: fact.operation,
      scope: fact.scope,
      shown: fact.shown,
      surface: fact.surface,
    },
  };
}

function ended(fact: RequestEnded): Described {
  return {
    ...call(fact, verbOf(fact.operation) ?? 'other', {
      duration: Math.round(fact.durationMilliseconds),
      http_request: {
        body_length: fact.requestBytes,
        http_method: undefined,
        uid: fact.attribution.requestId ?? undefined,
        url: undefined,
        user_agent: undefined,
      },
      http_response: { body_length: fact.responseBytes, code: fact.status },
    }),
    outcome: fact.status < 400 && fact.ending === 'completed' ? 'success' : 'failure',
    unmapped: {
      cutBy: cutBy(fact.cutBy),
      ending: fact.ending,
      sentAgain: fact.sentAgain,
      webSocket:
        fact.webSocket === undefined
          ? undefined
          : {
              closeCode: fact.webSocket.closeCode,
              received: fact.webSocket.received,
              sent: fact.webSocket.sent,
              withheld: fact.webSocket.withheld,
            },
      operation: fact.operation,
      scope: fact.scope,
      surface: fact.surface,
    },
  };
}

function cutBy(by: RequestEnded['cutBy']): RequestFacts['cutBy'] {
  if (by === undefined) return undefined;
  return {
    change: by.kind === 'change' ? by.change : undefined,
    decisionId: by.kind === 'operator' ? by.decisionId : undefined,
    eventId: by.kind === 'change' ? by.eventId : undefined,
    principalId: by.kind === 'operator' ? by.principalId : undefined,
  };
}

function endedTogether(fact: RequestsEnded): Described {
  const { outcomes, operation, scope, surface } = fact;
  return {
    class: classes.apiActivity,
    activity: activity(2, 'Read'),
    attributes: {
      api: { operation, service: { name: surface } },
      count: outcomes.length,
      src_endpoint: sourceEndpoint(fact.attribution.sourceAddress),
      start_time: fact.since,
    },
    outcome: outcomes.every(({ status }) => status < 400) ? 'success' : 'failure',
    unmapped: {
      ending: 'completed',
      operation,
      outcomes: outcomes.map(({ decisionId, durationMilliseconds, requestBytes, responseBytes, status }) => ({
        decisionId,
        durationMilliseconds: Math.round(durationMilliseconds),
        requestBytes,
        responseBytes,
        status,
      })),
      scope,
      surface,
    },
  };
}

/** Datastore Activity for what lives in a blob service, API Activity for every other call. */
function call(fact: RequestDecided | RequestEnded, verb: string, attributes: ClassAttributes): Described {
  const source = sourceEndpoint(fact.attribution.sourceAddress);
  if (fact.scope.includes('/blobservices/')) {
    return {
      class: classes.datastoreActivity,
      activity: datastoreActivities[verb] ?? otherActivity(fact.operation),
      attributes: { ...attributes, databucket: bucketObject(fact.scope), src_endpoint: source, type_id: 2 },
    };
  }
  return {
    class: classes.apiActivity,
    activity: apiActivities[verb] ?? otherActivity(fact.operation),
    attributes: {
      ...attributes,
      api: { operation: fact.operation, service: { name: fact.surface } },
      resources: [{ role_id: 1, type: 'Scope', uid: fact.scope }],
      src_endpoint: source,
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
  const end = path.indexOf('?');
  return end < 0 ? path : path.slice(0, end);
}

const authenticationActivities = {
  'sign-in': activity(1, 'Logon'),
  'token-issue': activity(4, 'Service Ticket Request'),
  'token-renewal': activity(5, 'Service Ticket Renew'),
} as const;

function authentication(fact: Authentication): Described {
  const { attribution: by, principalId, principalName } = fact;
  const user: User =
    principalId === null
      ? userObject(actingLink(by.chain), by.tenantId)
      : { ...userOfId(principalId, by.tenantId), name: principalName ?? undefined };
  const isTold = fact.expiresAt !== null || fact.tokenId !== null || by.sessionId !== null;
  return {
    class: classes.authentication,
    activity: authenticationActivities[fact.activity],
    attributes: {
      ...protocolOf(fact),
      service: { name: fact.audience ?? 'Lockstep' },
      session: isTold
        ? sessionObject({
            uid: by.sessionId,
            credential: fact.tokenId,
            expiresAt: fact.expiresAt === null ? null : fact.expiresAt * 1_000,
          })
        : undefined,
      status_detail: fact.failureCode ?? undefined,
      user,
    },
    outcome: fact.succeeded ? 'success' : 'failure',
    unmapped: {
      activity: fact.activity,
      audience: fact.audience,
      detail: cleanUnlessPlain(fact.detail),
      expiresAt: fact.expiresAt,
      failureCode: fact.failureCode,
      issuedTokenId: fact.tokenId,
      method: fact.method,
      principalId,
      principalName,
    },
  };
}

/** Tokens are given out by OAuth; how somebody proved who they are otherwise has no number of its own. */
function protocolOf({ activity: does, method }: Authentication): ClassAttributes {
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
    unmapped: { activity: fact.activity, detail: cleanUnlessPlain(fact.detail) },
  };
}
