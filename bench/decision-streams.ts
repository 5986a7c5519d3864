import type { PrincipalId } from '../src/lib/ids.ts';
import type { Access } from '../src/policy/types.ts';
import { fresh, generator } from './decision-names.ts';
import type { Workload } from './decision-workload.ts';

export interface Question {
  readonly principal: PrincipalId;
  readonly access: Access;
}

/** Questions as positions in the workload's users, actions and scopes: a million of them are twelve megabytes. */
export interface Stream {
  readonly length: number;
  readonly users: Int32Array;
  readonly actions: Int32Array;
  readonly scopes: Int32Array;
}

/** Uniform: any user, any action; half of them where the user or one of its groups holds something. */
export function uniformStream(workload: Workload, length: number, seed = 7): Stream {
  const random = generator(seed);
  return fill(workload, length, random, () => Math.floor(random() * workload.users.length));
}

/** Other questions of the same kind: everybody asks about the same scopes, but each about another action. */
export function shifted(stream: Stream, by: number): Stream {
  const { length } = stream;
  return { ...stream, actions: stream.actions.map((_, i) => stream.actions[(i + by) % length]!) };
}

/** Skewed: a few users ask most of the time (log-uniform by rank), otherwise as the uniform one. */
export function skewedStream(workload: Workload, length: number, seed = 8): Stream {
  const random = generator(seed);
  const { length: count } = workload.users;
  return fill(workload, length, random, () => Math.floor(count ** random()) % count);
}

/** Repeat: 20,000 distinct questions, a few of them most of the time. */
export function repeatStream(workload: Workload, length: number, seed = 9): Stream {
  const distinct = skewedStream(workload, 20_000, seed);
  const random = generator(seed + 1);
  return select(distinct, length, () => Math.floor(distinct.length ** random()) % distinct.length);
}

export function questionAt({ users, actions, scopes }: Workload, stream: Stream, i: number): Question {
  return {
    principal: users[stream.users[i]!]!,
    access: { action: actions[stream.actions[i]!]!, dataAction: false, scope: scopes[stream.scopes[i]!]! },
  };
}

export function questionsOf(workload: Workload, stream: Stream, from: number, to: number): Question[] {
  return Array.from({ length: to - from }, (_, i) => questionAt(workload, stream, from + i));
}

/** The question in strings that were made just now, as a parser makes them. */
export function parsed({ principal, access }: Question): Question {
  return {
    principal: fresh(principal) as PrincipalId,
    access: { action: fresh(access.action), dataAction: access.dataAction, scope: fresh(access.scope) },
  };
}

function fill(workload: Workload, length: number, random: () => number, user: () => number): Stream {
  const { actions, scopes, levelStarts } = workload;
  const holdings = holdingsOf(workload);
  const stream = empty(length);
  for (let i = 0; i < length; i++) {
    const asker = user();
    stream.users[i] = asker;
    stream.actions[i] = Math.floor(random() * actions.length);
    const held = random() < 0.5 ? holdings(asker, random) : -1;
    const level = 2 + Math.floor(random() * 4);
    const from = levelStarts[level]!;
    stream.scopes[i] =
      held >= 0 ? held : from + Math.floor(random() * ((levelStarts[level + 1] ?? scopes.length) - from));
  }
  return stream;
}

/** A scope at which the user, or a group some way up from it, holds an assignment; -1 where that one holds none. */
function holdingsOf({ rows, users, scopes }: Workload): (user: number, random: () => number) => number {
  const scopeIndex = new Map(scopes.map((scope, i) => [scope, i]));
  const held = new Map<PrincipalId, number[]>();
  for (const { principalId, scope } of rows.roleAssignments) push(held, principalId, scopeIndex.get(scope)!);
  const parents = new Map<PrincipalId, PrincipalId[]>();
  for (const { group, member } of rows.memberships) push(parents, member, group);
  return (user, random) => {
    let holder = users[user]!;
    for (let above = parents.get(holder); above && random() < 0.7; above = parents.get(holder)) {
      holder = above[Math.floor(random() * above.length)]!;
    }
    const own = held.get(holder);
    return own === undefined ? -1 : own[Math.floor(random() * own.length)]!;
  };
}

function select(from: Stream, length: number, which: () => number): Stream {
  const stream = empty(length);
  for (let i = 0; i < length; i++) {
    const at = which();
    stream.users[i] = from.users[at]!;
    stream.actions[i] = from.actions[at]!;
    stream.scopes[i] = from.scopes[at]!;
  }
  return stream;
}

function empty(length: number): Stream {
  return {
    length,
    users: new Int32Array(length),
    actions: new Int32Array(length),
    scopes: new Int32Array(length),
  };
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
