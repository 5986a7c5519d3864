import { request, Agent } from 'undici';
import type { Acknowledged } from './acknowledged.ts';

/** The connection failed: what became of the request is not known. */
export class Unreachable extends Error {}

export interface Answer {
  readonly status: number;
  readonly bytes: Buffer;
  text(): string;
  json(): unknown;
}

export interface Sent {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, unless it is bytes or a form. */
  readonly body?: Buffer | URLSearchParams | object;
}

/** Remembers of every answer, as soon as its head is here, the request id that it carries. */
export class Client {
  readonly url: string;
  readonly #acknowledged: Acknowledged;
  readonly #agent: Agent;

  constructor(url: string, certificateAuthority: string, acknowledged: Acknowledged) {
    this.url = url;
    this.#acknowledged = acknowledged;
    this.#agent = new Agent({
      connect: { ca: certificateAuthority },
      headersTimeout: 8_000,
      bodyTimeout: 8_000,
    });
  }

  /** Throws Unreachable when there is no whole answer. */
  async send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    try {
      const response = await request(new URL(path, this.url), {
        method,
        dispatcher: this.#agent,
        headers: {
          ...(sent.token === undefined ? {} : { authorization: `Bearer ${sent.token}` }),
          ...contentType(sent.body),
          ...sent.headers,
        },
        ...(sent.body === undefined ? {} : { body: wire(sent.body) }),
      });
      this.#remember(`${method} ${path} ${response.statusCode}`, response.statusCode, response.headers);
      const bytes = Buffer.from(await response.body.arrayBuffer());
      const text = () => bytes.toString('utf8');
      return { status: response.statusCode, bytes, text, json: () => JSON.parse(text()) as unknown };
    } catch (cause) {
      throw new Unreachable(`${method} ${path} got no answer: ${String(cause)}`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #remember(what: string, status: number, headers: Readonly<Record<string, unknown>>): void {
    const id = headers['x-request-id'];
    if (typeof id !== 'string') this.#acknowledged.surprises.push(`${what} carries no request id`);
    else this.#acknowledged.requests.set(id, what);
    if (status >= 500) this.#acknowledged.surprises.push(`${what} (${String(id)})`);
  }
}

function contentType(body: Sent['body']): Record<string, string> {
  if (body === undefined) return {};
  if (Buffer.isBuffer(body)) return { 'content-type': 'application/octet-stream' };
  if (body instanceof URLSearchParams) return { 'content-type': 'application/x-www-form-urlencoded' };
  return { 'content-type': 'application/json' };
}

function wire(body: Buffer | URLSearchParams | object): Buffer | string {
  if (Buffer.isBuffer(body)) return body;
  return body instanceof URLSearchParams ? body.toString() : JSON.stringify(body);
}
