import { normalizeScope, scopeAndAncestors } from '../scope.ts';
import type { PolicyRows } from '../snapshot.ts';

type Tags = Readonly<Record<string, string>>;

/** The tree of scopes: by path, except where a management group or a subscription was placed. */
export class ScopeTree {
  readonly #parents: ReadonlyMap<string, string>;
  readonly #tags: ReadonlyMap<string, Tags>;
  readonly #rows: PolicyRows;

  constructor(rows: PolicyRows) {
    this.#rows = rows;
    this.#parents = new Map((rows.placements ?? []).map(({ scope, parent }) => [scope, parent ?? '/']));
    this.#tags = new Map((rows.tags ?? []).map(({ scope, tags }) => [scope, tags]));
  }

  /** Null for the root. */
  parentOf(scope: string): string | null {
    if (scope === '/') return null;
    return this.#parents.get(scope) ?? scopeAndAncestors(scope)[1] ?? '/';
  }

  /** The tags that count at a scope: those of the nearest path at or above it that has any. */
  tagsAt(scope: string): Tags {
    for (const at of scopeAndAncestors(scope)) {
      const tags = at === '/' ? undefined : this.#tags.get(at);
      if (tags && Object.keys(tags).length > 0) return tags;
    }
    return {};
  }

  /** Every scope that the policy names, these ones, and all above them. */
  scopes(further: readonly string[]): string[] {
    const { roleAssignments, denyAssignments, placements = [], tags = [] } = this.#rows;
    const named = [...roleAssignments, ...denyAssignments, ...placements, ...tags].map(({ scope }) => scope);
    const found = new Set(['/', ...[...named, ...further].map(scopeOf)]);
    for (const scope of found) {
      const parent = this.parentOf(scope);
      if (parent !== null) found.add(parent);
    }
    return [...found].sort();
  }
}

/** In normal form. Throws a RangeError for a text that is no scope. */
export function scopeOf(text: string): string {
  const scope = normalizeScope(text);
  if (scope === null) throw new RangeError(`'${text}' is not a scope`);
  return scope;
}
