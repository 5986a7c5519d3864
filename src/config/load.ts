import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { connection as connectionSchema } from './connection-schema.ts';
import { compileConnection, programsOnly, type Connection } from './connections.ts';
import { duplicateKeys } from './duplicate-keys.ts';
import { expiryWarning, hostWarning, keyPairProblem } from './key-pair.ts';
import { memberOf } from './keys-at.ts';
import { isOwnAddress, type Listening } from './own-address.ts';
import { ConfigError, problemsOf, type ConfigProblem } from './problems.ts';
import { wordsFor } from './problem-words.ts';
import { References } from './references.ts';
import { configSchema, type ParsedConfig } from './schema.ts';
import { secretReference } from './secret-reference.ts';

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
  /** What can be served, and is hardly meant so. */
  readonly warnings?: readonly ConfigProblem[];
};

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
  const { home, file, found, value, twice } = readConfig(options);
  const parsed = configSchema.safeParse(value, { error: wordsFor });
  if (parsed.success && twice.length === 0) return compile(parsed.data, home, file, found, environment);
  const problems = [...twice, ...(parsed.error === undefined ? [] : problemsOf(parsed.error, value))];
  checkFurther(value, new References(dirname(file), environment, problems), problems);
  throw new ConfigError(file, problems);
}

/** What mistakes of form would hide: all of a connection whose own form is right, of another the secrets that it names. */
function checkFurther(value: unknown, references: References, problems: ConfigProblem[]): void {
  const listening = addressSchema.safeParse(value).data ?? null;
  for (const [name, raw] of Object.entries(memberOf(value, 'connections') ?? {})) {
    const parsed = connectionSchema.safeParse(raw);
    if (!parsed.success) readSecrets(raw, `connections.${name}`, references);
    else checkedConnection(name, parsed.data, listening, references, problems);
  }
}

function readSecrets(value: unknown, path: string, references: References): void {
  const { data } = secretReference.safeParse(value);
  if (data !== undefined) references.secret(data, path);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) readSecrets(member, `${path}.${name}`, references);
  }
}

function checkedConnection(
  name: string,
  parsed: ParsedConfig['connections'][string],
  listening: Listening | null,
  references: References,
  problems: ConfigProblem[],
): Connection {
  const compiled = compileConnection(name, parsed, references, problems);
  if (listening !== null && [parsed.upstream].flat().some((address) => isOwnAddress(address, listening))) {
    const message = 'is the address of Lockstep itself: say that of the server behind it.';
    problems.push({ path: `connections.${name}.upstream`, message });
  }
  return compiled;
}

const addressSchema = configSchema.pick({ publicUrl: true, listen: true, baseDomain: true }).loose();

/**
 * Where the server of this configuration is reached. A client asks this: it has no part in the other settings, nor
 * the server's secrets. Throws ConfigError when the address itself is wrong.
 */
export function configuredAddress(options: LoadOptions = {}): string {
  const { file, value } = readConfig(options);
  const parsed = addressSchema.safeParse(value, { error: wordsFor });
  if (!parsed.success) throw new ConfigError(file, problemsOf(parsed.error, value));
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

interface ReadJson {
  readonly found: boolean;
  readonly value: unknown;
  readonly twice: readonly ConfigProblem[];
}

function readJson(file: string, mustExist: boolean): ReadJson {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (!mustExist && (cause as NodeJS.ErrnoException).code === 'ENOENT')
      return { found: false, value: {}, twice: [] };
    throw new ConfigError(
      file,
      [{ path: '', message: `the file cannot be read: ${(cause as Error).message}` }],
      cause,
    );
  }
  try {
    const value = JSON.parse(text) as unknown;
    const message = 'stands there twice: only the last would count.';
    return { found: true, value, twice: duplicateKeys(text).map((path) => ({ path, message })) };
  } catch (cause) {
    throw new ConfigError(
      file,
      [{ path: '', message: `not valid JSON: ${(cause as Error).message}` }],
      cause,
    );
  }
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
      checkedConnection(name, connection, parsed, references, problems),
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
  const own = parsed.tls && readOwnTls(parsed.tls, references, problems);
  if (problems.length > 0) throw new ConfigError(file, problems);
  return deepFreeze({
    ...parsed,
    ledger: { ...parsed.ledger, witnessPolicy },
    ...(own && { tls: { certificate: own.certificate, key: own.key } }),
    local: { ...parsed.local, environments },
    home,
    file: found ? file : null,
    connections,
    warnings: warningsOf(connections, parsed, own?.text ?? null),
  });
}

/** Absolute paths of both files, and what the certificate's holds. */
function readOwnTls(
  named: NonNullable<ParsedConfig['tls']>,
  references: References,
  problems: ConfigProblem[],
) {
  const certificate = references.file(named.certificate, 'tls.certificate');
  const key = references.file(named.key, 'tls.key');
  if (certificate === null || key === null) return undefined;
  const wrong = keyPairProblem(
    { path: 'tls.certificate', text: certificate.text },
    { path: 'tls.key', text: key.text },
  );
  if (wrong !== null) problems.push(wrong);
  return { certificate: certificate.file, key: key.file, text: certificate.text };
}

function warningsOf(
  connections: Config['connections'],
  { publicUrl, baseDomain }: Listening,
  ownCertificate: string | null,
): ConfigProblem[] {
  const own = { path: 'tls.certificate', text: ownCertificate ?? '' };
  const hosts = [
    new URL(publicUrl ?? 'https://localhost').hostname,
    ...Object.keys(connections).map((name) => `${name}.${baseDomain}`),
  ];
  const ofOwn = ownCertificate === null ? [] : [expiryWarning(own), hostWarning(own, hosts)];
  const ofClients = Object.values(connections).map(({ name, tls }) =>
    expiryWarning({ path: `connections.${name}.tls.certificate`, text: tls?.certificate ?? '' }),
  );
  return [...ofOwn, ...ofClients, ...programsOnlyWarnings(connections, baseDomain)].filter(
    (warning) => warning !== null,
  );
}

function programsOnlyWarnings(connections: Config['connections'], baseDomain: string): ConfigProblem[] {
  return Object.values(connections)
    .filter(programsOnly)
    .map(({ name }) => ({
      path: `connections.${name}.upstream`,
      message: `serves programs only: whose \`base_url\` lies beneath \`/connections/\` has no page that works; people who open ${name}.${baseDomain} are told so. For browsers set \`base_url\` to \`/\`, and leave the path out here.`,
    }));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
