import type { JsonObject } from '../../lib/canonical-json.ts';
import type { ActorRef, Attribution } from '../../store/changes.ts';
import type { Commitment } from '../verify/commitment.ts';

/**
 * What events are made of: the attributes of OCSF that are in use, and no others. Whoever makes one of these objects writes
 * all of its members in this order, that of RFC 8785 §3.2.3, and `undefined` where there is nothing to say. So an event is
 * printed as it stands, and all objects of a kind have one shape for the engine, which makes both several times cheaper.
 */
export interface OcsfEvent {
  readonly action_id: number | undefined;
  readonly activity_id: number;
  readonly activity_name: string;
  readonly actor: Actor | undefined;
  readonly api: { readonly operation: string; readonly service: Service } | undefined;
  readonly app: Product | undefined;
  readonly auth_protocol: string | undefined;
  readonly auth_protocol_id: number | undefined;
  readonly category_uid: number;
  readonly class_name: string;
  readonly class_uid: number;
  readonly count: number | undefined;
  readonly databucket: Databucket | undefined;
  readonly disposition_id: number | undefined;
  readonly duration: number | undefined;
  readonly entity: Entity | undefined;
  readonly group: Group | undefined;
  readonly http_request: HttpRequest | undefined;
  readonly http_response: { readonly body_length: number; readonly code: number } | undefined;
  readonly metadata: Metadata;
  readonly privileges: readonly string[] | undefined;
  readonly resource: Resource | undefined;
  readonly resources: readonly Resource[] | undefined;
  readonly service: Service | undefined;
  readonly session: Session | undefined;
  readonly severity_id: number;
  readonly src_endpoint: Endpoint | undefined;
  readonly start_time: number | undefined;
  readonly status_detail: string | undefined;
  readonly status_id: number;
  readonly subgroup: { readonly uid: string } | undefined;
  readonly time: number;
  readonly type_id: number | undefined;
  readonly type_uid: number;
  readonly unmapped: { readonly lockstep: OwnFacts };
  readonly user: User | undefined;
}

/** Those that depend on what is told. */
export type ClassAttributes = Partial<
  Pick<
    OcsfEvent,
    | 'action_id'
    | 'api'
    | 'app'
    | 'auth_protocol'
    | 'auth_protocol_id'
    | 'count'
    | 'databucket'
    | 'disposition_id'
    | 'duration'
    | 'entity'
    | 'group'
    | 'http_request'
    | 'http_response'
    | 'privileges'
    | 'resource'
    | 'resources'
    | 'service'
    | 'session'
    | 'src_endpoint'
    | 'start_time'
    | 'status_detail'
    | 'subgroup'
    | 'type_id'
    | 'user'
  >
>;

/** `unmapped.lockstep`: what OCSF has no attribute for. */
export interface OwnFacts {
  readonly action: string | undefined;
  readonly activity: string | undefined;
  readonly allowed: boolean | undefined;
  readonly altered: true | undefined;
  readonly asked: readonly Asked[] | undefined;
  readonly attributes: JsonObject | undefined;
  readonly audience: string | null | undefined;
  readonly authorities: readonly string[] | undefined;
  readonly chain: readonly Link[];
  readonly change: JsonObject | undefined;
  readonly correlationId: string | undefined;
  readonly cutBy: CutBy | undefined;
  readonly dataAction: boolean | undefined;
  readonly decidedFor: string | null | undefined;
  readonly decisionId: Attribution['decisionId'];
  readonly detail: JsonObject | undefined;
  readonly effect: string | undefined;
  readonly ending: string | undefined;
  readonly expiresAt: number | null | undefined;
  readonly failureCode: string | null | undefined;
  readonly issuedTokenId: string | null | undefined;
  readonly kind: string;
  readonly leaseId: Attribution['leaseId'];
  readonly method: string | undefined;
  readonly operation: string | undefined;
  readonly outcomes: readonly EndedRead[] | undefined;
  readonly policyId: Attribution['policyId'];
  readonly previousChange: number | undefined;
  readonly principalId: string | null | undefined;
  readonly principalName: string | null | undefined;
  readonly reason: string | undefined;
  readonly requestId: Attribution['requestId'];
  readonly scope: string | undefined;
  /** Put in when the personal values are taken out. */
  readonly sealed: readonly Commitment[] | undefined;
  /** Why the upstream was asked a second time. */
  readonly sentAgain: string | undefined;
  readonly sequence: number | undefined;
  readonly sessionId: Attribution['sessionId'];
  readonly shown: readonly string[] | undefined;
  readonly snapshotVersion: Attribution['snapshotVersion'];
  readonly sourceAddress: Attribution['sourceAddress'];
  readonly subOperation: string | undefined;
  /** The decision was for all that lies beneath the scope, too. */
  readonly subtree: true | undefined;
  readonly surface: string | undefined;
  readonly tokenId: Attribution['tokenId'];
  readonly webSocket: WebSocketCounts | undefined;
}

/** Of an operator's cut the person and their decision, of a change's its kind and event. */
export interface CutBy {
  readonly change: string | undefined;
  readonly decisionId: string | undefined;
  readonly eventId: string | undefined;
  readonly principalId: string | undefined;
}

export interface WebSocketCounts {
  readonly closeCode: number;
  readonly received: number;
  readonly sent: number;
  /** Of the client's, those that the upstream did not get; absent where it got all of them. */
  readonly withheld: number | undefined;
}

/** Those that depend on the kind of request. */
export type RequestFacts = Partial<
  Pick<
    OwnFacts,
    | 'action'
    | 'activity'
    | 'allowed'
    | 'altered'
    | 'asked'
    | 'attributes'
    | 'audience'
    | 'authorities'
    | 'cutBy'
    | 'dataAction'
    | 'decidedFor'
    | 'detail'
    | 'effect'
    | 'ending'
    | 'expiresAt'
    | 'failureCode'
    | 'issuedTokenId'
    | 'method'
    | 'operation'
    | 'outcomes'
    | 'principalId'
    | 'principalName'
    | 'reason'
    | 'scope'
    | 'sentAgain'
    | 'shown'
    | 'subOperation'
    | 'subtree'
    | 'surface'
    | 'webSocket'
  >
>;

export interface Actor {
  readonly app_name: string | undefined;
  readonly app_uid: string | undefined;
  readonly authorizations: readonly Authorization[] | undefined;
  readonly session: Session | undefined;
  readonly user: User;
}

export interface Asked {
  readonly action: string;
  readonly allowed: number;
  readonly looked: number;
}

export interface Authorization {
  readonly decision: string | undefined;
  readonly policy: { readonly uid: string; readonly version: string | undefined };
}

export interface Databucket {
  readonly name: string;
  readonly type: string;
  readonly type_id: number;
  readonly uid: string;
}

export interface Endpoint {
  readonly ip: string | undefined;
  readonly name: string | undefined;
  readonly svc_name: string | undefined;
}

/** One of the reads that share a record. */
export interface EndedRead {
  readonly decisionId: string;
  readonly durationMilliseconds: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly status: number;
}

export interface Entity {
  readonly name: string | undefined;
  readonly policy: { readonly name: string; readonly uid: string } | undefined;
  readonly type: string;
  readonly type_id: number;
  readonly uid: string;
}

export interface Group {
  readonly name: string | undefined;
  readonly uid: string;
}

export interface HttpRequest {
  readonly body_length: number | undefined;
  readonly http_method: string | undefined;
  readonly uid: string | undefined;
  readonly url: { readonly path: string } | undefined;
  readonly user_agent: string | undefined;
}

/** Of the acting chain. */
export interface Link {
  readonly id: string;
  readonly kind: ActorRef['kind'];
  readonly name: string;
}

export interface Metadata {
  readonly correlation_uid: string | undefined;
  readonly event_code: string;
  readonly log_name: string;
  readonly product: Product;
  readonly profiles: readonly string[] | undefined;
  readonly tenant_uid: string;
  readonly uid: string;
  readonly version: string;
}

export interface Product {
  readonly name: string;
  readonly vendor_name: string;
  readonly version: string | undefined;
}

export interface Resource {
  readonly role_id: number | undefined;
  readonly type: string;
  readonly uid: string;
}

export interface Service {
  readonly name: string;
}

export interface Session {
  readonly created_time: number | undefined;
  readonly credential_uid: string | undefined;
  readonly expiration_reason: string | undefined;
  readonly expiration_time: number | undefined;
  readonly uid: string | undefined;
}

export interface User {
  readonly name: string | undefined;
  readonly org: { readonly uid: string };
  readonly programmatic_credentials: readonly { readonly type: string; readonly uid: string }[] | undefined;
  readonly type: string | undefined;
  readonly type_id: number | undefined;
  readonly uid: string;
}
