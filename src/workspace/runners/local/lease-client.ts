import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

/** What came of asking the gateway for a token. */
export type TokenAnswer =
  | { readonly kind: 'token'; readonly token: string; readonly expiresAt: number; readonly issuedAt: number }
  /** The job has ended or its owner lost the right; asking again is of no use. */
  | { readonly kind: 'ended'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }
  /** The gateway cannot be reached or cannot serve at the moment. */
  | { readonly kind: 'away'; readonly message: string };

export interface LeaseClientOptions {
  readonly url: string;
  readonly certificateAuthority: string | null;
  readonly leaseId: string;
  readonly secret: string;
  readonly tokenSeconds: number | null;
}

const tokenBody = z.object({ access_token: z.string(), expires_on: z.number(), not_before: z.number() });
const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const answerMilliseconds = 10_000;

/** The shim's side of `/lockstep/v1/leases/{id}`. */
export class LeaseClient {
  readonly #options: LeaseClientOptions;
  readonly #agent: Agent;

  constructor(options: LeaseClientOptions) {
    this.#options = options;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 4,
      ...(options.certificateAuthority === null ? {} : { ca: options.certificateAuthority }),
    });
  }

  async token(resource: string): Promise<TokenAnswer> {
    const { tokenSeconds } = this.#options;
    const body = { resource, ...(tokenSeconds === null ? {} : { lifetimeSeconds: tokenSeconds }) };
    const answer = await this.#post('token', body);
    if (answer.kind === 'away') return answer;
    if (answer.status === 200) {
      const {
        access_token: token,
        expires_on: expiresAt,
        not_before: issuedAt,
      } = tokenBody.parse(answer.body);
      return { kind: 'token', token, expiresAt, issuedAt };
    }
    const error = errorBody.safeParse(answer.body).data?.error;
    const message = error?.message ?? `The gateway answered ${answer.status}.`;
    if (answer.status >= 500 || answer.status === 429) return { kind: 'away', message };
    return { kind: answer.status === 400 ? 'refused' : 'ended', message };
  }

  /** Tells that the job has ended; the gateway sees it by itself too, only a little later. */
  async exit(result: object): Promise<void> {
    await this.#post('exit', result);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Fetches a blob into a file, which appears whole or not at all. Throws with the storage's own words on a refusal. */
  async download(url: string, token: string, file: string): Promise<'done' | 'unauthorized'> {
    const response = await this.#send(url, 'GET', {
      authorization: `Bearer ${token}`,
      'x-ms-version': '2024-11-04',
    });
    if (response.statusCode === 401) {
      response.resume();
      return 'unauthorized';
    }
    if (response.statusCode !== 200)
      throw new DownloadRefused(response.statusCode ?? 0, await textOf(response));
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await pipeline(response, createWriteStream(`${file}.part`, { mode: 0o600 }));
    await rename(`${file}.part`, file);
    return 'done';
  }

  async #post(
    verb: string,
    value: object,
  ): Promise<{ kind: 'answer'; status: number; body: unknown } | { kind: 'away'; message: string }> {
    const { url, leaseId, secret } = this.#options;
    const bytes = Buffer.from(JSON.stringify(value));
    try {
      const response = await this.#send(
        `${url}/lockstep/v1/leases/${leaseId}/${verb}`,
        'POST',
        {
          authorization: `Bearer ${secret}`,
          'content-type': 'application/json',
          'content-length': String(bytes.length),
        },
        bytes,
      );
      const text = await textOf(response);
      return {
        kind: 'answer',
        status: response.statusCode ?? 0,
        body: text === '' ? null : JSON.parse(text),
      };
    } catch (error) {
      return { kind: 'away', message: error instanceof Error ? error.message : String(error) };
    }
  }

  #send(
    url: string,
    method: string,
    headers: Record<string, string>,
    body?: Buffer,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method, headers, agent: this.#agent, timeout: answerMilliseconds },
        resolve,
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${answerMilliseconds} ms`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

export class DownloadRefused extends Error {
  readonly status: number;

  constructor(status: number, body: string) {
    super(`the storage answered ${status}: ${body.slice(0, 500)}`);
    this.name = 'DownloadRefused';
    this.status = status;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > 1_048_576) throw new Error('the answer is larger than 1 MiB');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Waits between attempts: 100 ms at first, doubling to 2 s, ± 25 %. */
export async function backOff(attempt: number, signal?: AbortSignal): Promise<void> {
  const milliseconds = Math.min(2000, 100 * 2 ** attempt) * (0.75 + Math.random() / 2);
  await pause(milliseconds, undefined, signal === undefined ? {} : { signal });
}
