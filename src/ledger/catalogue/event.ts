import type { Fact } from '../events.ts';
import { describeChange } from './changes.ts';
import { cleanObject } from './clean.ts';
import type { EntryContext, Position } from './entry.ts';
import type { Metadata, OcsfEvent, OwnFacts, RequestFacts } from './event-shape.ts';
import { actorObject, classes, ocsfVersion, sourceEndpoint, type Described } from './ocsf.ts';
import { describeRequest } from './requests.ts';

/** What the catalogue says of a fact. */
export function describeFact(fact: Fact): Described {
  return fact.kind === 'change' ? describeChange(fact.change, fact.attribution) : describeRequest(fact);
}

/**
 * The OCSF event of a fact, in the order in which it is printed. Its personal values can be taken out of it once: what
 * holds them is its own.
 */
export function eventOf(fact: Fact, described: Described, context: EntryContext): OcsfEvent {
  const { class: of, activity, attributes } = described;
  const by = fact.attribution;
  const decided = fact.kind === 'request.decided' ? (fact.allowed ? 'allow' : 'deny') : null;
  const status = described.outcome === 'failure' ? 2 : 1;
  const isOfSomebody = of.uid !== classes.applicationLifecycle.uid;
  const source = isOfSomebody && by.sourceAddress !== null ? sourceEndpoint(by.sourceAddress) : undefined;
  return {
    action_id: attributes.action_id,
    activity_id: activity.id,
    activity_name: activity.name,
    actor: isOfSomebody ? actorObject(by, decided) : undefined,
    api: attributes.api,
    app: attributes.app,
    auth_protocol: attributes.auth_protocol,
    auth_protocol_id: attributes.auth_protocol_id,
    category_uid: of.category,
    class_name: of.name,
    class_uid: of.uid,
    count: attributes.count,
    databucket: attributes.databucket,
    disposition_id: attributes.disposition_id,
    duration: attributes.duration,
    entity: attributes.entity,
    group: attributes.group,
    http_request: attributes.http_request,
    http_response: attributes.http_response,
    metadata: metadataOf(fact, context, decided),
    privileges: attributes.privileges,
    resource: attributes.resource,
    resources: attributes.resources,
    service: attributes.service,
    session: attributes.session,
    severity_id: status,
    src_endpoint: attributes.src_endpoint ?? source,
    start_time: attributes.start_time,
    status_detail: attributes.status_detail,
    status_id: status,
    subgroup: attributes.subgroup,
    time: context.time,
    type_id: attributes.type_id,
    type_uid: of.uid * 100 + activity.id,
    unmapped: { lockstep: ownFacts(fact, described.unmapped ?? none, context.position) },
    user: attributes.user,
  };
}

function metadataOf(fact: Fact, context: EntryContext, decided: 'allow' | 'deny' | null): Metadata {
  const by = fact.attribution;
  return {
    correlation_uid: by.requestId ?? undefined,
    event_code: fact.kind === 'change' ? fact.change.kind : fact.kind,
    log_name: context.origin,
    product: { name: 'Lockstep', vendor_name: 'Lockstep', version: context.productVersion },
    profiles: decided === null ? undefined : ['security_control'],
    tenant_uid: by.tenantId,
    uid: context.id,
    version: ocsfVersion,
  };
}

const none: RequestFacts = {};

function ownFacts(fact: Fact, own: RequestFacts, position: Position | null): OwnFacts {
  const by = fact.attribution;
  return {
    action: own.action,
    activity: own.activity,
    allowed: own.allowed,
    altered: own.altered,
    asked: own.asked,
    attributes: own.attributes,
    audience: own.audience,
    authorities: own.authorities,
    chain: by.chain.map(({ id, kind, name }) => ({ id, kind, name })),
    change: fact.kind === 'change' ? cleanObject(fact.change) : undefined,
    correlationId: by.correlationId ?? undefined,
    cutBy: own.cutBy,
    dataAction: own.dataAction,
    decidedFor: own.decidedFor,
    decisionId: by.decisionId,
    detail: own.detail,
    effect: own.effect,
    ending: own.ending,
    expiresAt: own.expiresAt,
    failureCode: own.failureCode,
    issuedTokenId: own.issuedTokenId,
    kind: fact.kind,
    leaseId: by.leaseId,
    method: own.method,
    operation: own.operation,
    outcomes: own.outcomes,
    policyId: by.policyId,
    previousChange: position?.previous,
    principalId: own.principalId,
    principalName: own.principalName,
    reason: own.reason,
    requestId: by.requestId,
    scope: own.scope,
    sealed: undefined,
    sentAgain: own.sentAgain,
    sequence: position?.sequence,
    sessionId: by.sessionId,
    shown: own.shown,
    snapshotVersion: by.snapshotVersion,
    sourceAddress: by.sourceAddress,
    subOperation: own.subOperation,
    subtree: own.subtree,
    surface: own.surface,
    tokenId: by.tokenId,
    webSocket: own.webSocket,
  };
}
