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
  const names = Object.keys(value);
  let inOrder = true;
  let previous = '';
  for (const name of names) {
    if (name === '__proto__' || startsLikeIndex(name)) return unorderable;
    if (name < previous) inOrder = false;
    previous = name;
  }
  if (!inOrder) names.sort();
  let out: Record<string, unknown> | null = inOrder ? null : {};
  for (const [i, name] of names.entries()) {
    const member = memberOf(value, name);
    const same = ordered(member);
    if (same === unorderable) return unorderable;
    if (out !== null) out[name] = same;
    else if (same !== member) {
      out = {};
      for (const earlier of names.slice(0, i)) out[earlier] = memberOf(value, earlier);
      out[name] = same;
    }
  }
  return out ?? value;
}

function memberOf(value: object, name: string): unknown {
  return (value as Readonly<Record<string, unknown>>)[name];
}

function startsLikeIndex(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}
