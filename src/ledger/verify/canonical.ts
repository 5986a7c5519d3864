/** Anything that JSON.parse makes. */
export type Value =
  string | number | boolean | null | readonly Value[] | { readonly [member: string]: Value };
export type Members = { readonly [member: string]: Value };

/**
 * RFC 8785 of what JSON.parse made: members in the order of their UTF-16 units. Null for text that is not well-formed,
 * which no canonical form has.
 */
export function canonical(value: Value): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? JSON.stringify(value) : null;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts: string[] = [];
  if (isList(value)) {
    for (const item of value) {
      const text = canonical(item);
      if (text === null) return null;
      parts.push(text);
    }
    return `[${parts.join()}]`;
  }
  for (const name of Object.keys(value).sort()) {
    const own = canonical(name);
    const text = canonical(value[name] ?? null);
    if (own === null || text === null) return null;
    parts.push(`${own}:${text}`);
  }
  return `{${parts.join()}}`;
}

export function isList(value: unknown): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
