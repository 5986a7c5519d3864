import type { IncomingHttpHeaders } from 'node:http';
import type { AnswerFraming } from './framing.ts';
import { TrailerParser } from './head-parser.ts';
import { WireFault } from './wire-fault.ts';

/** Finds the body of one answer in what comes behind its head. Pieces are views of the chunks, not copies. */
export interface BodyReader {
  /** Whether all of it has come. */
  readonly isWhole: boolean;
  /** Whether it is whole when the connection ends now. */
  readonly mayEnd: boolean;
  readonly trailers: IncomingHttpHeaders;
  /** Takes what is its own of a chunk, adds the pieces of the body, and says where the rest begins. Throws a WireFault. */
  take(chunk: Buffer, from: number, pieces: Buffer[]): number;
}

export function bodyReader(framing: AnswerFraming): BodyReader {
  switch (framing.kind) {
    case 'none':
      return new LengthReader(0);
    case 'length':
      return new LengthReader(framing.bytes);
    case 'chunked':
      return new ChunkedReader();
    case 'until-close':
      return new UntilCloseReader();
  }
}

const noTrailers: IncomingHttpHeaders = Object.freeze({});

class LengthReader implements BodyReader {
  readonly mayEnd = false;
  readonly trailers = noTrailers;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get isWhole(): boolean {
    return this.#left === 0;
  }

  take(chunk: Buffer, from: number, pieces: Buffer[]): number {
    const taken = Math.min(this.#left, chunk.length - from);
    if (taken === 0) return from;
    pieces.push(chunk.subarray(from, from + taken));
    this.#left -= taken;
    return from + taken;
  }
}

class UntilCloseReader implements BodyReader {
  readonly isWhole = false;
  readonly mayEnd = true;
  readonly trailers = noTrailers;

  take(chunk: Buffer, from: number, pieces: Buffer[]): number {
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    return chunk.length;
  }
}

/** What all the extensions of the chunks of a body may have together; nobody reads them. */
const mostExtensionBytes = 16_384;
const mostSizeDigits = 16;
/** Another digit behind it would no longer be counted exactly. */
const mostBeforeDigit = 2 ** 49;

const carriageReturn = 13;
const lineFeed = 10;
const semicolon = 59;

/** RFC 9112 §7.1: sizes in plain hexadecimal, lines that end in CRLF and in nothing else. */
class ChunkedReader implements BodyReader {
  readonly mayEnd = false;
  #state: 'size' | 'extension' | 'size-end' | 'data' | 'data-cr' | 'data-lf' | 'trailers' = 'size';
  #left = 0;
  #digits = 0;
  #extensionBytes = 0;
  readonly #trailers = new TrailerParser();

  get isWhole(): boolean {
    return this.#trailers.isOver;
  }

  get trailers(): IncomingHttpHeaders {
    return this.#trailers.fields;
  }

  take(chunk: Buffer, from: number, pieces: Buffer[]): number {
    let at = from;
    while (at < chunk.length && !this.isWhole) {
      if (this.#state === 'data') {
        const taken = Math.min(this.#left, chunk.length - at);
        pieces.push(chunk.subarray(at, at + taken));
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) this.#state = 'data-cr';
      } else if (this.#state === 'trailers') at = this.#trailers.take(chunk, at);
      else this.#step(chunk[at++] ?? 0);
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case 'size':
        return this.#sizeStep(byte);
      case 'extension':
        if (byte === carriageReturn) this.#state = 'size-end';
        else if (++this.#extensionBytes > mostExtensionBytes || isControl(byte)) {
          throw new WireFault('the extension of a chunk is malformed, or larger than is taken');
        }
        return;
      case 'size-end':
        must(byte, lineFeed);
        this.#digits = 0;
        this.#state = this.#left === 0 ? 'trailers' : 'data';
        return;
      case 'data-cr':
        must(byte, carriageReturn);
        this.#state = 'data-lf';
        return;
      case 'data-lf':
        must(byte, lineFeed);
        this.#state = 'size';
        return;
      case 'data':
      case 'trailers':
        return;
    }
  }

  #sizeStep(byte: number): void {
    const digit = hexadecimal(byte);
    if (digit >= 0) {
      if (++this.#digits > mostSizeDigits || this.#left >= mostBeforeDigit) {
        throw new WireFault('a chunk is larger than can be');
      }
      this.#left = this.#left * 16 + digit;
    } else if (this.#digits > 0 && byte === carriageReturn) this.#state = 'size-end';
    else if (this.#digits > 0 && byte === semicolon) this.#state = 'extension';
    else throw new WireFault('the size of a chunk is malformed');
  }
}

function must(byte: number, expected: number): void {
  if (byte !== expected) throw new WireFault('a line between chunks does not end in CRLF');
}

function isControl(byte: number): boolean {
  return (byte < 32 && byte !== 9) || byte === 127;
}

/** -1 for what is no digit. */
function hexadecimal(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
