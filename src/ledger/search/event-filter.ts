import { isOpaqueId } from '../catalogue/correlation.ts';
import type { RequestFact } from '../events.ts';
import type { EventFacts } from './event-facts.ts';
import { pathEnds, sealedCorrelation } from './event-keys.ts';

/** What is looked for: every member that is given must hold. */
export interface EventFilter {
  /** Object id of whoever acted, on whose account, or whom it concerned. */
  readonly person?: string | undefined;
  /** A scope; what is beneath it is found too. */
  readonly resource?: string | undefined;
  /** An operation or a kind of event, or the beginning of some: `Microsoft.Storage/*`, `role-assignment.*`, `request.ended`. */
  readonly action?: string | undefined;
  readonly decision?: 'allow' | 'deny' | undefined;
  /** `roleAssignment:<id>`, or the bare id. */
  readonly policy?: string | undefined;
  /** Object id of a job's principal. */
  readonly job?: string | undefined;
  readonly session?: string | undefined;
  /** A request id, the id (`uti`) of a token, or what the caller said that it belongs to. */
  readonly correlation?: string | undefined;
  /** Ids of any kind: what belongs to one of them. */
  readonly ids?: readonly string[] | undefined;
  /** Milliseconds since the epoch: not before. */
  readonly since?: number | undefined;
  /** Milliseconds since the epoch: before. */
  readonly until?: number | undefined;
}

/** Nearly every event is of one of these: no index would shorten the way to them, and none holds them. */
const kindsOfRequests: readonly RequestFact['kind'][] = [
  'request.decided',
  'request.listed',
  'request.ended',
  'requests.ended',
];

/** Of every clause an event that the filter lets pass has one of the words, or is one of the ids. */
export interface Clause {
  readonly words: readonly string[];
  /** Ids of events and decisions. */
  readonly ids: readonly string[];
}

export function clausesOf(filter: EventFilter): Clause[] {
  const { person, policy, job, session, correlation, decision, ids } = filter;
  const clauses: Clause[] = [];
  const add = (letter: string, value: string | undefined): void => {
    if (value !== undefined) clauses.push({ words: [letter + value], ids: [] });
  };
  const scope = scopeOf(filter.resource);
  if (scope !== null) add('r', scope.slice(0, pathEnds(scope).at(-1)));
  const action = actionOf(filter.action);
  if (action === null || !kindsOfRequests.some((kind) => actionMatches(kind, action))) {
    // `x/*` is looked up as what begins with `x/`, which no action itself ends in.
    add('a', action?.replace(/\*$/, ''));
  }
  add('d', decision);
  add('p', person?.toLowerCase());
  add('y', policy?.toLowerCase());
  add('j', job?.toLowerCase());
  add('s', session);
  if (correlation !== undefined) clauses.push({ words: wordsOfCorrelation(correlation), ids: [] });
  if (ids !== undefined) clauses.push({ words: ids.flatMap(wordsOfAnyId), ids });
  return clauses;
}

/** Whether an event is what is looked for. */
export function matches(filter: EventFilter, facts: EventFacts, time: number): boolean {
  const { person, resource, action, decision, policy, job, session, correlation, ids, since, until } = filter;
  const has = (values: readonly string[], wanted: string | undefined): boolean =>
    wanted === undefined || values.includes(wanted);
  const scope = scopeOf(resource);
  const wantedAction = actionOf(action);
  return (
    (since === undefined || time >= since) &&
    (until === undefined || time < until) &&
    (decision === undefined || facts.decision === decision) &&
    has(facts.persons, person?.toLowerCase()) &&
    (scope === null || facts.resources.some((one) => one === scope || one.startsWith(`${scope}/`))) &&
    (wantedAction === null ||
      [facts.kind, ...facts.actions].some((one) => actionMatches(one, wantedAction))) &&
    has(facts.policies, policy?.toLowerCase()) &&
    has(facts.jobs, job?.toLowerCase()) &&
    has(facts.sessions, session) &&
    has(facts.correlations, correlation) &&
    (ids === undefined || ids.some((id) => belongs(facts, id)))
  );
}

/** The forms in which `action` may be asked for: itself, or the beginning of one with `*` after a `/` or a `.`. */
export const actionForm = /^(?:\*|[\w-]+(?:[./][\w$-]+){0,15}(?:[./]\*)?)$/;

function belongs(facts: EventFacts, id: string): boolean {
  const lower = id.toLowerCase();
  return (
    facts.eventId === id ||
    [facts.sessions, facts.leases, facts.decisions, facts.outcomes, facts.correlations].some((ids) =>
      ids.includes(id),
    ) ||
    [facts.persons, facts.policies, facts.jobs].some((ids) => ids.includes(lower))
  );
}

/** What an id may be, by its form; those of events and decisions are looked up as such, and a decision where its outcome is told among others. */
function wordsOfAnyId(id: string): string[] {
  const lower = id.toLowerCase();
  if (id.startsWith('evt_')) return [];
  if (id.startsWith('dec_')) return [`o${id}`];
  if (id.startsWith('req_')) return [`c${id}`];
  if (id.startsWith('ses_')) return [`s${id}`];
  if (id.startsWith('lea_')) return [`l${id}`];
  return [...wordsOfCorrelation(id), ...['p', 'y', 'j'].map((letter) => letter + lower)];
}

function wordsOfCorrelation(id: string): string[] {
  return isOpaqueId(id) ? [`c${id}`] : [`c${id}`, sealedCorrelation];
}

/** Whether what events bind and do not hold may be what is looked for. */
export function asksForSealed({ correlation, ids = [] }: EventFilter): boolean {
  return [correlation, ...ids].some((id) => id !== undefined && !isOpaqueId(id));
}

/** In lower case, without a slash at the end; null for the root, beneath which everything is. */
function scopeOf(resource: string | undefined): string | null {
  let scope = resource?.toLowerCase() ?? '';
  // Not by a pattern, which is tried again from every slash.
  while (scope.endsWith('/')) scope = scope.slice(0, -1);
  return scope === '' ? null : scope;
}

/** These are told apart by what was done, `lifecycle.start`: the kind alone is all of them. */
const kindsWithActivities: readonly string[] = ['authentication', 'lifecycle'];

/** Null for `*`, which is everything. */
function actionOf(action: string | undefined): string | null {
  if (action === undefined || action === '*') return null;
  const wanted = action.toLowerCase();
  return kindsWithActivities.includes(wanted) ? `${wanted}.*` : wanted;
}

function actionMatches(action: string, wanted: string): boolean {
  return wanted.endsWith('*') ? action.startsWith(wanted.slice(0, -1)) : action === wanted;
}
