import type { Json, JsonObject } from '../../lib/canonical-json.ts';

/**
 * The value with every text longer than `limit` UTF-16 units cut, and the cut said: how long it was.
 * Members named in `keep` are left as they are.
 */
export function shorten(value: Json, limit: number, keep: ReadonlySet<string>): Json {
  if (typeof value === 'string') return shortenText(value, limit);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((member) => shorten(member, limit, keep));
  return shortenObject(value, limit, keep);
}

export function shortenObject(value: JsonObject, limit: number, keep: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      keep.has(key) ? member : shorten(member, limit, keep),
    ]),
  );
}

function shortenText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit).toWellFormed()}… [truncated: ${text.length} characters]`;
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
