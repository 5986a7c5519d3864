import findMyWay from 'find-my-way';
import type { ConfigProblem } from './problems.ts';
import type { ParsedConfig } from './schema.ts';

type WebRule = Extract<ParsedConfig['connections'][string], { kind: 'web' }>['rules'][number];

type RuleForm = Pick<WebRule, 'path' | 'upgrade'> & { readonly methods: readonly string[] };

/** Patterns that are none, and rules that claim what an earlier one has. `path` is that of the list. */
export function ruleProblems(rules: readonly WebRule[], path: string): ConfigProblem[] {
  const router = findMyWay({ caseSensitive: true });
  return rules.flatMap((rule, at) => {
    const own = `${path}.${at}`;
    const wrong = ruleProblem(rule);
    if (wrong !== null) return [{ path: `${own}.${wrong.member}`, message: wrong.message }];
    const claimed = [...new Set(rule.methods)].filter((method) => {
      try {
        router.on(method, rule.path, () => undefined);
        return false;
      } catch {
        return true;
      }
    });
    if (claimed.length === 0) return [];
    const message = `another rule before it has ${claimed.join(', ')} ${rule.path}: an operation has one action.`;
    return [{ path: own, message }];
  });
}

/** What keeps a rule, by itself, from being one; null for one that is. */
export function ruleProblem({
  methods,
  path,
  upgrade,
}: RuleForm): { member: 'path' | 'upgrade'; message: string } | null {
  const message = patternProblem(path);
  if (message !== null) return { member: 'path', message };
  if (upgrade === undefined || methods.includes('GET')) return null;
  return { member: 'upgrade', message: 'a WebSocket is opened by GET, which `methods` does not name.' };
}

/** What keeps a text from being a pattern of paths, and of no more than it seems to be; null for one that is. */
function patternProblem(pattern: string): string | null {
  if (/\*(?!$)/.test(pattern)) return 'a `*` stands for the rest of a path, so at its end alone, and once.';
  if (/[()]/.test(pattern)) return 'a pattern has no expressions: `:name` is one segment, `*` the rest.';
  // The router takes all of it for the name, and any segment for its value.
  if (/(?<!:):(?!:)[^/.-]*:/.test(pattern)) {
    return 'nothing follows the name in a segment `:name`; name each path (`/models/m::predict`), a `:` of its own doubled.';
  }
  return /[?#]/.test(pattern) ? 'a rule is of a path alone, without `?` and `#`.' : null;
}
