import type { identityFacts } from './connection-schema.ts';
import { headerValue } from './header-schema.ts';
import { authoritiesProblem, keyPairProblem } from './key-pair.ts';
import type { ConfigProblem } from './problems.ts';
import type { References, SecretReference } from './references.ts';
import { ruleProblems } from './rule-problems.ts';
import type { ParsedConfig } from './schema.ts';

type ParsedConnection = ParsedConfig['connections'][string];

/** How the upstream is known, and Lockstep to it. */
export interface ConnectionTls {
  /** PEM of the authorities that its certificate is checked against; null for the system's. */
  readonly authorities: string | null;
  /** PEM of what Lockstep shows the upstream; null for nothing. */
  readonly certificate: string | null;
  readonly key: string | null;
  /** The name that the upstream's certificate is for; null for its host. */
  readonly serverName: string | null;
  /** `sha256//` and the hash of a public key (SubjectPublicKeyInfo) in base64, one of which is the upstream's; empty: any. */
  readonly pins: readonly string[];
}

export type Connection = Compiled<ParsedConnection>;

/** How the upstream is spoken to; times in milliseconds, 0 for any. */
export interface ConnectionSettings {
  readonly timeouts: {
    readonly connectMilliseconds: number;
    readonly headMilliseconds: number;
    readonly idleMilliseconds: number;
  };
  readonly bounds: {
    readonly requests: number;
    readonly waiting: number;
    readonly waitMilliseconds: number;
    readonly perCaller: number;
    readonly webSockets: number;
    readonly webSocketsPerCaller: number;
  };
  readonly circuit: {
    readonly failures: number;
    readonly minMilliseconds: number;
    readonly maxMilliseconds: number;
    readonly statuses: readonly number[];
  };
  readonly health: {
    readonly path: string;
    readonly intervalMilliseconds: number;
    readonly timeoutMilliseconds: number;
    readonly failures: number;
    readonly passes: number;
  } | null;
}

export type IdentityFact = (typeof identityFacts)[number];

/** A header of every request to the upstream; its name in lower case. */
export interface ConnectionHeader {
  readonly header: string;
  readonly value: string;
}

/** Of each kind by itself: a union stays one. */
type Compiled<Parsed> = Parsed extends unknown
  ? Omit<
      Parsed,
      | 'upstream'
      | 'protocol'
      | 'credential'
      | 'headers'
      | 'identityHeaders'
      | 'tls'
      | 'timeouts'
      | 'concurrency'
      | 'circuit'
      | 'health'
    > & {
      readonly name: string;
      readonly upstream: string | readonly string[];
      /** Default: HTTP/1.1. */
      readonly protocol?: 'http1' | 'http2' | 'h2c';
      readonly credential: ConnectionHeader | null;
      readonly headers?: readonly ConnectionHeader[];
      /** What tells the upstream who calls, by name in lower case. */
      readonly identityHeaders?: Readonly<Record<string, IdentityFact>>;
      /** In place of the defaults. */
      readonly settings?: ConnectionSettings;
      readonly tls?: ConnectionTls;
    }
  : never;

/**
 * Whether pages of the upstream work at no address. A notebook server writes its base URL into its pages: beneath a path
 * of ours, where nobody is signed in, they load nothing, and on a host of their own what they load is not there.
 */
export function programsOnly({ kind, upstream }: Pick<Connection, 'kind' | 'upstream'>): boolean {
  return (
    kind === 'jupyter' &&
    [upstream].flat().some((address) => new URL(address).pathname.startsWith('/connections/'))
  );
}

/** A connection with its secrets and files read. */
export function compileConnection(
  name: string,
  parsed: ParsedConnection,
  references: References,
  problems: ConfigProblem[],
): Connection {
  const {
    upstream,
    credential,
    headers,
    identityHeaders,
    tls,
    timeouts,
    concurrency,
    circuit,
    health,
    ...rest
  } = parsed;
  const path = `connections.${name}`;
  const addresses = [upstream].flat();
  const compiled = {
    ...rest,
    name,
    upstream,
    credential: credential
      ? {
          header: credential.header,
          value: secretHeader(references, credential.value, `${path}.credential.value`, problems),
        }
      : null,
    headers: Object.entries(headers).map(([header, value]) => ({
      header,
      value: compileHeader(references, header, value, `${path}.headers.${header}`, problems),
    })),
    identityHeaders: identityHeaders?.headers ?? {},
    settings: compileSettings({ timeouts, concurrency, circuit, health }),
    ...(tls && { tls: compileTls(tls, addresses, `${path}.tls`, references, problems) }),
  };
  checkNames(compiled, path, problems);
  if (rest.kind === 'web') problems.push(...ruleProblems(rest.rules, `${path}.rules`));
  const scheme = { http1: null, http2: 'https:', h2c: 'http:' }[rest.protocol];
  if (scheme !== null && !addresses.every((address) => address.startsWith(scheme))) {
    problems.push({
      path: `${path}.protocol`,
      message: `\`${rest.protocol}\` is spoken at ${scheme}// addresses only.`,
    });
  }
  if (rest.kind === 'jupyterhub' && [credential, headers['authorization'], headers['cookie']].some(Boolean)) {
    problems.push({
      path,
      message:
        'a hub is given no credential: each request would be that credential’s, whoever asks. It believes Lockstep’s statements.',
    });
  }
  if (new Set(addresses).size !== addresses.length) {
    problems.push({ path: `${path}.upstream`, message: 'an address stands in it twice.' });
  }
  return compiled;
}

function compileSettings({
  timeouts,
  concurrency,
  circuit,
  health,
}: Pick<ParsedConnection, 'timeouts' | 'concurrency' | 'circuit' | 'health'>): ConnectionSettings {
  return {
    timeouts: {
      connectMilliseconds: milliseconds(timeouts.connectSeconds),
      headMilliseconds: milliseconds(timeouts.headSeconds),
      idleMilliseconds: milliseconds(timeouts.idleSeconds),
    },
    bounds: {
      requests: concurrency.requests,
      waiting: concurrency.waiting,
      waitMilliseconds: milliseconds(concurrency.waitSeconds),
      perCaller: concurrency.perCaller ?? half(concurrency.requests),
      webSockets: concurrency.webSockets,
      webSocketsPerCaller: concurrency.webSocketsPerCaller ?? half(concurrency.webSockets),
    },
    circuit: {
      failures: circuit.failures,
      minMilliseconds: milliseconds(circuit.openSeconds),
      maxMilliseconds: Math.max(milliseconds(circuit.openSeconds), milliseconds(circuit.longestSeconds)),
      statuses: circuit.statuses,
    },
    health:
      health === undefined
        ? null
        : {
            path: health.path,
            intervalMilliseconds: milliseconds(health.intervalSeconds),
            timeoutMilliseconds: milliseconds(health.timeoutSeconds),
            failures: health.failures,
            passes: health.passes,
          },
  };
}

/** A share that leaves room for others, where there is any. */
function half(whole: number): number {
  return Math.ceil(whole / 2);
}

function milliseconds(seconds: number): number {
  return Math.ceil(seconds * 1000);
}

function compileHeader(
  references: References,
  header: string,
  value: ParsedConnection['headers'][string],
  path: string,
  problems: ConfigProblem[],
): string {
  if (typeof value !== 'string') return secretHeader(references, value, path, problems);
  if (/^(cookie|authorization)$|token|secret|password|credential|api-?key/.test(header)) {
    problems.push({ path, message: 'a secret is given by reference, { "file": path } or { "env": name }.' });
  }
  return value;
}

function secretHeader(
  references: References,
  reference: SecretReference,
  path: string,
  problems: ConfigProblem[],
): string {
  const value = references.secret(reference, path);
  // What is empty could not be read, and was told of.
  if (value !== '' && !headerValue.safeParse(value).success) {
    problems.push({
      path,
      message: 'the secret does not fit into a header: it must be one line of printable ASCII.',
    });
  }
  return value;
}

/** Servers fold names into one that differ in what is no letter (CGI, WSGI): here they are the same too. */
function checkNames(
  {
    credential,
    headers,
    identityHeaders,
  }: Required<Pick<Connection, 'credential' | 'headers' | 'identityHeaders'>>,
  path: string,
  problems: ConfigProblem[],
): void {
  const named = [
    ...(credential === null ? [] : [{ header: credential.header, at: `${path}.credential.header` }]),
    ...headers.map(({ header }) => ({ header, at: `${path}.headers.${header}` })),
    ...Object.keys(identityHeaders).map((header) => ({
      header,
      at: `${path}.identityHeaders.headers.${header}`,
    })),
  ];
  const seen = new Set<string>();
  for (const { header, at } of named) {
    const folded = header.replace(/[^a-z0-9]/g, '-');
    if (seen.has(folded)) problems.push({ path: at, message: 'another header has this name.' });
    seen.add(folded);
  }
}

function compileTls(
  { authorities, certificate, key, serverName, pins }: NonNullable<ParsedConnection['tls']>,
  addresses: readonly string[],
  path: string,
  references: References,
  problems: ConfigProblem[],
): ConnectionTls {
  if (addresses.some((address) => !address.startsWith('https:'))) {
    problems.push({ path, message: 'the upstream is not https.' });
  }
  if ((certificate === undefined) !== (key === undefined)) {
    problems.push({ path, message: 'a certificate and its key are given together.' });
  }
  const read = (named: string | undefined, setting: string): string | null =>
    named === undefined ? null : (references.file(named, `${path}.${setting}`)?.text ?? null);
  const compiled = {
    authorities: read(authorities, 'authorities'),
    certificate: read(certificate, 'certificate'),
    key: key === undefined ? null : references.secret(key, `${path}.key`),
    serverName: serverName ?? null,
    pins,
  };
  const wrong = [
    compiled.authorities === null
      ? null
      : authoritiesProblem({ path: `${path}.authorities`, text: compiled.authorities }),
    compiled.certificate === null || !compiled.key
      ? null
      : keyPairProblem(
          { path: `${path}.certificate`, text: compiled.certificate },
          { path: `${path}.key`, text: compiled.key },
        ),
  ];
  problems.push(...wrong.filter((problem) => problem !== null));
  return compiled;
}
