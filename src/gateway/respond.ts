import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { LockstepError } from '../lib/errors.ts';
import { announcesBody } from './edge.ts';
import { pump } from './pump.ts';
import type { Reply, RequestHead } from './types.ts';

/** How much of an unread request body is drained, so that its sender gets to read the answer. */
const lingerBytes = 1_048_576;
const lingerMilliseconds = 1000;

export interface Responding {
  readonly head: RequestHead;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the policy as it stands when this is answered: what the request changed is in it. */
  readonly revision: number;
  /** Whether the connection ends with this answer. */
  readonly last: boolean;
  /** Told of every piece of the body that is sent. */
  sent(bytes: number): void;
  /** Told when the body itself broke off, before the connection is given up for it. */
  broke(): void;
}

/**
 * Writes the reply: its head with the headers that every answer of ours carries, then its body with backpressure.
 * Resolves when all of it is handed to the connection; rejects when the body fails or the client goes.
 */
export async function respond(reply: Reply, to: Responding): Promise<void> {
  const { request, response, head } = to;
  const unread = announcesBody(request.headers) && !request.complete;
  const headers = withDefaults(reply, to);
  if (unread || to.last) headers['connection'] = 'close';
  const { body } = reply;
  const bodiless = head.method === 'HEAD' || reply.status === 204 || reply.status === 304;

  if (body instanceof Readable) {
    response.writeHead(reply.status, headers);
    if (bodiless) body.destroy();
    else {
      await pump(body, response, to);
      return;
    }
  } else {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    // Without a body, a HEAD says nothing of the length that a GET would have.
    const known = body !== undefined || head.method !== 'HEAD';
    if (known && reply.status !== 204 && reply.status !== 304) headers['content-length'] ??= bytes.length;
    response.writeHead(reply.status, headers);
    if (!bodiless && bytes.length > 0) {
      response.write(bytes);
      to.sent(bytes.length);
    } else if (unread) response.flushHeaders();
  }
  if (unread) await linger(request);
  response.end();
}

/** Adds what a protocol's renderer may have left out: the challenge of a 401, the methods of a 405, when to come back. */
export function withErrorHeaders(reply: Reply, error: LockstepError): Reply {
  const added: Record<string, string> = {};
  const given = new Set(Object.keys(reply.headers ?? {}).map((name) => name.toLowerCase()));
  if (reply.status === 401 && !given.has('www-authenticate')) {
    const code = error.code === 'authentication_required' ? '' : ', error="invalid_token"';
    added['www-authenticate'] = `Bearer realm="lockstep"${code}`;
  }
  const { allow, retryAfterSeconds } = error.details;
  if (reply.status === 405 && Array.isArray(allow) && !given.has('allow')) added['allow'] = allow.join(', ');
  if (!given.has('retry-after')) {
    if (typeof retryAfterSeconds === 'number') added['retry-after'] = String(Math.ceil(retryAfterSeconds));
    else if (reply.status === 503) added['retry-after'] = '1';
  }
  return { ...reply, headers: { ...reply.headers, ...added } };
}

function withDefaults(reply: Reply, { head, revision }: Responding): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    headers[name.toLowerCase()] = typeof value === 'string' ? value : [...value];
  }
  headers['cache-control'] ??= 'no-store';
  headers['x-content-type-options'] = 'nosniff';
  headers['x-request-id'] = head.id;
  headers['lockstep-policy-revision'] = String(revision);
  return headers;
}

/** Reads on for a while and throws it away: closing with unread bytes would reset the connection under the answer. */
async function linger(request: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = lingerBytes;
  const enough = setTimeout(() => resolve(), lingerMilliseconds);
  const onData = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left <= 0) resolve();
  };
  request
    .on('data', onData)
    .once('close', () => resolve())
    .once('end', () => resolve());
  request.resume();
  await promise;
  clearTimeout(enough);
  request.off('data', onData).pause();
}
