import findMyWay, { type HTTPMethod } from 'find-my-way';
import { ruleProblem } from '../../../config/rule-problems.ts';

/** Which operation a request to an upstream is. What no rule names is denied. */
export interface WebRule {
  readonly methods: readonly HTTPMethod[];
  /** `:name` is one segment, a `*` at the end is the rest. Compared with case. */
  readonly path: string;
  readonly action: string;
  readonly dataAction?: boolean;
  /** Whether a GET may open a WebSocket here. Left out: no. */
  readonly upgrade?: 'websocket' | undefined;
}

export type FindRule<Rule extends WebRule = WebRule> = (method: string, path: string) => Rule | null;

/**
 * Throws for two rules that claim the same method and path, and for a pattern that is none. A path that an upstream
 * with looser habits would read as one of another operation is no path of any rule.
 */
export function compileRules<Rule extends WebRule>(rules: readonly Rule[]): FindRule<Rule> {
  const router = findMyWay({ caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 8192 });
  // Of ten thousand connections, few are asked for anything.
  let readings: ReturnType<typeof looseReadings> | null = null;
  for (const rule of rules) {
    const wrong = ruleProblem(rule);
    if (wrong !== null) throw new Error(`rule ${rule.path}: ${wrong.message}`);
    for (const method of new Set(rule.methods)) router.on(method, rule.path, notCalled, rule);
  }
  return (method, path) => {
    const found = router.find(method as HTTPMethod, path);
    if (found === null) return null;
    // The router lets a value be empty; a segment never is. What a wildcard takes may be.
    const empty = Object.entries(found.params).some(([name, value]) => value === '' && name !== '*');
    if (empty) return null;
    const rule = found.store as Rule;
    readings ??= looseReadings(rules);
    return readings(method, path).every((other) => isSameOperation(rule, other)) ? rule : null;
  };
}

/** What the router leaves encoded where many a server decodes it before it looks for a route: `:`, `@` and the like. */
const reserved = /%(?:2[146-9a-cA-C]|3[aAdD]|40)/g;

/**
 * The rules that a path has to upstreams that compare without case, cut parameters off segments (`;v=1`), decode
 * reserved characters, collapse empty segments, or take `/a` and `/a/` for the same. Beneath a wildcard these would hide
 * a rule of its own.
 */
function looseReadings(rules: readonly WebRule[]): (method: string, path: string) => WebRule[] {
  const router = findMyWay({ caseSensitive: false, ignoreTrailingSlash: false, maxParamLength: 8192 });
  const byPattern = new Map<string, WebRule[]>();
  for (const rule of rules) {
    for (const method of new Set(rule.methods)) {
      const key = `${method} ${rule.path.toLowerCase().replace(/(?<!:):(?!:)[^/.-]+/g, ':')}`;
      const same = byPattern.get(key);
      if (same !== undefined) same.push(rule);
      else {
        const alone = [rule];
        byPattern.set(key, alone);
        router.on(method, rule.path, notCalled, alone);
      }
    }
  }
  return (method, path) => {
    const plain = path
      .replace(/(?:;|%3[bB])[^/]*/g, '')
      .replace(reserved, decodeURIComponent)
      .replace(/\/{2,}/g, '/');
    const rulesOf = (reading: string) =>
      (router.find(method as HTTPMethod, reading)?.store as WebRule[] | undefined) ?? [];
    if (plain.endsWith('/')) return [...rulesOf(plain), ...rulesOf(plain.slice(0, -1) || '/')];
    // Only a rule that itself ends in a slash is meant by adding one.
    return [...rulesOf(plain), ...rulesOf(`${plain}/`).filter((rule) => rule.path.endsWith('/'))];
  };
}

function isSameOperation(one: WebRule, other: WebRule): boolean {
  return (
    one.action === other.action &&
    (one.dataAction ?? false) === (other.dataAction ?? false) &&
    one.upgrade === other.upgrade
  );
}

function notCalled(): void {
  throw new Error('rules are looked up, not called');
}
