/** Some key would not stay where it is put: `__proto__`, or one that an object may take for an index. */
export const unorderable: unique symbol = Symbol('unorderable');

/**
 * The same value with the members of every object in the order of RFC 8785 §3.2.3, so that JSON.stringify prints them so.
 * What is in order already is not copied.
 */
export function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? orderedItems(value) : orderedMembers(value);
}

function orderedItems(items: readonly unknown[]): unknown {
  const out: unknown[] = [];
  let changed = false;
  for (const item of items) {
    const same = ordered(item);
    if (same === unorderable) return unorderable;
    changed ||= same !== item;
    out.push(same);
  }
  return changed ? out : items;
}

function orderedMembers(value: object): unknown {
  const members: [string, unknown][] = Object.entries(value);
  let changed = false;
  let previous = '';
  for (const entry of members) {
    const [key, member] = entry;
    if (key === '__proto__' || startsLikeIndex(key)) return unorderable;
    changed ||= key < previous;
    previous = key;
    const same = ordered(member);
    if (same === unorderable) return unorderable;
    if (same === member) continue;
    entry[1] = same;
    changed = true;
  }
  if (!changed) return value;
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  const out: Record<string, unknown> = {};
  for (const [key, member] of members) out[key] = member;
  return out;
}

function startsLikeIndex(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}
