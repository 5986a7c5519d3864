/** What an event can be found by. Everything that is compared without case is in lower case. */
export interface EventFacts {
  readonly eventId: string;
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
  readonly decisions: readonly string[];
  /** Request ids and token ids (`uti`), with case. */
  readonly correlations: readonly string[];
}

type Members = Readonly<Record<string, unknown>>;

/** Reads what an event can be found by out of its entry; what is not there, or not in the known form, is left out. */
export function eventFacts(event: unknown): EventFacts {
  const root = membersOf(event);
  const metadata = membersOf(root['metadata']);
  const facts = membersOf(membersOf(root['unmapped'])['lockstep']);
  const change = membersOf(facts['change']);
  const kind = textOf(change['kind']) ?? '';
  const principal = membersOf(change['principal']);
  const lease = membersOf(change['lease']);
  const session = membersOf(change['session']);
  const assignment = membersOf(change['assignment']);
  const definition = membersOf(change['definition']);
  const chain = listOf(facts['chain']).map(membersOf);
  const own = kind === '' ? {} : { [kind.slice(0, kind.indexOf('.'))]: change['id'] };
  return {
    eventId: textOf(metadata['uid']) ?? '',
    persons: lowered([
      ...chain.map((link) => link['id']),
      facts['principalId'],
      facts['decidedFor'],
      change['principal'],
      principal['id'],
      own['principal'],
      change['group'],
      change['member'],
      change['job'],
      session['principalId'],
      lease['jobId'],
      lease['ownerId'],
      lease['submitterId'],
      assignment['principalId'],
      ...listOf(assignment['principals']),
    ]),
    resources: lowered([
      facts['scope'],
      change['scope'],
      change['resourceId'],
      own['resource'],
      lease['jobScope'],
      assignment['scope'],
      membersOf(change['placement'])['scope'],
    ]).filter((scope) => scope.startsWith('/')),
    actions: lowered([
      facts['operation'],
      facts['action'],
      ...actionsOf(facts, kind, metadata['event_code']),
    ]),
    decision: typeof facts['allowed'] === 'boolean' ? (facts['allowed'] ? 'allow' : 'deny') : null,
    policies: policiesOf(
      facts['policyId'],
      kind,
      assignment['id'],
      definition['id'] ?? own['role-definition'],
    ),
    jobs: lowered([
      ...chain.filter((link) => link['kind'] === 'job').map((link) => link['id']),
      change['job'],
      lease['jobId'],
      principal['kind'] === 'job' ? principal['id'] : null,
      change['principalKind'] === 'job' ? change['id'] : null,
    ]),
    sessions: texts([facts['sessionId'], session['id']]),
    leases: texts([facts['leaseId'], lease['id']]),
    decisions: texts([facts['decisionId']]),
    correlations: texts([
      metadata['correlation_uid'],
      facts['requestId'],
      facts['correlationId'],
      facts['clientRequestId'],
      facts['uti'],
      facts['tokenId'],
      facts['issuedTokenId'],
      change['tokenId'],
    ]),
  };
}

function actionsOf(facts: Members, changeKind: string, eventCode: unknown): string[] {
  if (changeKind !== '') return [changeKind];
  const code = textOf(eventCode) ?? '';
  const activity = textOf(facts['activity']);
  if (activity !== null) return [`${code}.${activity}`];
  return code.startsWith('request.') ? [] : [code];
}

const changedPolicies: Readonly<Record<string, string>> = {
  'role-assignment': 'roleassignment',
  'deny-assignment': 'denyassignment',
};

function policiesOf(policyId: unknown, kind: string, assignmentId: unknown, definitionId: unknown): string[] {
  const decidedBy = textOf(policyId)?.toLowerCase() ?? null;
  const changed = textOf(assignmentId)?.toLowerCase() ?? null;
  const prefix = changedPolicies[kind.slice(0, kind.indexOf('.'))];
  return lowered([
    decidedBy,
    decidedBy === null ? null : decidedBy.slice(decidedBy.indexOf(':') + 1),
    changed,
    changed === null || prefix === undefined ? null : `${prefix}:${changed}`,
    definitionId,
  ]);
}

function lowered(values: readonly unknown[]): string[] {
  return texts(values.map((value) => (typeof value === 'string' ? value.toLowerCase() : null)));
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
