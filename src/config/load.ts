import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { compileConnection, type Connection } from './connections.ts';
import { keysAt } from './keys-at.ts';
import { nearestKey } from './nearest-key.ts';
import { wordsFor } from './problem-words.ts';
import { References } from './references.ts';
import { configSchema, type ParsedConfig } from './schema.ts';

/** What travels inward: compiled, with every path absolute and every secret resolved; frozen. */
export type Config = Omit<ParsedConfig, 'connections' | 'ledger'> & {
  /** Where all state lives: $LOCKSTEP_HOME, default ./.lockstep. */
  readonly home: string;
  /** The file that was read, or null when there is none and the defaults hold. */
  readonly file: string | null;
  readonly connections: Readonly<Record<string, Connection>>;
  readonly ledger: Readonly<Omit<ParsedConfig['ledger'], 'witnessPolicy'>> & {
    /** What the file holds; null for a log without witnesses. */
    readonly witnessPolicy: { readonly file: string; readonly text: string } | null;
  };
};

export interface ConfigProblem {
  /** Dotted path of the setting, e.g. `tokens.jobSeconds`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** The nearest valid key, when the problem is an unknown one. */
  readonly suggestion?: string;
}

export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[], cause?: unknown) {
    const lines = problems.map((problem) => {
      const hint = problem.suggestion === undefined ? '' : ` Did you mean \`${problem.suggestion}\`?`;
      return `  ${problem.path || '(file)'}: ${problem.message}${hint}`;
    });
    super(`${file} has ${problems.length} problem(s):\n${lines.join('\n')}`, { cause });
    this.name = 'ConfigError';
    this.file = file;
    this.problems = problems;
  }
}

export interface LoadOptions {
  /** Overrides $LOCKSTEP_HOME. */
  readonly home?: string;
  /** Overrides $LOCKSTEP_CONFIG; default {home}/config.json, which need not exist. */
  readonly file?: string;
  /** Overrides the process environment; for tests. */
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Reads, checks and compiles the configuration. Throws ConfigError that names every problem at once,
 * each with its path and, for an unknown key, the nearest valid one.
 */
export function loadConfig(options: LoadOptions = {}): Config {
  const environment = options.environment ?? process.env;
  const { home, file, found, value } = readConfig(options);
  const parsed = configSchema.safeParse(value, { error: wordsFor });
  if (!parsed.success) throw refusal(file, parsed.error, value);
  return compile(parsed.data, home, file, found, environment);
}

const addressSchema = configSchema.pick({ publicUrl: true, listen: true }).loose();

/**
 * Where the server of this configuration is reached. A client asks this: it has no part in the other settings, nor
 * the server's secrets. Throws ConfigError when the address itself is wrong.
 */
export function configuredAddress(options: LoadOptions = {}): string {
  const { file, value } = readConfig(options);
  const parsed = addressSchema.safeParse(value, { error: wordsFor });
  if (!parsed.success) throw refusal(file, parsed.error, value);
  return parsed.data.publicUrl ?? `https://localhost:${parsed.data.listen.port}`;
}

/** $LOCKSTEP_HOME, default ./.lockstep, as an absolute path. */
export function homeDirectory(options: Pick<LoadOptions, 'home' | 'environment'> = {}): string {
  return resolve(options.home ?? (options.environment ?? process.env)['LOCKSTEP_HOME'] ?? '.lockstep');
}

function readConfig(options: LoadOptions) {
  const home = homeDirectory(options);
  const named = options.file ?? (options.environment ?? process.env)['LOCKSTEP_CONFIG'];
  const file = resolve(named ?? join(home, 'config.json'));
  return { home, file, ...readJson(file, named !== undefined) };
}

function readJson(file: string, mustExist: boolean): { found: boolean; value: unknown } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (!mustExist && (cause as NodeJS.ErrnoException).code === 'ENOENT') return { found: false, value: {} };
    throw new ConfigError(
      file,
      [{ path: '', message: `the file cannot be read: ${(cause as Error).message}` }],
      cause,
    );
  }
  try {
    return { found: true, value: JSON.parse(text) as unknown };
  } catch (cause) {
    throw new ConfigError(
      file,
      [{ path: '', message: `not valid JSON: ${(cause as Error).message}` }],
      cause,
    );
  }
}

function refusal(file: string, { issues }: z.ZodError, value: unknown): ConfigError {
  return new ConfigError(
    file,
    issues.flatMap((issue) => problemsOf(issue, value)),
  );
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown): ConfigProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  const { keys, kindsWith } = keysAt(issue.path, value);
  return issue.keys.map((key) => {
    const at = path === '' ? key : `${path}.${key}`;
    const kinds = kindsWith(key).map((kind) => `\`${kind}\``);
    if (kinds.length > 0)
      return { path: at, message: `is a setting of the kind ${kinds.join(' and ')} only.` };
    const problem = { path: at, message: 'there is no such setting.' };
    const suggestion = nearestKey(key, keys);
    return suggestion === null ? problem : { ...problem, suggestion };
  });
}
function compile(
  parsed: ParsedConfig,
  home: string,
  file: string,
  found: boolean,
  environment: NodeJS.ProcessEnv,
): Config {
  const base = dirname(file);
  const problems: ConfigProblem[] = [];
  const references = new References(base, environment, problems);
  const connections = Object.fromEntries(
    Object.entries(parsed.connections).map(([name, connection]) => [
      name,
      compileConnection(name, connection, references, problems),
    ]),
  );
  const environments = Object.fromEntries(
    Object.entries(parsed.local.environments).map(([image, toolchain]) => [
      image,
      {
        ...toolchain,
        path: toolchain.path.map((entry) => resolve(base, entry)),
        ...(toolchain.nodeModules === undefined ? {} : { nodeModules: resolve(base, toolchain.nodeModules) }),
      },
    ]),
  );
  const { witnessPolicy: policyFile } = parsed.ledger;
  const witnessPolicy = policyFile === undefined ? null : references.file(policyFile, 'ledger.witnessPolicy');
  if (problems.length > 0) throw new ConfigError(file, problems);
  return deepFreeze({
    ...parsed,
    ledger: { ...parsed.ledger, witnessPolicy },
    ...(parsed.tls && {
      tls: { certificate: resolve(base, parsed.tls.certificate), key: resolve(base, parsed.tls.key) },
    }),
    local: { ...parsed.local, environments },
    home,
    file: found ? file : null,
    connections,
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
