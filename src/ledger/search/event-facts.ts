import { correlationPlace } from '../catalogue/correlation.ts';
import { eventIn } from '../verify/disclose.ts';

/** What an event can be found by. Everything that is compared without case is in lower case. */
export interface EventFacts {
  readonly eventId: string;
  /** The kind of event, such as `request.ended`. */
  readonly kind: string;
  /** Whoever acted, on whose account, and whom it concerned: object ids. */
  readonly persons: readonly string[];
  /** Scopes that it happened at or was about. */
  readonly resources: readonly string[];
  /** Operations; of a change its kind, of a sign-in `authentication.sign-in`. */
  readonly actions: readonly string[];
  readonly decision: 'allow' | 'deny' | null;
  /** The policy that decided or that was changed, as `roleAssignment:<id>` and as the bare id. */
  readonly policies: readonly string[];
  readonly jobs: readonly string[];
  readonly sessions: readonly string[];
  readonly leases: readonly string[];
  /** Its own, and that of whoever cut it. */
  readonly decisions: readonly string[];
  /** Those that it tells of and does not come of: of the reads whose ends share this record, and of whoever cut it. */
  readonly outcomes: readonly string[];
  /** Request ids and token ids (`uti`), with case, and what callers say that it belongs to. */
  readonly correlations: readonly string[];
  /** The caller has said something that the event binds and does not hold: it is known only when the event is told. */
  readonly isCorrelationSealed: boolean;
}

type Members = Readonly<Record<string, unknown>>;

/** The same of an entry as it is stored; null for one that is no event. */
export function factsIn(entry: Uint8Array): EventFacts | null {
  const event = eventIn(entry);
  return event === null ? null : eventFacts(event);
}

/** Reads what an event can be found by out of its entry; what is not there, or not in the known form, is left out. */
export function eventFacts(event: unknown): EventFacts {
  const root = membersOf(event);
  const metadata = membersOf(root['metadata']);
  const facts = membersOf(membersOf(root['unmapped'])['lockstep']);
  const change = facts['change'] === undefined ? null : changeFacts(membersOf(facts['change']));
  const cutBy = membersOf(facts['cutBy']);
  const persons: unknown[] = [facts['principalId'], facts['decidedFor'], cutBy['principalId']];
  const jobs: unknown[] = [];
  for (const one of listOf(facts['chain'])) {
    const { kind, id } = membersOf(one);
    persons.push(id);
    if (kind === 'job') jobs.push(id);
  }
  const policyId = textOf(facts['policyId'])?.toLowerCase() ?? null;
  return {
    eventId: textOf(metadata['uid']) ?? '',
    kind: textOf(metadata['event_code']) ?? '',
    persons: lowered(persons, change?.persons),
    resources: lowered([facts['scope']], change?.resources).filter((scope) => scope.startsWith('/')),
    actions: lowered(
      [facts['operation'], facts['action']],
      change === null ? [ownAction(facts, metadata['event_code'])] : [change.kind],
    ),
    decision: typeof facts['allowed'] === 'boolean' ? (facts['allowed'] ? 'allow' : 'deny') : null,
    policies: lowered([policyId, policyId?.slice(policyId.indexOf(':') + 1)], change?.policies),
    jobs: lowered(jobs, change?.jobs),
    sessions: texts([facts['sessionId'], change?.session]),
    leases: texts([facts['leaseId'], change?.lease]),
    decisions: texts([facts['decisionId'], cutBy['decisionId']]),
    outcomes: texts([
      ...listOf(facts['outcomes']).map((one) => membersOf(one)['decisionId']),
      cutBy['decisionId'],
    ]),
    correlations: texts([
      metadata['correlation_uid'],
      facts['requestId'],
      facts['correlationId'],
      facts['clientRequestId'],
      facts['uti'],
      facts['tokenId'],
      facts['issuedTokenId'],
      change?.token,
    ]),
    isCorrelationSealed: listOf(facts['sealed']).some((one) =>
      listOf(membersOf(one)['at']).includes(correlationPlace),
    ),
  };
}

interface ChangeFacts {
  readonly kind: string;
  readonly persons: readonly unknown[];
  readonly resources: readonly unknown[];
  readonly policies: readonly unknown[];
  readonly jobs: readonly unknown[];
  readonly session: unknown;
  readonly lease: unknown;
  readonly token: unknown;
}

/** The same of a recorded change: whom and what it is about. */
function changeFacts(change: Members): ChangeFacts {
  const kind = textOf(change['kind']) ?? '';
  const about = kind.slice(0, kind.indexOf('.'));
  const principal = membersOf(change['principal']);
  const lease = membersOf(change['lease']);
  const session = membersOf(change['session']);
  const assignment = membersOf(change['assignment']);
  const assignmentId = textOf(assignment['id']);
  const definition = membersOf(change['definition']);
  const request = membersOf(change['request']);
  return {
    kind,
    persons: [
      change['principal'],
      change['person'],
      principal['id'],
      about === 'principal' ? change['id'] : null,
      change['group'],
      change['member'],
      change['job'],
      session['principalId'],
      lease['jobId'],
      lease['ownerId'],
      lease['submitterId'],
      assignment['principalId'],
      request['principalId'],
      ...listOf(assignment['principals']),
    ],
    resources: [
      change['scope'],
      change['resourceId'],
      about === 'resource' ? change['id'] : null,
      lease['jobScope'],
      assignment['scope'],
      request['scope'],
      membersOf(change['placement'])['scope'],
    ],
    policies: [
      assignmentId ?? change['assignmentId'],
      assignmentId === null ? null : `${about.replace('-', '')}:${assignmentId}`,
      about === 'role-definition' ? (definition['id'] ?? change['id']) : null,
    ],
    jobs: [
      change['job'],
      lease['jobId'],
      principal['kind'] === 'job' ? principal['id'] : null,
      change['principalKind'] === 'job' ? change['id'] : null,
    ],
    session: session['id'],
    lease: lease['id'],
    token: change['tokenId'],
  };
}

/** Of what is neither a change nor a request: `authentication.sign-in`, `lifecycle.start`. */
function ownAction(facts: Members, eventCode: unknown): string | null {
  const code = textOf(eventCode) ?? '';
  if (code.startsWith('request.') || code.startsWith('requests.')) return null;
  const activity = textOf(facts['activity']);
  return activity === null ? code : `${code}.${activity}`;
}

/** Those that are texts, in lower case, each once. */
function lowered(values: readonly unknown[], more: readonly unknown[] = []): string[] {
  const out: string[] = [];
  for (const list of [values, more]) {
    for (const value of list) {
      const text = typeof value === 'string' ? value.toLowerCase() : '';
      if (text !== '' && !out.includes(text)) out.push(text);
    }
  }
  return out;
}

/** Those that are texts, each once. */
function texts(values: readonly unknown[]): string[] {
  const out: string[] = [];
  for (const value of values) {
    if (typeof value === 'string' && value !== '' && !out.includes(value)) out.push(value);
  }
  return out;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const nothing: Members = {};

function membersOf(value: unknown): Members {
  return isMembers(value) ? value : nothing;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
