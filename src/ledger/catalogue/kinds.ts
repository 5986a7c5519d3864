import type { ChangeKind } from '../../store/changes.ts';
import type { RequestFact } from '../events.ts';

/** `metadata.event_code` of an event: what it is in our own words. */
export type EventCode = ChangeKind | RequestFact['kind'];

/**
 * When each kind of event is recorded. A kind without a row does not compile; `docs/reference/events.md` is made from these
 * and from what the catalogue makes of a sample of each.
 */
export const eventKinds: { readonly [Code in EventCode]: string } = {
  'request.decided':
    'A request was decided on: allowed, or denied with its one cause. Durable before a change is carried out, and before the head of any answer leaves. Requests that were refused earlier (not HTTP, no such route, no valid credential) are decided too: denied.',
  'request.listed':
    'An answer lists things of which the caller may see some, or tells them what they could do there: one event with counts, however many were looked at. Durable before the head of the answer leaves.',
  'request.ended':
    'An allowed exchange came to its end, whatever its length: bytes in both directions, duration, status, and how it ended (`completed`, `client-gone`, `failed`, or why it was cut). A stream is one such event. Of one that was cut, `cutBy` says who did it (`principalId`) and the `decisionId` that let them, or the kind of `change` after which it could not go on and the `eventId` under which that is recorded with who made it; it is left out where neither is known, as on a replica other than the one that made the change. Of a WebSocket, `webSocket` also has its messages each way, how many of the client’s were withheld, and the code that closed it. Where the upstream was asked a second time, `sentAgain` says what became of the first.',
  'requests.ended':
    'The same of many reads of one caller that were answered within a tenth of a second: one event with the outcome of each under its decision, at the scope that all of them share or lie beneath, so that much use costs one record for each request and not two. A few are recorded each by itself.',
  authentication:
    'Somebody proved, or failed to prove, who they are: a sign-in, a token issued or refused, a token of a job renewed.',
  lifecycle:
    'The server has started, or is about to stop; or old rows were pruned; or the log is about to forget its beginning (`prune-archive`); or the clock was set (`clock-set`: by more than two seconds, noticed while running or, when it was set back, at a start).',
  'configuration.changed':
    'At a start: the configuration is another than at the start before. Names the settings that differ; digests are keyed, so that nothing can be guessed by them.',
  'access-request.opened':
    'A person asked for a role that a decision found missing: which role, where, for which action, under which decision. It grants nothing.',
  'access-request.closed':
    'A request for access ended: `granted`, with the assignment that gives the role, or `lapsed` without an answer.',
  'person.erased':
    'What the ledger knew of somebody beyond ids (names, addresses, texts) was erased: how many keys were destroyed. The log itself is as it was.',
  'principal.created': 'A user, group, application, managed identity or job came to be.',
  'principal.updated':
    'A principal was changed: renamed, given another sponsor or other security attributes, enabled or disabled.',
  'principal.deleted': 'A principal was deleted.',
  'group.member-added': 'A person, workload or group became a direct member of a group.',
  'group.member-removed': 'A direct member left a group.',
  'credential.added':
    'A principal got a password, secret, certificate, federated credential or sign-in link. Never the credential itself.',
  'credential.removed': 'A credential was removed, used up, or withdrawn.',
  'role-definition.put': 'A role definition was created or changed.',
  'role-definition.deleted': 'A role definition was deleted.',
  'role-assignment.put':
    'A role was assigned to a principal at a scope, or its description or condition changed.',
  'role-assignment.deleted': 'A role assignment was deleted.',
  'deny-assignment.put': 'A deny assignment was created or changed.',
  'deny-assignment.deleted': 'A deny assignment was deleted.',
  'scope.placed': 'A management group was created or renamed, or it or a subscription was moved.',
  'scope.removed': 'A management group was deleted.',
  'session.opened': 'A sign-in of a person began. The proof before it is an `authentication` event.',
  'session.closed':
    'A sign-in ended: signed out, lapsed, ended by its owner or because the person was disabled.',
  'token.revoked': 'A token was revoked before its time.',
  'assertion.used': 'An assertion that may be used once was used.',
  'lease.opened': 'A job was submitted: it may act for its owner once it runs.',
  'lease.started': 'A job began to run and to act on behalf of its owner.',
  'lease.ended': 'A job may no longer act: it ended, its owner lost the right, or it was cut.',
  'signing-key.added': 'A key that signs tokens or cookies was made.',
  'signing-key.retired': 'A signing key stopped signing.',
  'ledger-key.announced':
    'A new key for the log itself was made. `change.note` is signed by the key that it follows and by itself.',
  'ledger-key.began': 'A key began to sign the log; until `change.until` the one before it signs too.',
  'ledger-key.ended': 'A key signed the log for the last time, and its private half was destroyed.',
  'resource.put':
    'A resource (workspace, model, data, environment, code, endpoint, …) was created or changed.',
  'resource.deleted': 'A resource was deleted.',
  'job.status': 'A job came into another state.',
  'container.created': 'A blob container was created.',
  'container.deleted': 'A blob container was deleted.',
  'blob.written': 'A blob was written whole: its size, SHA-256 and ETag.',
  'blob.deleted': 'A blob was deleted.',
};

/** What every event has, and what each member holds. `unmapped.lockstep.` is ours. */
export const everyEvent: Readonly<Record<string, string>> = {
  time: 'When it was recorded, milliseconds since the epoch, as the clock of the server had it. Clocks are set: the index in the log is the order, `lifecycle.clock-set` says where time went another way.',
  'class_uid, class_name, category_uid': 'The OCSF class.',
  'activity_id, activity_name, type_uid':
    'What was done. `99` is one that OCSF has no number for; its name says what it is.',
  'status_id, severity_id': '`1` success, `2` failure or denial.',
  'actor.user':
    'On whose account: object id and tenant (`org.uid`). The owner of a job, or whoever acted by themselves.',
  'actor.app_uid, actor.app_name': 'What acted for them, where it was not they: the job or the application.',
  'actor.session': '`uid` is the sign-in, `credential_uid` the token that was used (`uti`).',
  'actor.authorizations':
    'Of what a policy decided: the policy with the version of the snapshot, and the decision.',
  src_endpoint: 'Where the request came from: `name` is `peer`, `ip` its address.',
  'metadata.uid': 'The id of the event.',
  'metadata.event_code': 'The kind of event, as in the table above.',
  'metadata.correlation_uid':
    'The id of the request, `x-request-id` of its answer: all of its events have it.',
  'metadata.tenant_uid': 'The tenant.',
  'metadata.log_name': 'The log in which it stands: the origin of its checkpoints.',
  'metadata.is_truncated': 'Present when text was too long for an entry and was cut.',
  'unmapped.lockstep.chain':
    'The whole chain of delegation: first the person or sponsor, then each that acts for them, last the one that acted.',
  'unmapped.lockstep.decisionId': 'The decision under which it happened: `lockstep explain` tells why.',
  'unmapped.lockstep.policyId, snapshotVersion':
    'The one policy that decided, and the revision of policy at which it did.',
  'unmapped.lockstep.requestId, sessionId, leaseId, tokenId':
    'The request, the sign-in (`sid`), the lease of a job, the token (`uti`).',
  'unmapped.lockstep.correlationId':
    'What the caller says that it belongs to (`client-request-id`, `x-ms-correlation-request-id` or `x-ms-client-request-id`): their word only. In the log it is what can be nothing but an id (a GUID, a ULID, the id of a trace); any other text is personal. Absent where they say nothing.',
  'unmapped.lockstep.sourceAddress': 'The address of the peer.',
  'unmapped.lockstep.sealed':
    'In the log: what it binds without holding it. Where events are told: what of that is not known any more.',
  'unmapped.lockstep.change, sequence, previousChange':
    'Of a change: the change itself, whole, and its place in the feed.',
};
