import findMyWay, { type HTTPMethod } from 'find-my-way';

/** Which operation a request to an upstream is. What no rule names is denied. */
export interface WebRule {
  readonly methods: readonly HTTPMethod[];
  /** `:name` is one segment, a `*` at the end is the rest. Compared with case. */
  readonly path: string;
  readonly action: string;
  readonly dataAction?: boolean;
}

export type FindRule = (method: string, path: string) => WebRule | null;

/** Throws for two rules that claim the same method and path, and for a pattern that is none. */
export function compileRules(rules: readonly WebRule[]): FindRule {
  const router = findMyWay({ caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 8192 });
  for (const rule of rules) {
    if (/[()]/.test(rule.path)) throw new Error(`rule ${rule.path}: patterns have no expressions`);
    for (const method of new Set(rule.methods)) router.on(method, rule.path, notCalled, rule);
  }
  return (method, path) => {
    const found = router.find(method as HTTPMethod, path);
    if (found === null) return null;
    // The router lets a value be empty; a segment never is. What a wildcard takes may be.
    const empty = Object.entries(found.params).some(([name, value]) => value === '' && name !== '*');
    return empty ? null : (found.store as WebRule);
  };
}

function notCalled(): void {
  throw new Error('rules are looked up, not called');
}
