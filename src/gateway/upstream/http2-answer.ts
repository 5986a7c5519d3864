import { validateHeaderValue, type IncomingHttpHeaders as PlainHeaders } from 'node:http';
import {
  constants,
  sensitiveHeaders,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { Readable } from 'node:stream';
import { isGrpc } from '../grpc.ts';
import { fieldsOfCall } from '../http2/call-fields.ts';
import {
  TransportFault,
  type TransportRequest,
  type TransportResponse,
  type TransportTimeouts,
} from './transport.ts';

/** Interim answers (1xx) of one request; an upstream that has more to say before its answer has none. */
const mostInterim = 16;

const unended = 'the stream was closed without the end of an answer';

/** Of a connection, which is HTTP/1.1's: RFC 9113 §8.2.2. */
const connectionSpecific = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
]);

/** Never put into a table of compression: RFC 7541 §7.1.3. */
const secret = ['authorization', 'cookie', 'x-lockstep-assertion', 'x-api-key'];

/** One request on a stream of its own, and what becomes of it. Throws where it cannot be made. */
export class Http2Answer {
  readonly response: Promise<TransportResponse>;
  readonly stream: ClientHttp2Stream;
  readonly #request: TransportRequest;
  readonly #abort = new AbortController();
  readonly #resolve: (response: TransportResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #isCall: boolean;
  readonly #headMilliseconds: number;
  readonly #idleMilliseconds: number;
  #timer: NodeJS.Timeout | undefined;
  #interim = 0;
  #fault: unknown = null;
  #body: AnswerBody | null = null;
  #isWhole = false;

  constructor(session: ClientHttp2Session, request: TransportRequest, timeouts: TransportTimeouts) {
    const { promise, resolve, reject } = Promise.withResolvers<TransportResponse>();
    this.response = promise;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    const { body, signal, trailers } = request;
    const headers = headersFor(request, session);
    const [contentType = ''] = [headers['content-type']].flat().map(String);
    this.#isCall = isGrpc({ headers: { 'content-type': contentType } });
    // A call says itself how long it may take, and may have nothing to say for hours.
    this.#headMilliseconds = this.#isCall ? 0 : timeouts.headMilliseconds;
    this.#idleMilliseconds = this.#isCall ? 0 : (request.idleMilliseconds ?? timeouts.idleMilliseconds);
    this.stream = session.request(headers, {
      endStream: body === null,
      waitForTrailers: body !== null && trailers !== undefined,
      // Node resets what is aborted by a signal as canceled, and ends nothing before.
      signal: this.#abort.signal,
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#watchEnd();
    this.#listen();
    if (body instanceof Readable) this.#send(body);
    else if (body !== null) this.stream.end(body);
  }

  /**
   * A stream that is reset with NO_ERROR is ended by Node as one that was whole, without a word: but only once it is
   * closed, which one that was ended by its sender is not yet. Nor does it then say that such a stream is closed as long
   * as the request waits for a window.
   */
  #watchEnd(): void {
    const { stream } = this;
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      if (chunk === null && !stream.closed) this.#isWhole = true;
      // Not at once: Node is in the midst of closing it.
      if (chunk === null && !this.#isWhole) setImmediate(() => this.#giveUp(new Error(unended)));
      return push(chunk, encoding);
    };
  }

  #listen(): void {
    const { stream } = this;
    stream.on('headers', (headers) => this.#inform(headers));
    stream.once('response', (headers, flags, raw) => this.#answer(this.#apart(headers, raw), flags));
    stream.once('finish', () => this.#waitForHead());
    stream.once('wantTrailers', () => {
      if (stream.destroyed) return;
      try {
        stream.sendTrailers(fieldsOf(this.#request.trailers?.() ?? []));
      } catch (thrown) {
        this.#giveUp(thrown);
      }
    });
    stream.on('error', (error: Error) => {
      this.#fault ??= error;
    });
    stream.once('close', () => {
      clearTimeout(this.#timer);
      this.#request.signal.removeEventListener('abort', this.#onAbort);
      if (this.#body === null) this.#reject(this.#reasonFor(this.#fault));
      else this.#body.broke(this.#reasonFor(this.#fault ?? new Error(unended)));
    });
  }

  /** With backpressure. What breaks off resets the stream: the upstream must not take it for whole. */
  #send(body: Readable): void {
    const { stream } = this;
    const onData = (chunk: Buffer): void => {
      if (!stream.write(chunk)) body.pause();
    };
    const onDrain = (): void => void body.resume();
    const onEnd = (): void => void stream.end();
    const onError = (error: Error): void => this.#giveUp(error);
    const onClose = (): void => {
      if (!body.readableEnded) this.#giveUp(new Error('the request broke off'));
    };
    // A first attempt may have paused it.
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose).resume();
    stream.on('drain', onDrain).once('close', () => {
      body.off('data', onData).off('end', onEnd).off('close', onClose).pause();
    });
  }

  #inform(headers: IncomingHttpHeaders): void {
    if (++this.#interim > mostInterim) {
      this.#giveUp(new TransportFault('protocol', true, new Error('interim answers without an end')));
    } else if (Number(headers[':status']) === 103) this.#request.hinted?.(plainHeaders(headers));
  }

  #answer(headers: IncomingHttpHeaders, flags: number): void {
    clearTimeout(this.#timer);
    const statusCode = Number(headers[':status']);
    const length = this.#request.method === 'HEAD' ? undefined : headers['content-length'];
    const body = new AnswerBody(this.stream, {
      idleMilliseconds: this.#idleMilliseconds,
      length: length === undefined ? null : Number(length),
      isWhole: () => this.#isWhole,
      giveUp: (reason) => this.#giveUp(reason),
    });
    this.#body = body;
    let trailers: PlainHeaders = {};
    this.stream.once('trailers', (fields: IncomingHttpHeaders, _flags: number, raw: string[]) => {
      trailers = plainHeaders(this.#apart(fields, raw));
    });
    this.#resolve({
      statusCode,
      headers: plainHeaders(headers),
      body,
      whole: null,
      endsWithHead: (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0,
      trailers: () => trailers,
    });
  }

  #apart(headers: IncomingHttpHeaders, raw: readonly string[]): IncomingHttpHeaders {
    return this.#isCall ? fieldsOfCall(headers, raw) : headers;
  }

  #waitForHead(): void {
    if (this.#headMilliseconds === 0 || this.#body !== null || this.stream.closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#giveUp(new TransportFault('timeout', true, new Error('no answer in time'))),
      this.#headMilliseconds,
    );
  }

  #giveUp(reason: unknown): void {
    this.#fault ??= reason;
    this.#abort.abort(reason);
  }

  readonly #onAbort = (): void => this.#giveUp(this.#request.signal.reason);

  #reasonFor(fault: unknown): unknown {
    if (this.#request.signal.aborted) return this.#request.signal.reason;
    if (fault instanceof TransportFault) return fault;
    const refused = this.stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    return new TransportFault('closed', !refused, fault ?? new Error(unended));
  }
}

/** Whether a request was not made because its connection takes no more. */
export function isRefused(thrown: unknown): boolean {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return code === 'ERR_HTTP2_GOAWAY_SESSION' || code === 'ERR_HTTP2_INVALID_SESSION';
}

function headersFor(
  { method, path, headers }: TransportRequest,
  session: ClientHttp2Session,
): OutgoingHttpHeaders {
  const fields = fieldsOf(headers);
  const host = headers[headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host') + 1];
  return {
    ':method': method,
    ':scheme': session.encrypted === true ? 'https' : 'http',
    ':authority': host,
    ':path': path,
    ...fields,
    // Trailers are passed on, and servers of gRPC insist on being told.
    te: 'trailers',
    [sensitiveHeaders]: secret,
  };
}

/** Names and values in turn, as Node takes them. Node checks no values here, and a NUL would end one for it. */
function fieldsOf(list: readonly string[]): OutgoingHttpHeaders {
  // No plain object: a field may be called `constructor`.
  const fields = new Map<string, string[]>();
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = (list[i] ?? '').toLowerCase();
    const value = list[i + 1] ?? '';
    validateHeaderValue(name, value);
    if (connectionSpecific.has(name)) continue;
    const others = fields.get(name);
    if (others === undefined) fields.set(name, [value]);
    else others.push(value);
  }
  return Object.fromEntries(fields);
}

function plainHeaders(headers: IncomingHttpHeaders): PlainHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
}

/** The readable side of a stream. Ends only when the answer was whole; when it is destroyed before, the stream is reset. */
class AnswerBody extends Readable {
  readonly #stream: ClientHttp2Stream;
  readonly #giveUp: (reason: Error) => void;
  readonly #idle: NodeJS.Timeout | undefined;
  #whole = false;

  constructor(
    stream: ClientHttp2Stream,
    {
      idleMilliseconds,
      length,
      isWhole,
      giveUp,
    }: {
      idleMilliseconds: number;
      length: number | null;
      isWhole: () => boolean;
      giveUp: (reason: Error) => void;
    },
  ) {
    super({ highWaterMark: 65_536 });
    this.#stream = stream;
    this.#giveUp = giveUp;
    // It may break before anybody listens; whoever reads it later finds it destroyed.
    this.on('error', () => undefined);
    let bytes = 0;
    if (idleMilliseconds > 0) {
      this.#idle = setTimeout(() => {
        // While its reader holds back, the upstream is not the slow one.
        if (stream.isPaused()) this.#idle?.refresh();
        else this.destroy(new TransportFault('timeout', true, 'the answer did not go on in time'));
      }, idleMilliseconds);
    }
    stream.on('data', (chunk: Buffer) => {
      this.#idle?.refresh();
      bytes += chunk.length;
      if (!this.push(chunk)) stream.pause();
    });
    stream.once('end', () => {
      // Node says `end` of what was reset too.
      if (!isWhole() || (length !== null && bytes !== length)) return;
      this.#whole = true;
      this.push(null);
    });
    stream.pause();
  }

  broke(fault: unknown): void {
    clearTimeout(this.#idle);
    if (this.#whole) return;
    this.destroy(fault instanceof Error ? fault : new Error('the answer broke off'));
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idle);
    if (this.#whole) return done(error);
    const reason = error ?? new Error('the answer was given up before its end');
    this.#giveUp(reason);
    done(reason);
  }
}
