import { request, Agent } from 'undici';

/** A plain HTTP client that trusts Lockstep's local authority; for the story's own set-up and its checks. */
export class LockstepClient {
  readonly url: string;
  readonly #agent: Agent;
  readonly #token: (resource: string) => Promise<string>;

  constructor(url: string, caCertificate: string, token: (resource: string) => Promise<string>) {
    this.url = url;
    this.#agent = new Agent({ connect: { ca: caCertificate } });
    this.#token = token;
  }

  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.send('GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body as T;
  }

  /** `expected` lists the statuses that are fine; any other throws with the body. */
  async change<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    expected: readonly number[],
  ): Promise<T> {
    const answer = await this.send(method, path, body);
    if (!expected.includes(answer.status)) {
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return answer.body as T;
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: unknown; headers: Readonly<Record<string, unknown>> }> {
    const isBytes = Buffer.isBuffer(body);
    const response = await request(new URL(path, this.url), {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${await this.#token(resourceOf(path))}`,
        ...(body === undefined
          ? {}
          : { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new Error(`${method} ${path} got no answer: ${String(cause)}`, { cause });
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: parsed(text), headers: response.headers };
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** Which API a path belongs to: each takes tokens of its own audience only. */
function resourceOf(path: string): string {
  if (path.startsWith('/v1.0/')) return 'https://graph.microsoft.com';
  if (path.startsWith('/admin/')) return 'api://lockstep';
  if (/^\/(subscriptions|providers|history)\//.test(path)) return 'https://management.azure.com';
  return 'https://storage.azure.com';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
