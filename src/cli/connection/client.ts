import type { Readable } from 'node:stream';
import { request, type Agent } from 'undici';
import { z, type ZodType } from 'zod';
import { CliError } from '../cli-error.ts';
import { CredentialsFile } from './credentials.ts';
import { discoverySchema, type Discovery } from './discovery.ts';
import { connectionFailure, failureOf } from './failures.ts';
import { accessToken } from './tokens.ts';

/** Which surface a request goes to, hence whose token it carries; `open` carries none. */
export type Face = 'admin' | 'arm' | 'directory' | 'storage' | 'open';
export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Any is accepted here; a real resource manager would know this one. */
const apiVersion = '2024-04-01';

export interface Ask {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Buffer | Readable;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  header(name: string): string | null;
  readonly body: Readable & { text(): Promise<string>; dump(): Promise<void>; json(): Promise<unknown> };
}

const decisionSchema = z.object({
  decision: z.object({
    action: z.string(),
    dataAction: z.boolean(),
    scope: z.string(),
    policyId: z.string(),
    reason: z.string(),
    decidedFor: z.object({ displayName: z.string() }).nullable(),
  }),
});

/** The short of it, where policy was asked; the facts beneath say what and where. */
const sentences: Readonly<Record<string, (name: string) => string>> = {
  'missing-grant': (name) => `No role assignment allows this to ${name}.`,
  'deny-assignment': (name) => `A deny assignment forbids this to ${name}.`,
  'disabled-principal': (name) => `${name} is disabled.`,
  'unknown-principal': (name) => `${name} is not in the directory.`,
};

export interface ClientOptions {
  /** Origin of the server, without a trailing slash. */
  readonly server: string;
  readonly agent: Agent;
  readonly advice: string;
  readonly caFile: string | null;
  readonly file: CredentialsFile;
  readonly version: string;
}

/** Speaks to one server as whoever is signed in there. */
export class Client {
  readonly options: ClientOptions;
  #discovery: Promise<Discovery> | null = null;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  get userAgent(): string {
    return `lockstep-cli/${this.options.version}`;
  }

  get server(): string {
    return this.options.server;
  }

  discovery(): Promise<Discovery> {
    this.#discovery ??= this.json('open', 'GET', '/lockstep/v1/discovery', discoverySchema);
    return this.#discovery;
  }

  /** A reply of 2xx whose JSON body is read through `schema`. Throws CliError otherwise. */
  async json<T>(face: Face, method: Method, path: string, schema: ZodType<T>, ask: Ask = {}): Promise<T> {
    const answer = await this.send(face, method, path, ask);
    const text = await answer.body.text();
    let body: unknown;
    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch (cause) {
      throw this.#notLockstep(path, cause);
    }
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw this.#notLockstep(path, parsed.error);
    return parsed.data;
  }

  /** A reply of 2xx whose body nobody needs. */
  async done(face: Face, method: Method, path: string, ask: Ask = {}): Promise<void> {
    await (await this.send(face, method, path, ask)).body.text();
  }

  /** A reply of 2xx, body unread. Throws CliError for every other. */
  async send(face: Face, method: Method, path: string, ask: Ask = {}): Promise<Answer> {
    const answer = await this.attempt(face, method, path, ask);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const text = await answer.body.text();
    const error = failureOf(
      { status: answer.status, header: (name) => answer.header(name), text },
      `${method} ${path}`,
    );
    throw error.ending === 'denied' && error.decisionId !== null
      ? await this.#withPolicy(error, error.decisionId)
      : error;
  }

  /** Any reply at all. Throws CliError only when there is none, or no token can be had. */
  async attempt(face: Face, method: Method, path: string, ask: Ask = {}): Promise<Answer> {
    const url = new URL(path, this.options.server);
    for (const [name, value] of Object.entries(ask.query ?? {})) url.searchParams.set(name, value);
    if (face === 'arm' && !url.searchParams.has('api-version'))
      url.searchParams.set('api-version', apiVersion);
    const token = face === 'open' ? null : await this.#token(face);
    const headers: Record<string, string> = {
      'user-agent': this.userAgent,
      ...(ask.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...ask.headers,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
    const body = ask.json === undefined ? ask.body : JSON.stringify(ask.json);
    try {
      const reply = await request(url, {
        method,
        headers,
        dispatcher: this.options.agent,
        ...(body === undefined ? {} : { body }),
        ...(ask.signal === undefined ? {} : { signal: ask.signal }),
      });
      return {
        status: reply.statusCode,
        header: (name) => single(reply.headers[name.toLowerCase()]),
        body: reply.body,
      };
    } catch (error) {
      if (ask.signal?.aborted) throw new CliError('failure', 'Interrupted.', { cause: error });
      throw connectionFailure(error, this.options.server, this.options.advice);
    }
  }

  async close(): Promise<void> {
    await this.options.agent.destroy();
  }

  async #token(face: Exclude<Face, 'open'>): Promise<string> {
    const { resources } = await this.discovery();
    return accessToken(this.options, resources[face]);
  }

  /** The one policy behind a denial, and what it was about; as much of it as can be had. */
  async #withPolicy(error: CliError, decisionId: string): Promise<CliError> {
    const facts: [string, string][] = [];
    let message = error.message;
    try {
      const answer = await this.attempt('admin', 'GET', `/admin/v1/decisions/${decisionId}`, {
        signal: AbortSignal.timeout(3000),
      });
      const told = decisionSchema.safeParse(
        answer.status === 200 ? await answer.body.json() : await answer.body.dump(),
      );
      if (told.success) {
        const { action, dataAction, scope, policyId, reason, decidedFor } = told.data.decision;
        message = sentences[reason]?.(decidedFor?.displayName ?? 'The caller') ?? message;
        facts.push([dataAction ? 'data action' : 'action', action], ['scope', scope], ['policy', policyId]);
      }
    } catch {
      // The denial itself is what matters; it is reported with what it says.
    }
    return new CliError('denied', message, {
      facts: [...facts, ['decision', decisionId]],
      hint: `lockstep explain ${decisionId}`,
      decisionId,
      ...(error.code === null ? {} : { code: error.code }),
    });
  }

  #notLockstep(path: string, cause: unknown): CliError {
    return new CliError('failure', `${this.options.server}${path} did not answer as Lockstep does.`, {
      hint: 'Is this the address of a Lockstep server, of about the same version?',
      cause,
    });
  }
}

function single(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
