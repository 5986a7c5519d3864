import type { EventFacts } from './event-facts.ts';

/** What is looked for: every member that is given must hold. */
export interface EventFilter {
  /** Object id of whoever acted, on whose account, or whom it concerned. */
  readonly person?: string | undefined;
  /** A scope; what is beneath it is found too. */
  readonly resource?: string | undefined;
  /** An operation, or the beginning of some: `Microsoft.Storage/*`, `role-assignment.*`. */
  readonly action?: string | undefined;
  readonly decision?: 'allow' | 'deny' | undefined;
  /** `roleAssignment:<id>`, or the bare id. */
  readonly policy?: string | undefined;
  /** Object id of a job's principal. */
  readonly job?: string | undefined;
  readonly session?: string | undefined;
  /** A request id, or the id (`uti`) of a token. */
  readonly correlation?: string | undefined;
  /** Ids of any kind: what belongs to one of them. */
  readonly ids?: readonly string[] | undefined;
  /** Milliseconds since the epoch: not before. */
  readonly since?: number | undefined;
  /** Milliseconds since the epoch: before. */
  readonly until?: number | undefined;
}

/** Scopes are looked up by as many of their segments; the rest is compared. */
const indexedDepth = 24;

/** The words of an event in the index: a letter for what it is, then the value. Every one of them once. */
export function termsOf(facts: EventFacts): string[] {
  const terms = new Set<string>();
  const add = (letter: string, values: readonly string[]): void => {
    for (const value of values) terms.add(letter + value);
  };
  add('p', facts.persons);
  for (const scope of facts.resources) add('r', pathsTo(scope));
  for (const action of facts.actions) add('a', patternsOf(action));
  if (facts.decision !== null) terms.add(`d${facts.decision}`);
  add('y', facts.policies);
  add('j', facts.jobs);
  add('s', facts.sessions);
  add('l', facts.leases);
  add('x', facts.decisions);
  add('c', facts.correlations);
  if (facts.eventId !== '') terms.add(`e${facts.eventId}`);
  return [...terms];
}

/** Which words an event that the filter lets pass must have: one of each list. */
export function clausesOf(filter: EventFilter): string[][] {
  const { person, resource, action, decision, policy, job, session, correlation, ids } = filter;
  const clauses: string[][] = [];
  const add = (letter: string, value: string | undefined): void => {
    if (value !== undefined) clauses.push([letter + value]);
  };
  add('p', person?.toLowerCase());
  const scope = scopeOf(resource);
  if (scope !== null) add('r', pathsTo(scope).at(-1));
  add('a', actionOf(action) ?? undefined);
  add('d', decision);
  add('y', policy?.toLowerCase());
  add('j', job?.toLowerCase());
  add('s', session);
  add('c', correlation);
  if (ids !== undefined) clauses.push(ids.flatMap(termsOfAnyId));
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
    (wantedAction === null || facts.actions.some((one) => actionMatches(one, wantedAction))) &&
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
    [facts.sessions, facts.leases, facts.decisions, facts.correlations].some((ids) => ids.includes(id)) ||
    [facts.persons, facts.policies, facts.jobs].some((ids) => ids.includes(lower))
  );
}

function termsOfAnyId(id: string): string[] {
  const lower = id.toLowerCase();
  return [
    ...['e', 's', 'l', 'x', 'c'].map((letter) => letter + id),
    ...['p', 'y', 'j'].map((letter) => letter + lower),
  ];
}

/** In lower case, without a slash at the end; null for the root, beneath which everything is. */
function scopeOf(resource: string | undefined): string | null {
  const scope = resource?.toLowerCase().replace(/\/+$/, '') ?? '';
  return scope === '' ? null : scope;
}

/** Null for `*`, which is everything. */
function actionOf(action: string | undefined): string | null {
  return action === undefined || action === '*' ? null : action.toLowerCase();
}

function actionMatches(action: string, wanted: string): boolean {
  return wanted.endsWith('*') ? action.startsWith(wanted.slice(0, -1)) : action === wanted;
}

/** Every scope above it and itself, cut at the slashes, to the depth of the index. */
function pathsTo(scope: string): string[] {
  const paths: string[] = [];
  for (
    let at = scope.indexOf('/', 1);
    at >= 0 && paths.length < indexedDepth - 1;
    at = scope.indexOf('/', at + 1)
  ) {
    paths.push(scope.slice(0, at));
  }
  if (paths.length < indexedDepth - 1) paths.push(scope);
  else {
    const end = scope.indexOf('/', (paths.at(-1)?.length ?? 0) + 1);
    paths.push(end < 0 ? scope : scope.slice(0, end));
  }
  return paths;
}

/** Parts of an action that are looked up by its beginning. */
const indexedParts = 16;

/** The action itself, and every `…*` that covers it. */
function patternsOf(action: string): string[] {
  const patterns = [action];
  for (let at = 0; at < action.length && patterns.length <= indexedParts; at++) {
    const unit = action[at];
    if (unit === '/' || unit === '.') patterns.push(`${action.slice(0, at + 1)}*`);
  }
  return patterns;
}
