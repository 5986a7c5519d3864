import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { bodyFollows } from '../edge/edge.ts';
import { ownsConnection, type Incoming, type Outgoing } from '../ends.ts';
import type { Reply, RequestHead } from '../types.ts';
import { pump, type PumpWatch } from './pump.ts';
import { sendBytes } from './send-bytes.ts';
import { giveUpUntaken, untakenMilliseconds } from './untaken.ts';

/** The length that a 304 may have is that of another answer. */
const statusesWithoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/** How much of an unread request body is drained, so that its sender gets to read the answer. */
const lingerBytes = 1_048_576;
const lingerMilliseconds = 1000;

export interface Responding {
  readonly head: RequestHead;
  readonly request: Incoming;
  readonly response: Outgoing;
  /** Of the policy as it stands when this is answered: what the request changed is in it. */
  readonly revision: number;
  /** Whether the connection ends with this answer, where it is this exchange's alone. */
  readonly last: boolean;
  /** How long a client may take nothing of it. */
  readonly untakenMilliseconds?: number | undefined;
  /** Told of every piece of the body that is sent. */
  sent(bytes: number): void;
  /** Told when all of it is written, while what the client still sends is drained. */
  told(): void;
  /** Told when the body itself broke off, before the connection is given up for it. */
  broke(): void;
}

/**
 * Writes the reply: its head with the headers that every answer of ours carries, then its body with backpressure.
 * Resolves when all of it is handed to the connection; rejects when the body fails or the client goes.
 */
export async function respond(reply: Reply, to: Responding): Promise<void> {
  const { request, response, head } = to;
  const unread = ownsConnection(request) && bodyFollows(request) && !request.complete;
  const headers = withDefaults(reply, to);
  if (unread || (to.last && ownsConnection(request))) headers['connection'] = 'close';
  const { body } = reply;
  const bodiless = head.method === 'HEAD' || statusesWithoutBody.has(reply.status);
  // Of these a length would be a body's to come, whatever an upstream says: RFC 9110 §8.6, §15.3.6.
  if (reply.status === 204 || reply.status === 205) delete headers['content-length'];
  giveUpUntaken(response, to.untakenMilliseconds ?? untakenMilliseconds);

  if (body instanceof Readable) {
    if (reply.status === 205 && ownsConnection(request)) headers['content-length'] = 0;
    response.writeHead(reply.status, headers);
    if (bodiless) body.destroy();
    else {
      const { trailers } = reply;
      if (trailers !== undefined) response.awaitTrailers?.();
      const watch: PumpWatch = { sent: (bytes) => to.sent(bytes), broke: () => to.broke() };
      if (trailers !== undefined) watch.trailers = () => mutable(trailers());
      await pump(body, response, watch);
      return;
    }
  } else {
    const bytes = body === undefined || reply.status === 205 ? Buffer.alloc(0) : Buffer.from(body);
    // Without a body, a HEAD says nothing of the length that a GET would have.
    const known = body !== undefined || head.method !== 'HEAD';
    const framed = bytes.length > 0 || ownsConnection(request);
    if (known && framed && reply.status !== 204 && reply.status !== 304)
      headers['content-length'] ??= bytes.length;
    response.writeHead(reply.status, headers);
    if (!bodiless && bytes.length > 0) {
      if (!unread) {
        await sendBytes(bytes, response, (count) => to.sent(count));
        return;
      }
      to.sent(bytes.length);
      response.write(bytes);
    } else if (unread) response.flushHeaders();
  }
  if (unread) {
    to.told();
    await linger(request);
  }
  response.end();
}

function withDefaults(reply: Reply, { head, revision }: Responding): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  Object.assign(headers, mutable(reply.headers ?? {}));
  headers['cache-control'] ??= 'no-store';
  headers['x-content-type-options'] = 'nosniff';
  headers['x-request-id'] = head.id;
  headers['lockstep-policy-revision'] = String(revision);
  return headers;
}

/** By lower-case names. */
function mutable(fields: Readonly<Record<string, string | readonly string[]>>): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(fields)) {
    out[name.toLowerCase()] = typeof value === 'string' ? value : [...value];
  }
  return out;
}

/** Reads on for a while and throws it away: closing with unread bytes would reset the connection under the answer. */
async function linger(request: Incoming): Promise<void> {
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
