import { EventEmitter } from 'node:events';
import { validateHeaderValue, type OutgoingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Outgoing } from '../ends.ts';
import type { Http2Request } from './request.ts';

/** Of a connection, which is not this answer's to speak of. RFC 9113 §8.2.2. */
const connectionSpecific = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
]);

/** Trailers that break an answer off have so long to be taken. */
const breakOffMilliseconds = 500;

/** The answer on one stream of an HTTP/2 connection: nothing that becomes of it touches the streams beside it. */
export class Http2Response implements Outgoing {
  statusCode = 0;
  readonly #request: Pick<Http2Request, 'dismiss'>;
  readonly #stream: ServerHttp2Stream;
  /** A head that nothing has followed yet: an answer without a body is one frame. */
  #head: OutgoingHttpHeaders | null = null;
  #mayTrail = false;
  #trailers: OutgoingHttpHeaders = {};
  #isBroken = false;
  /** What was written, and is not known to have gone to the connection. */
  #unsettled = 0;
  #isLost = false;
  readonly #closing = new EventEmitter();

  constructor(stream: ServerHttp2Stream, request: Pick<Http2Request, 'dismiss'>) {
    this.#stream = stream;
    this.#request = request;
    stream.on('error', ignore);
    stream.once('finish', () => {
      if (!this.#mayTrail) this.#dismissRest();
    });
    // A stream that ended well may close before Node says of the last write what became of it, which it does in the same turn.
    stream.once('close', () => {
      if (this.#unsettled === 0) this.#closing.emit('close');
      else setImmediate(() => this.#closing.emit('close'));
    });
  }

  get socket(): object {
    return this.#stream;
  }

  get headersSent(): boolean {
    return this.statusCode !== 0;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** The stream of a HEAD is finished from the beginning, and one that was reset calls itself finished too. */
  get writableFinished(): boolean {
    const { headersSent, writableFinished, writableEnded, aborted, rstCode } = this.#stream;
    if (!headersSent || (rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR)) return false;
    // Node says no `finish` of one that closes first.
    return writableFinished || (writableEnded && !aborted && this.#unsettled === 0 && !this.#isLost);
  }

  get writableEnded(): boolean {
    return this.#stream.writableEnded;
  }

  get writableNeedDrain(): boolean {
    return this.#stream.writableNeedDrain;
  }

  writeContinue(): void {
    if (!this.destroyed && !this.#stream.headersSent) this.#stream.additionalHeaders({ ':status': 100 });
  }

  writeEarlyHints(hints: Record<string, string | string[]>): void {
    if (this.destroyed || this.#stream.headersSent) return;
    this.#stream.additionalHeaders({ ':status': 103, ...sound(hints) });
  }

  /** Throws for what HTTP/2 has no head for; thrown later, nobody would be there to catch it. */
  writeHead(status: number, headers: OutgoingHttpHeaders): void {
    if (status < 200 || status > 599) throw new RangeError(`${status} is no status of an answer`);
    this.#head = { ':status': status, ...sound(headers) };
    this.statusCode = status;
  }

  awaitTrailers(): void {
    this.#mayTrail = true;
    this.#stream.once('wantTrailers', () => {
      if (this.destroyed) return;
      this.#unlessRefused(() => this.#stream.sendTrailers(this.#trailers));
      // They are sent at the next turn.
      setImmediate(() => this.#dismissRest());
    });
  }

  addTrailers(trailers: OutgoingHttpHeaders): void {
    this.#trailers = sound(trailers);
  }

  flushHeaders(): void {
    this.#respond(false);
  }

  write(chunk: string | Uint8Array): boolean {
    this.#respond(false);
    return this.destroyed || this.#isBroken ? false : this.#write(chunk);
  }

  end(last?: Uint8Array): void {
    this.#respond(!this.#mayTrail && last === undefined);
    if (this.destroyed) return;
    if (last !== undefined && last.length > 0) this.#write(last);
    this.#stream.end();
  }

  #write(chunk: string | Uint8Array): boolean {
    this.#unsettled++;
    return this.#stream.write(chunk, this.#settled);
  }

  readonly #settled = (error: Error | null | undefined): void => {
    this.#unsettled--;
    if (error) this.#isLost = true;
  };

  breakOff(trailers: OutgoingHttpHeaders): void {
    this.#isBroken = true;
    if (!this.#mayTrail || this.#stream.writableEnded) {
      this.destroy();
      return;
    }
    this.addTrailers(trailers);
    this.end();
    // What waits for a window goes before them, and may wait for ever.
    const enough = setTimeout(() => this.destroy(), breakOffMilliseconds);
    this.#stream.once('close', () => clearTimeout(enough));
  }

  destroy(): void {
    // `close` would end what was written until now before it resets it, and a client would take that for all.
    this.#stream.destroy(new Error('the answer breaks off'));
  }

  on(event: string, listener: (...values: unknown[]) => void): this {
    this.#emitterOf(event).on(event, listener);
    return this;
  }

  once(event: string, listener: (...values: unknown[]) => void): this {
    this.#emitterOf(event).once(event, listener);
    return this;
  }

  off(event: string, listener: (...values: unknown[]) => void): this {
    this.#emitterOf(event).off(event, listener);
    return this;
  }

  #emitterOf(event: string): EventEmitter {
    return event === 'close' ? this.#closing : this.#stream;
  }

  #respond(endStream: boolean): void {
    const head = this.#head;
    this.#head = null;
    if (head !== null && !this.destroyed) {
      const waitForTrailers = this.#mayTrail && !endStream;
      this.#unlessRefused(() => this.#stream.respond(head, { endStream, waitForTrailers }));
    }
  }

  /** Called from events, where nobody catches what Node thinks of a field: it breaks this answer off, and nothing else. */
  #unlessRefused(send: () => void): void {
    try {
      send();
    } catch (thrown) {
      this.#stream.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  #dismissRest(): void {
    if (this.writableFinished && !this.destroyed) this.#request.dismiss();
  }
}

/** What may be sent of these: nothing of the connection, and nothing that would be read as another field. */
function sound(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || connectionSpecific.has(name.toLowerCase())) continue;
    // Node checks no values here, and a NUL would end this one for it.
    for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, String(one));
    out[name] = value;
  }
  return out;
}

/** Whoever reads or writes the stream learns of it; without anybody it is only a client that left. */
function ignore(): void {
  // Nothing to do.
}
