import { Readable } from 'node:stream';
import { failure, LockstepError } from '../../lib/errors.ts';
import { bodyFollows } from '../edge/edge.ts';
import type { Incoming, Outgoing } from '../ends.ts';
import type { BodyRule } from '../types.ts';
import { pieceBytes, type Holding, type Shortage } from './memory-budget.ts';

/** How long a body may stand still, and how long a buffered one may take in all. */
const idleMilliseconds = 60_000;
const bufferedMilliseconds = 60_000;

/** How reading a body came out. */
export type BodyRead =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'failed'; readonly error: LockstepError };

/**
 * The body of one request under its route's rule. Nothing is read, and no `100 Continue` is sent, before somebody asks.
 * Throws `too_large`, `unsupported_media_type` or `invalid_request` where the head alone breaks the rule.
 */
export class RequestBody {
  readonly #request: Incoming;
  readonly #response: Outgoing;
  readonly #rule: BodyRule;
  #stream: Readable | null = null;
  #begun = false;
  /** Bytes read so far. */
  bytes = 0;
  /** Why reading failed, if it did: what a consumer makes of it may hide the reason. */
  failed: LockstepError | null = null;

  constructor(request: Incoming, response: Outgoing, rule: BodyRule) {
    this.#request = request;
    this.#response = response;
    this.#rule = rule;
    checkHead(request, rule);
  }

  /**
   * The whole body; empty unless the rule is `buffered`. What has arrived of it counts to `holding`, which whoever opened
   * it releases. Throws `too_large`, `invalid_request`, `too_many_requests` or `server_busy`.
   */
  async buffered(holding: Holding | null): Promise<Buffer> {
    if (this.#rule.kind !== 'buffered' || !bodyFollows(this.#request)) return Buffer.alloc(0);
    const chunks: Buffer[] = [];
    const stream = this.#open(this.#rule.maxBytes, holding);
    const deadline = setTimeout(() => stream.destroy(this.#fail(tooSlow())), bufferedMilliseconds);
    try {
      for await (const chunk of stream) chunks.push(chunk as Buffer);
    } finally {
      clearTimeout(deadline);
    }
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** The body with backpressure; empty unless the rule is `streamed`. */
  stream(): Readable {
    if (this.#stream !== null) return this.#stream;
    this.#stream =
      this.#rule.kind === 'streamed' && bodyFollows(this.#request)
        ? this.#open(this.#rule.maxBytes, null)
        : Readable.from([]);
    return this.#stream;
  }

  #open(maxBytes: number, holding: Holding | null): Readable {
    const request = this.#request;
    const mayPause = this.#rule.kind === 'streamed' && this.#rule.mayPause === true;
    let idle: NodeJS.Timeout | undefined;
    let pieces = 0;
    const onData = (chunk: Buffer): void => {
      this.bytes += chunk.length;
      idle?.refresh();
      pieces += 1;
      const shortage = holding?.hold(this.bytes + pieces * pieceBytes) ?? null;
      if (this.bytes > maxBytes) stream.destroy(this.#fail(tooLarge(maxBytes)));
      else if (shortage !== null) stream.destroy(this.#fail(crowded(shortage)));
      else if (!stream.push(chunk)) request.pause();
    };
    const onEnd = (): void => {
      // One that was broken off is told of by `close`.
      if (!request.complete) return;
      clearTimeout(idle);
      stream.push(null);
    };
    const onClose = (): void => {
      if (!request.complete) stream.destroy(this.#fail(broken()));
    };
    const onError = (cause: Error): void => {
      stream.destroy(this.#fail(broken(cause)));
    };
    const stream: Readable = new Readable({
      read: () => {
        if (!this.#begun) {
          this.#begun = true;
          if (request.headers.expect !== undefined) this.#response.writeContinue();
          if (!mayPause)
            idle = setTimeout(() => {
              // While the consumer holds back, the sender is not the slow one.
              if (request.isPaused()) idle?.refresh();
              else stream.destroy(this.#fail(tooSlow()));
            }, idleMilliseconds);
          request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
          if (request.readableEnded) return onEnd();
        }
        request.resume();
      },
      destroy: (error, done) => {
        clearTimeout(idle);
        request.off('data', onData).off('end', onEnd).off('close', onClose);
        request.pause();
        done(error);
      },
    });
    return stream;
  }

  #fail(error: LockstepError): LockstepError {
    this.failed ??= error;
    return error;
  }
}

function checkHead(request: Incoming, rule: BodyRule): void {
  const { headers } = request;
  if (!bodyFollows(request)) return;
  if (rule.kind === 'none') throw failure('invalid_request', 'This request takes no body.');
  if (Number(headers['content-length'] ?? 0) > rule.maxBytes) throw tooLarge(rule.maxBytes);
  if (rule.kind === 'streamed') return;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw failure('unsupported_media_type', 'The request body must not be compressed.');
  }
  const [essence = '', ...parameters] = (headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  if (!rule.mediaTypes.includes(essence) && !rule.mediaTypes.includes('*/*')) {
    const shown = essence === '' ? 'no media type' : `\`${essence.slice(0, 100)}\``;
    throw failure(
      'unsupported_media_type',
      `The request body has ${shown}; accepted is ${rule.mediaTypes.join(' or ')}.`,
    );
  }
  if (parameters.some((text) => text.startsWith('charset=') && !/^charset="?utf-?8"?$/.test(text))) {
    throw failure('unsupported_media_type', 'The request body must be UTF-8.');
  }
}

function tooLarge(maxBytes: number): LockstepError {
  return failure('too_large', `The request body is larger than ${maxBytes} bytes.`, { maxBytes });
}

function tooSlow(): LockstepError {
  return failure('invalid_request', 'The request body did not arrive in time.');
}

/** Nothing is wrong with the request: its sender is to come again. */
function crowded(shortage: Shortage): LockstepError {
  const retryAfterSeconds = 1;
  return shortage === 'process'
    ? new LockstepError({ code: 'server_busy', details: { retryAfterSeconds } })
    : failure(
        'too_many_requests',
        'What you have begun to send holds as much memory here as one caller may have; let some of it end, and try again.',
        { retryAfterSeconds },
      );
}

function broken(cause?: Error): LockstepError {
  return new LockstepError({
    code: 'invalid_request',
    publicMessage: 'The request body broke off.',
    ...(cause === undefined ? {} : { cause }),
  });
}
