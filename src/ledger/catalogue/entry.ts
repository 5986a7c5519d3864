import { canonicalJson, type JsonObject } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import type { EventId } from '../../lib/ids.ts';
import type { Fact } from '../events.ts';
import { maxEntryBytes } from '../tlog/bundle.ts';
import { describeChange } from './changes.ts';
import { cleanObject, cleanText } from './clean.ts';
import type { Metadata, OcsfEvent, OwnFacts, RequestFacts } from './event-shape.ts';
import { shortenObject } from './fit.ts';
import { actorObject, classes, contextUser, ocsfVersion, sourceEndpoint, type Described } from './ocsf.ts';
import { personalIn, type Personal } from './personal.ts';
import { describeRequest } from './requests.ts';
import { seal, type Secret } from './seal.ts';

/** Where a change stands in the feed. */
export interface Position {
  readonly sequence: number;
  /** Sequence of the change before it; 0 for the first. */
  readonly previous: number;
}

export interface EntryContext {
  readonly id: EventId;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly origin: string;
  readonly productVersion: string;
  /** Of a change; null for what changes nothing. */
  readonly position: Position | null;
}

/** One event, ready to be a row and a log entry. */
export interface Entry {
  readonly id: EventId;
  readonly position: Position | null;
  readonly time: number;
  readonly classUid: number;
  readonly decisionId: string | null;
  readonly jobId: string | null;
  readonly principalId: string | null;
  /** Canonical JSON, UTF-8, at most 65 535 bytes. */
  readonly bytes: Uint8Array;
  /** The personal values that it binds, which stand beside it for as long as they may be known. */
  readonly secrets: readonly Secret[];
}

/**
 * The OCSF 1.8.0 event of a fact, its personal values taken out and bound by commitments. Free text too long for a log entry is cut with a marker and `is_truncated` set;
 * a change is what the feed is replayed from, so one that does not fit whole throws `too_large`.
 */
export function entryOf(fact: Fact, context: EntryContext): Entry {
  const by = fact.attribution;
  const described = describe(fact);
  return {
    id: context.id,
    position: context.position,
    time: context.time,
    classUid: described.class.uid,
    decisionId: by.decisionId,
    jobId: described.jobId ?? by.chain.find((link) => link.kind === 'job')?.id ?? null,
    principalId: by.chain.length === 0 ? null : contextUser(by.chain).id,
    ...fitted(fact, described, context),
  };
}

/** Its personal values can be taken out of it once: what it is made of is its own. */
function eventOf(fact: Fact, described: Described, context: EntryContext): OcsfEvent {
  const { class: of, activity, attributes } = described;
  const by = fact.attribution;
  const decided = fact.kind === 'request.decided' ? (fact.allowed ? 'allow' : 'deny') : null;
  const status = described.outcome === 'failure' ? 2 : 1;
  const isOfSomebody = of.uid !== classes.applicationLifecycle.uid;
  const source =
    isOfSomebody && by.sourceAddress !== null ? sourceEndpoint(by.sourceAddress) : undefined;
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
    policyId: by.policyId,
    previousChange: position?.previous,
    principalId: own.principalId,
    principalName: own.principalName,
    reason: own.reason,
    requestId: by.requestId,
    scope: own.scope,
    sealed: undefined,
    sequence: position?.sequence,
    sessionId: by.sessionId,
    shown: own.shown,
    snapshotVersion: by.snapshotVersion,
    sourceAddress: by.sourceAddress,
    subOperation: own.subOperation,
    surface: own.surface,
    tokenId: by.tokenId,
  };
}

const textLimits = [4_096, 1_024, 256];
const neverCut = new Set(['change']);

function fitted(fact: Fact, described: Described, context: EntryContext): Pick<Entry, 'bytes' | 'secrets'> {
  const personal = personalIn(fact);
  const first = sealedEntry(eventOf(fact, described, context), context.id, personal);
  if (first.size <= maxEntryBytes) return first;
  const event = cleanObject(eventOf(fact, describe(fact), context));
  const size = Buffer.byteLength(canonicalJson(event));
  for (const limit of textLimits) {
    const flagged = cleanObject({
      ...event,
      metadata: { ...objectAt(event, 'metadata'), is_truncated: true, untruncated_size: size },
    });
    const cut = sealedEntry(shortenObject(flagged, limit, neverCut), context.id, personal);
    if (cut.size <= maxEntryBytes) return cut;
  }
  throw failure(
    'too_large',
    'This is more than one entry of the ledger can hold, so it cannot be recorded.',
    {
      bytes: size,
      maxBytes: maxEntryBytes,
    },
  );
}

/** `size` is that of the entry and what is told with it. */
function sealedEntry(
  event: object,
  uid: string,
  personal: readonly Personal[],
): Pick<Entry, 'bytes' | 'secrets'> & { readonly size: number } {
  const secrets = seal(event, uid, personal);
  const bytes = Buffer.from(cleanText(event));
  return { bytes, secrets, size: bytes.length + sizeOf(secrets) };
}

function describe(fact: Fact): Described {
  return fact.kind === 'change' ? describeChange(fact.change, fact.attribution) : describeRequest(fact);
}

/** What they take in an event that is told whole. */
function sizeOf(secrets: readonly Secret[]): number {
  let size = 0;
  for (const { value, at } of secrets) {
    const text = typeof value === 'string' ? value : canonicalJson(value);
    // More than any character takes, escapes included, is not worth counting for what is short.
    size += at.length * (text.length < 1_024 ? 0 : Buffer.byteLength(JSON.stringify(text)));
  }
  return size;
}

function objectAt(event: JsonObject, name: string): object {
  const member = event[name];
  return typeof member === 'object' && member !== null ? member : {};
}
