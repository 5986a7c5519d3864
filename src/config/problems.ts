import { z } from 'zod';
import { connection, connectionKinds, connectionOfNoKind } from './connection-schema.ts';
import { keysAt, memberOf, type KeysAt } from './keys-at.ts';
import { nearestKey } from './nearest-key.ts';
import { wordsFor } from './problem-words.ts';

export interface ConfigProblem {
  /** Dotted path of the setting, e.g. `tokens.jobSeconds`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** The nearest valid key or value, when the problem is an unknown one. */
  readonly suggestion?: string;
}

export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];
  /** In one line: which file, and how many. */
  readonly summary: string;
  /** Each setting, and what is wrong with it, as people are told. */
  readonly told: readonly (readonly [string, string])[];

  constructor(file: string, problems: readonly ConfigProblem[], cause?: unknown) {
    const summary = `${file}: ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}.`;
    const told = problems.map(toldProblem);
    const rows = [...told, ['next', configHelp] as const];
    const width = Math.max(...rows.map(([path]) => path.length));
    super([summary, ...rows.map(([path, text]) => `  ${path.padEnd(width)}  ${text}`)].join('\n'), { cause });
    this.name = 'ConfigError';
    this.file = file;
    this.problems = problems;
    this.summary = summary;
    this.told = told;
  }
}

export const configHelp = 'Every setting is described in docs/reference/config.md.';

/** Where, and what is wrong there. */
export function toldProblem({ path, message, suggestion }: ConfigProblem): readonly [string, string] {
  const hint = suggestion === undefined ? '' : ` Did you mean \`${suggestion}\`?`;
  return [path || '(file)', message + hint];
}

/** Every problem of a value that its schema refuses, those beneath a misspelt `kind` too. */
export function problemsOf({ issues }: z.ZodError, value: unknown): ConfigProblem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String).join('.');
    const own = { path, message: issue.message };
    switch (issue.code) {
      case 'invalid_key':
        return [{ path, message: issue.issues[0]?.message ?? issue.message }];
      case 'unrecognized_keys': {
        const at = keysAt(issue.path, value);
        return issue.keys.map((key) => unknownSetting(path === '' ? key : `${path}.${key}`, key, at));
      }
      case 'invalid_value':
        return [withSuggestion(own, nearestOf(memberAt(value, issue.path), issue.values.map(String)))];
      case 'invalid_union':
        return issue.path.at(-1) === 'kind' ? problemsOfKind(own, issue.path, value) : [own];
      case 'custom':
        return [withSuggestion(own, suggested.safeParse(issue.params).data?.suggestion ?? null)];
      default:
        return [own];
    }
  });
}

const suggested = z.object({ suggestion: z.string() });

/** A connection of no kind that there is, and what else is wrong with it: by the kind that was meant, if one is near. */
function problemsOfKind(own: ConfigProblem, path: readonly PropertyKey[], value: unknown): ConfigProblem[] {
  const at = path.slice(0, -1);
  const meant = nearestOf(memberAt(value, path), connectionKinds);
  const mended = meant === null ? value : replaced(value, path, meant);
  const schema = meant === null ? connectionOfNoKind : connection;
  const parsed = schema.safeParse(memberAt(mended, at), { error: wordsFor });
  const issues = (parsed.error?.issues ?? []).map((issue) => ({ ...issue, path: [...at, ...issue.path] }));
  return [withSuggestion(own, meant), ...problemsOf(new z.ZodError(issues), mended)];
}

function unknownSetting(path: string, key: string, { keys, otherKinds }: KeysAt): ConfigProblem {
  const kinds = kindsWith(key, otherKinds);
  if (kinds !== '') return { path, message: `is a setting of the kind ${kinds} only.` };
  const message = 'there is no such setting.';
  const near = nearestKey(key, keys);
  if (near !== null) return { path, message, suggestion: near };
  const elsewhere = nearestKey(
    key,
    otherKinds.flatMap((other) => other.keys),
  );
  if (elsewhere === null) return { path, message };
  return {
    path,
    message: `there is no such setting; \`${elsewhere}\` is one of the kind ${kindsWith(elsewhere, otherKinds)} only.`,
  };
}

function kindsWith(key: string, otherKinds: KeysAt['otherKinds']): string {
  return otherKinds
    .filter(({ keys }) => keys.includes(key))
    .map(({ kind }) => `\`${kind}\``)
    .join(' and ');
}

function nearestOf(value: unknown, candidates: readonly string[]): string | null {
  return typeof value === 'string' ? nearestKey(value, candidates) : null;
}

function withSuggestion(problem: ConfigProblem, suggestion: string | null): ConfigProblem {
  return suggestion === null ? problem : { ...problem, suggestion };
}

function memberAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(memberOf, value);
}

/** A copy with another member at the path; what is no object on the way stays. */
function replaced(value: unknown, [part, ...rest]: readonly PropertyKey[], member: unknown): unknown {
  if (part === undefined) return member;
  if (typeof value !== 'object' || value === null) return value;
  return { ...value, [part]: replaced(memberOf(value, part), rest, member) };
}
