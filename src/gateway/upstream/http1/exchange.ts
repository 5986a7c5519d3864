import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import {
  TransportFault,
  type TransportFaultKind,
  type TransportRequest,
  type TransportResponse,
  type TransportTimeouts,
} from '../transport.ts';
import { WholeResponse } from '../whole-response.ts';
import { AnswerBody } from './answer-body.ts';
import { bodyReader, type BodyReader } from './body-reader.ts';
import type { Deadline } from './deadline.ts';
import { fieldOf, framingOf, keptFor } from './framing.ts';
import type { AnswerHead, HeadParser } from './head-parser.ts';
import type { RequestHead } from './request-head.ts';
import { Upload } from './upload.ts';
import { WireFault } from './wire-fault.ts';

/** Interim answers (1xx) of one request; an upstream that has more to say before its answer has none. */
const mostInterim = 16;
/** A body that is to be wanted first is kept for no longer: RFC 9110 §10.1.1. */
const continueMilliseconds = 1000;
/** A connection that nobody needs is closed after so long, or so much before the upstream says that it will be. */
const keepAlive = { most: 30_000, margin: 1000 };
/** Of one read; where there are more they are joined, so that many chunks of a byte do not cost much each. */
const mostPieces = 8;

/** The connection, as the exchange sees it that has it. */
export interface Wire {
  readonly socket: Socket;
  readonly parser: HeadParser;
  readonly timeouts: TransportTimeouts;
  /** Tells the exchange by `isLate`. */
  readonly deadline: Deadline;
  /** Both ways are over, and another may follow within so many milliseconds; 0: none. */
  release(keptMilliseconds: number): void;
  destroy(): void;
}

/** One request on a connection, and its answer. */
export class Exchange {
  readonly response: Promise<TransportResponse>;
  readonly #wire: Wire;
  readonly #request: TransportRequest;
  readonly #resolve: (response: TransportResponse) => void;
  readonly #reject: (reason: unknown) => void;
  #upload: Upload | null = null;
  /** While the body waits to be wanted. */
  #continueTimer: NodeJS.Timeout | undefined;
  #isSent = false;
  /** Whether the connection is none of its business any more. */
  #isOver = false;
  #interim = 0;
  /** Until it is known whether the body came with it. */
  #head: AnswerHead | null = null;
  #reader: BodyReader | null = null;
  #body: AnswerBody | null = null;
  #keptMilliseconds = 0;

  constructor(wire: Wire, request: TransportRequest) {
    const { promise, resolve, reject } = Promise.withResolvers<TransportResponse>();
    this.response = promise;
    this.#wire = wire;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  send({ text, framing }: RequestHead): void {
    const { socket } = this.#wire;
    const { body, expectsContinue, trailers } = this.#request;
    if (body instanceof Readable) {
      this.#upload = new Upload(socket, body, framing, {
        trailers: () => trailers?.() ?? [],
        sent: () => this.#sent(),
        stalls: (does) => this.#stalls(does),
        broke: (reason) => this.broken(reason),
      });
      if (expectsContinue === true) {
        socket.write(text, 'latin1');
        this.#continueTimer = setTimeout(() => this.#continue(), continueMilliseconds);
        return;
      }
      // What there is of the body already shares the packet of the head.
      socket.cork();
      socket.write(text, 'latin1');
      setImmediate(() => socket.uncork());
      this.#upload.begin();
      return;
    }
    if (body === null || body.length === 0) socket.write(text, 'latin1');
    else {
      socket.cork();
      socket.write(text, 'latin1');
      socket.write(body);
      socket.uncork();
    }
    this.#sent();
  }

  /** What the connection brings. Bytes behind the answer are nobody's: the connection ends with them. */
  take(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      const at = this.#reader === null ? this.#takeHeads(chunk) : 0;
      const reader = this.#reader;
      if (reader === null) return;
      const pieces: Buffer[] = [];
      const end = reader.take(chunk, at, pieces);
      if (end < chunk.length) this.#keptMilliseconds = 0;
      this.#pass(reader, pieces);
    } catch (thrown) {
      if (!(thrown instanceof WireFault)) throw thrown;
      this.#fail('protocol', thrown);
    }
  }

  /** The upstream has said all that it will say. */
  ended(): void {
    if (this.#reader?.mayEnd === true) this.#complete();
    else this.broken(new Error('the upstream closed the connection'));
  }

  broken(reason: Error): void {
    this.#fail('closed', reason);
  }

  isLate(): void {
    if (this.#body === null) this.#fail('timeout', new Error('no answer in time'));
    // While its reader holds back, the upstream is not the slow one.
    else if (this.#wire.socket.isPaused()) this.#watchIdle();
    else this.#fail('timeout', new Error('the answer did not go on in time'));
  }

  /** Where the body begins in the chunk, if it does. */
  #takeHeads(chunk: Buffer): number {
    const { parser } = this.#wire;
    let at = 0;
    for (;;) {
      at = parser.take(chunk, at);
      const head = parser.head();
      if (head === null) return at;
      if (head.statusCode >= 200) {
        this.#begin(head);
        return at;
      }
      this.#inform(head);
    }
  }

  #inform({ minor, statusCode, headers }: AnswerHead): void {
    if (++this.#interim > mostInterim) throw new WireFault('interim answers without an end');
    if (statusCode === 101) throw new WireFault('the upstream changed protocols unasked');
    if (minor === 0) throw new WireFault('HTTP/1.0 has no interim answers');
    const length = fieldOf(headers, 'content-length');
    if (headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
      throw new WireFault('an interim answer has no body');
    }
    if (statusCode === 103) this.#request.hinted?.(headers);
    if (statusCode !== 100) return;
    if (this.#request.expectsContinue !== true) throw new WireFault('the upstream said 100 unasked');
    this.#continue();
  }

  #continue(): void {
    if (this.#continueTimer === undefined) return;
    clearTimeout(this.#continueTimer);
    this.#continueTimer = undefined;
    this.#upload?.begin();
  }

  #begin(head: AnswerHead): void {
    const framing = framingOf(head, this.#request.method);
    this.#wire.deadline.stop();
    // A body that was not wanted until now is not sent any more.
    clearTimeout(this.#continueTimer);
    this.#continueTimer = undefined;
    this.#keptMilliseconds = keptFor(head, framing, keepAlive);
    this.#head = head;
    this.#reader = bodyReader(framing);
  }

  #pass(reader: BodyReader, pieces: readonly Buffer[]): void {
    const { isWhole } = reader;
    const head = this.#head;
    if (head !== null) {
      this.#head = null;
      if (isWhole && isEmpty(reader.trailers)) {
        this.#complete();
        this.#resolve(new WholeResponse(head.statusCode, head.headers, wholeOf(pieces)));
        return;
      }
      this.#open(head, reader);
    }
    this.#body?.arrive(pieces.length > mostPieces ? [Buffer.concat(pieces)] : pieces);
    if (isWhole) this.#complete();
    else if (!this.#isOver) this.#watchIdle();
  }

  #open({ statusCode, headers }: AnswerHead, reader: BodyReader): void {
    const { socket } = this.#wire;
    const body = new AnswerBody({
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      giveUp: () => this.#leave(),
    });
    body.once('close', () => this.#request.signal.removeEventListener('abort', this.#onAbort));
    this.#body = body;
    const trailers = (): IncomingHttpHeaders => reader.trailers;
    this.#resolve({ statusCode, headers, body, whole: null, endsWithHead: false, trailers });
  }

  #watchIdle(): void {
    const { deadline, timeouts } = this.#wire;
    deadline.start(this.#request.idleMilliseconds ?? timeouts.idleMilliseconds);
  }

  #sent(): void {
    this.#isSent = true;
    // An answer may begin before the request has ended.
    if (this.#reader === null) this.#wire.deadline.start(this.#wire.timeouts.headMilliseconds);
  }

  #stalls(does: boolean): void {
    if (this.#reader !== null) return;
    const { deadline, timeouts } = this.#wire;
    if (does) deadline.start(timeouts.headMilliseconds);
    else deadline.stop();
  }

  /** The answer is whole. The connection may serve the next request before anybody reads this one's. */
  #complete(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const body = this.#body;
    if (body === null) this.#request.signal.removeEventListener('abort', this.#onAbort);
    else body.complete();
    this.#upload?.stop();
    if (this.#isSent) this.#wire.release(this.#keptMilliseconds);
    else this.#wire.destroy();
  }

  #fail(kind: TransportFaultKind, cause: Error): void {
    this.#giveUp(new TransportFault(kind, true, cause));
  }

  readonly #onAbort = (): void => {
    const reason: unknown = this.#request.signal.reason;
    if (this.#isOver) this.#body?.destroy(asError(reason));
    else this.#giveUp(reason);
  };

  #giveUp(reason: unknown): void {
    if (this.#isOver) return;
    const body = this.#body;
    this.#leave();
    if (body === null) this.#reject(reason);
    else body.destroy(asError(reason));
  }

  /** Before the end of it: nothing else may come by this connection. */
  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#continueTimer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#upload?.stop();
    this.#wire.destroy();
  }
}

function wholeOf(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}

function isEmpty(fields: IncomingHttpHeaders): boolean {
  for (const _ in fields) return false;
  return true;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
