import { hash } from 'node:crypto';
import { canonical, isList, isMembers, type Members, type Value } from './canonical.ts';

/**
 * A value that an entry of the log does not hold but binds: whoever knows the salt can show what it was, and nobody can
 * show another. Without the salt it cannot even be tried out.
 */
export interface Commitment {
  /** Where it belongs in the event: JSON pointers (RFC 6901), one or several. */
  readonly at: readonly string[];
  /** SHA-256, base64url. */
  readonly hash: string;
}

/** Bytes of a salt. */
export const saltBytes = 16;

const purpose = 'lockstep commitment v1';

/**
 * base64url(SHA-256(JCS([purpose, event, at, salt, value]))): of one event, at its places, and no other. Null for a value
 * that has no canonical form.
 */
export function commitmentHash(
  event: string,
  at: readonly string[],
  salt: string,
  value: Value,
): string | null {
  const bound = boundText(event, at, salt, value);
  return bound === null ? null : hash('sha256', bound, 'base64url');
}

function boundText(event: string, at: readonly string[], salt: string, value: Value): string | null {
  // What is printed at once is printed faster, and nearly every value is a text.
  if (typeof value === 'string' && value.isWellFormed())
    return JSON.stringify([purpose, event, at, salt, value]);
  const text = canonical(value);
  return text === null ? null : `${JSON.stringify([purpose, event, at, salt]).slice(0, -1)},${text}]`;
}

/**
 * The values that an entry binds and does not hold, `unmapped.lockstep.sealed`; none for an event without. Null when
 * what stands there is not in form: a place twice, or one that the event has already.
 */
export function commitmentsOf(event: Members): Commitment[] | null {
  const own = memberAt(memberAt(event, 'unmapped'), 'lockstep');
  const sealed = memberAt(own, 'sealed');
  if (sealed === undefined) return [];
  if (!isList(sealed)) return null;
  const commitments: Commitment[] = [];
  const places = new Set<string>();
  for (const item of sealed) {
    const at = memberAt(item, 'at');
    const digest = memberAt(item, 'hash');
    if (!isList(at) || at.length === 0 || typeof digest !== 'string' || !/^[\w-]{43}$/.test(digest))
      return null;
    const pointers: string[] = [];
    for (const pointer of at) {
      if (typeof pointer !== 'string' || places.has(pointer) || !isVacant(event, pointer)) return null;
      places.add(pointer);
      pointers.push(pointer);
    }
    commitments.push({ at: pointers, hash: digest });
  }
  return commitments;
}

/** The event with a value put in each of its places; null where there is no such place. The event is not changed. */
export function withValue(event: Members, at: readonly string[], value: Value): Members | null {
  let result: Members = event;
  for (const pointer of at) {
    const steps = stepsOf(pointer);
    const placed = steps === null ? null : placedIn(result, steps, value);
    if (placed === null || !isMembers(placed)) return null;
    result = placed;
  }
  return result;
}

/** The event without these commitments; without the member when none is left. */
export function withCommitments(event: Members, left: readonly Commitment[]): Members {
  const unmapped = memberAt(event, 'unmapped');
  const own = memberAt(unmapped, 'lockstep');
  if (!isMembers(unmapped) || !isMembers(own)) return event;
  const { sealed: _sealed, ...rest } = own;
  const lockstep =
    left.length === 0 ? rest : { ...rest, sealed: left.map(({ at, hash: of }) => ({ at, hash: of })) };
  return { ...event, unmapped: { ...unmapped, lockstep } };
}

function memberAt(value: Value | undefined, name: string): Value | undefined {
  return isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** A place for a member that the object before it has not got. */
function isVacant(event: Members, pointer: string): boolean {
  const steps = stepsOf(pointer);
  return steps !== null && placedIn(event, steps, null) !== null;
}

/** Null for what is no pointer to a member. RFC 6901 §3–4. */
function stepsOf(pointer: string): string[] | null {
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return null;
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Copies what is on the way. Null where something on the way is missing, or the member is there already. */
function placedIn(value: Value, [step = '', ...rest]: readonly string[], what: Value): Value | null {
  if (isList(value)) {
    const index = /^(?:0|[1-9]\d{0,6})$/.test(step) ? Number(step) : -1;
    const item = value[index];
    if (item === undefined || rest.length === 0) return null;
    const placed = placedIn(item, rest, what);
    return placed === null ? null : value.with(index, placed);
  }
  if (!isMembers(value)) return null;
  const known = Object.hasOwn(value, step) ? value[step] : undefined;
  if (rest.length === 0) return known === undefined ? withMember(value, step, what) : null;
  const placed = known === undefined ? null : placedIn(known, rest, what);
  return placed === null ? null : withMember(value, step, placed);
}

/** A member named `__proto__` is data like any other. */
function withMember(value: Members, name: string, member: Value): Members {
  return Object.fromEntries([...Object.entries(value), [name, member]]);
}
