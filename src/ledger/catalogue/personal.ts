import type { ActorRef, Change, ChangeKind } from '../../store/changes.ts';
import type { Fact } from '../events.ts';
import { correlationPlace, isOpaqueId } from './correlation.ts';
import { actingLink, contextUser } from './ocsf.ts';
import { httpMethods } from './requests.ts';

/** A member of the event. */
export interface Place {
  /** From the event inwards: what holds it. */
  readonly steps: readonly string[];
  readonly member: string;
  /** RFC 6901. */
  readonly pointer: string;
}

/**
 * A value that tells of a person, or that a person has typed: the log binds it and does not hold it. The same value may
 * stand in several places.
 */
export interface Personal {
  /** By whose wish it goes: an object id; an address that stands in a text; else the id of what the text describes. */
  readonly subject: Subject;
  readonly at: readonly Place[];
}

export type Subject = { readonly id: string } | { readonly address: string };

export function place(pointer: string): Place {
  const steps = pointer.slice(1).split('/');
  return { steps: steps.slice(0, -1), member: steps.at(-1) ?? '', pointer };
}

/** Of the names in a chain of usual length. */
function placesOfChain(holder: string): Place[] {
  return Array.from({ length: 8 }, (_, i) => placeInChain(holder, i));
}

function placeInChain(holder: string, i: number): Place {
  return place(`${holder}/chain/${i}/name`);
}

const own = '/unmapped/lockstep';
const changed = `${own}/change`;
const places = {
  ownAddress: place(`${own}/sourceAddress`),
  address: place('/src_endpoint/ip'),
  userAgent: place('/http_request/user_agent'),
  url: place('/http_request/url'),
  ownName: place(`${own}/principalName`),
  userName: place('/user/name'),
  actorName: place('/actor/user/name'),
  appName: place('/actor/app_name'),
  groupName: place('/group/name'),
  entityName: place('/entity/name'),
  policyName: place('/entity/policy/name'),
  correlation: place(correlationPlace),
  detail: place(`${own}/detail`),
  method: place(`${own}/method`),
} as const;
const ofChain = placesOfChain(own);
/** In a change. */
const inChange = {
  assignmentDescription: place(`${changed}/assignment/description`),
  assignmentName: place(`${changed}/assignment/name`),
  definitionDescription: place(`${changed}/definition/description`),
  errorMessage: place(`${changed}/detail/errorMessage`),
  hint: place(`${changed}/credential/hint`),
  placementName: place(`${changed}/placement/displayName`),
  principalName: place(`${changed}/principal/displayName`),
  requestReason: place(`${changed}/request/reason`),
  signInName: place(`${changed}/principal/signInName`),
} as const;
const ofLeaseChain = placesOfChain(`${changed}/lease`);
const address = [places.ownAddress, places.address] as const;
const userAgent = [places.userAgent] as const;

/**
 * What of an event is personal. Never the ids, scopes, roles, conditions and attributes that decisions rest on: those the
 * log holds for good, so that every decision can be made again.
 */
export function personalIn(fact: Fact): Personal[] {
  const by = fact.attribution;
  const subject = { id: ownerOf(fact) };
  const personal = namesIn(fact);
  if (by.sourceAddress !== null) {
    personal.push({ subject, at: address });
  }
  if (by.correlationId !== null && !isOpaqueId(by.correlationId)) {
    personal.push({ subject: subjectOfText(by.correlationId, subject), at: [places.correlation] });
  }
  if (fact.kind === 'change') personal.push(...ofChange(fact.change));
  if (fact.kind === 'request.decided') {
    if (!httpMethods.has(fact.method)) personal.push({ subject, at: [places.method] });
    if (fact.userAgent !== null) personal.push({ subject, at: userAgent });
    // Decisions rest on the scope: where the path says more than that, it is what somebody has typed.
    if (fact.path.toLowerCase() !== fact.scope) {
      personal.push({ subject: subjectOfText(fact.path, subject), at: [places.url] });
    }
  }
  if (fact.kind === 'authentication') {
    const { principalName: name, principalId: id, detail } = fact;
    // What was typed of somebody who is not known, and what is said of it, is under the address in it.
    const whose =
      id === null ? subjectOfText([name ?? '', ...Object.values(detail)].join(' '), subject) : subject;
    if (name !== null) personal.push({ subject: whose, at: [places.ownName, places.userName] });
    if (Object.keys(detail).length > 0) personal.push({ subject: whose, at: [places.detail] });
  }
  return personal;
}

/** By whose wish a text goes: under the address in it, else with whoever wrote it. */
function subjectOfText(text: string, writer: Subject): Subject {
  const address = addressIn(text);
  return address === null ? writer : { address };
}

/** Whose connection it is: that of whoever signs in, else of the person on whose account something acts. */
function ownerOf(fact: Fact): string {
  const signedIn = fact.kind === 'authentication' ? fact.principalId : null;
  return signedIn ?? contextUser(fact.attribution.chain).id;
}

/** Each link's own; the names of what is not a principal are no names. */
function namesIn(fact: Fact): Personal[] {
  const { chain } = fact.attribution;
  const acting = actingLink(chain);
  const context = contextUser(chain);
  // Of a sign-in that nobody is known for, the event's user is whoever acts.
  const isUser = fact.kind === 'authentication' && fact.principalId === null;
  const names: Personal[] = [];
  for (const [i, link] of chain.entries()) {
    if (!hasName(link)) continue;
    const at = [ofChain[i] ?? placeInChain(own, i)];
    if (link === context) at.push(places.actorName);
    else if (link === acting) at.push(places.appName);
    if (link === acting && isUser) at.push(places.userName);
    names.push({ subject: { id: link.id }, at });
  }
  return names;
}

function hasName({ kind }: ActorRef): boolean {
  return kind !== 'system' && kind !== 'anonymous';
}

type Rows = {
  readonly [Kind in ChangeKind]: ((change: Extract<Change, { kind: Kind }>) => Personal[]) | null;
};

/** What of each kind of change is personal; null: nothing. A kind without a row does not compile. */
const rows: Rows = {
  'principal.created': ofPrincipal,
  'principal.updated': ofPrincipal,
  'principal.deleted': null,
  'group.member-added': null,
  'group.member-removed': null,
  'credential.added': ofCredential,
  'credential.removed': ofCredential,
  // What a role is called is how decisions are read; what is written about it is not.
  'role-definition.put': ({ definition }) => [text(definition.id, inChange.definitionDescription)],
  'role-definition.deleted': null,
  'role-assignment.put': ofAssignment,
  'role-assignment.deleted': ofAssignment,
  'deny-assignment.put': ofDenial,
  'deny-assignment.deleted': ofDenial,
  'scope.placed': ({ placement }) => [text(placement.scope, inChange.placementName, places.entityName)],
  'scope.removed': null,
  'session.opened': null,
  'session.closed': null,
  'token.revoked': null,
  'assertion.used': null,
  'lease.opened': ofLease,
  'lease.started': ofLease,
  'lease.ended': ofLease,
  'signing-key.added': null,
  'signing-key.retired': null,
  'resource.put': null,
  'resource.deleted': null,
  'job.status': ({ job }) => [text(job, inChange.errorMessage)],
  'container.created': null,
  'container.deleted': null,
  'blob.written': null,
  'blob.deleted': null,
  'configuration.changed': null,
  'access-request.opened': ({ request }) => [text(request.principalId, inChange.requestReason)],
  'access-request.closed': null,
  'person.erased': null,
  'ledger-key.announced': null,
  'ledger-key.began': null,
  'ledger-key.ended': null,
};

function ofChange(change: Change): Personal[] {
  // The row is the one of this very kind, which the compiler cannot follow through the index.
  const row = rows[change.kind] as ((change: Change) => Personal[]) | null;
  return row === null ? [] : row(change);
}

function ofPrincipal({
  principal: { id, kind },
}: Extract<Change, { kind: 'principal.created' | 'principal.updated' }>): Personal[] {
  const name = text(id, inChange.principalName, kind === 'group' ? places.groupName : places.userName);
  // That of a workload is its client id.
  return kind === 'user' ? [name, text(id, inChange.signInName)] : [name];
}

function ofCredential({
  principal,
}: Extract<Change, { kind: 'credential.added' | 'credential.removed' }>): Personal[] {
  return [text(principal, inChange.hint)];
}

function ofAssignment({
  assignment,
}: Extract<Change, { kind: 'role-assignment.put' | 'role-assignment.deleted' }>): Personal[] {
  return [text(assignment.principalId, inChange.assignmentDescription)];
}

function ofDenial({
  assignment: { id },
}: Extract<Change, { kind: 'deny-assignment.put' | 'deny-assignment.deleted' }>): Personal[] {
  return [
    text(id, inChange.assignmentName, places.entityName, places.policyName),
    text(id, inChange.assignmentDescription),
  ];
}

function ofLease({
  lease,
}: Extract<Change, { kind: 'lease.opened' | 'lease.started' | 'lease.ended' }>): Personal[] {
  return lease.chain.flatMap((link, i) =>
    hasName(link) ? [text(link.id, ofLeaseChain[i] ?? placeInChain(`${changed}/lease`, i))] : [],
  );
}

/** In the change, and wherever OCSF says it again. */
function text(id: string, ...at: readonly Place[]): Personal {
  return { subject: { id }, at };
}

/** What Entra ID admits in a user principal name, before the `@` and after it. */
const localPart = /[A-Za-z0-9'._!#^~+-]+$/;
const domain = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,46}[A-Za-z0-9])?/;
const mostLocal = 64;
const mostDomain = 48;

/**
 * The first that looks like somebody's address, as it is found again: Graph names people so in its paths. Of one that no
 * user principal name is, the part around the `@` that could be of one.
 */
function addressIn(value: string): string | null {
  const text = unescaped(value);
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const local = localPart.exec(text.slice(Math.max(0, at - mostLocal - 1), at));
    const host = domain.exec(text.slice(at + 1, at + 1 + mostDomain));
    if (local === null || host === null) continue;
    // OData puts a quote before a key, and doubles those within: `users('o''brien@example.org')`.
    return `${local[0].replace(/^'+/, '').replaceAll("''", "'")}@${host[0]}`.toLowerCase();
  }
  return null;
}

/** How the key of an address is called, however it was written where it stood. */
export function addressKey(address: string): string {
  return addressIn(address) ?? address.trim().toLowerCase();
}

/** Escapes read, so far as addresses are written in them; escaped ones too. What is malformed hides nothing. */
function unescaped(value: string): string {
  if (!value.includes('%')) return value;
  let text = value;
  for (let i = 0; i < 4 && text.includes('%'); i++)
    text = text.replaceAll(/%([0-7][0-9a-f])/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
  return text.replaceAll(/(?:%[89a-f][0-9a-f])+/gi, '\u{fffd}');
}
