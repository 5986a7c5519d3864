import type { IncomingHttpHeaders } from 'node:http';
import { WireFault } from './wire-fault.ts';

/** The head of an answer, interim ones among them. */
export interface AnswerHead {
  /** 1.`minor`. */
  readonly minor: 0 | 1;
  readonly statusCode: number;
  /** By lower-case names; what came more than once is a list, and `set-cookie` always. Values are latin1, byte for byte. */
  readonly headers: IncomingHttpHeaders;
}

const mostHeadBytes = 65_536;
const mostTrailerBytes = 16_384;
/** As many as an answer of HTTP/2 may have. */
const mostFields = 512;

const carriageReturn = 13;

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** All but HTAB, SP, VCHAR and obs-text: RFC 9110 §5.5. */
const noText = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Reads lines of fields, and a status line before them where there is to be one, as they come: however they are cut into
 * chunks, the same comes of them. Strict as RFC 9112 allows a client to be: every line ends in CRLF and holds no other CR
 * or LF, nothing is folded, a name is a token with its colon right behind it, a value has no control characters. Throws a
 * WireFault as soon as it is sure that something else is there, and for what is larger than is taken.
 */
class FieldLines {
  readonly #hasStatusLine: boolean;
  readonly #mostBytes: number;
  /** Of a line whose end has not come yet. */
  #rest = '';
  #bytes = 0;
  #count = 0;
  #minor: 0 | 1 = 1;
  #statusCode = 0;
  #fields: IncomingHttpHeaders = new Fields();
  #isOver = false;

  constructor(hasStatusLine: boolean, mostBytes: number) {
    this.#hasStatusLine = hasStatusLine;
    this.#mostBytes = mostBytes;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get minor(): 0 | 1 {
    return this.#minor;
  }

  get statusCode(): number {
    return this.#statusCode;
  }

  get fields(): IncomingHttpHeaders {
    return this.#fields;
  }

  reset(): void {
    this.#rest = '';
    this.#bytes = 0;
    this.#count = 0;
    this.#statusCode = 0;
    this.#fields = new Fields();
    this.#isOver = false;
  }

  /** Takes what is its own of a chunk, and says where the rest begins. */
  take(chunk: Buffer, from: number): number {
    const room = this.#mostBytes - this.#bytes + 1;
    const before = this.#rest.length;
    const text = this.#rest + chunk.toString('latin1', from, Math.min(chunk.length, from + room));
    let at = 0;
    for (;;) {
      const end = text.indexOf('\n', at);
      if (end === -1) break;
      if (end === at || text.charCodeAt(end - 1) !== carriageReturn) {
        throw new WireFault('a line of the head ends in a bare LF');
      }
      const lineEnd = end - 1;
      if (this.#hasStatusLine && this.#statusCode === 0) this.#takeStatusLine(text, at, lineEnd);
      else if (lineEnd === at) {
        const taken = end + 1 - before;
        this.#account(taken);
        this.#isOver = true;
        return from + taken;
      } else this.#takeField(text, at, lineEnd);
      at = end + 1;
    }
    this.#account(text.length - before);
    this.#rest = at === 0 ? text : text.slice(at);
    this.#checkRest();
    return chunk.length;
  }

  #account(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#mostBytes) throw new WireFault('the head is larger than is taken');
  }

  /** What can become no line any more is not waited for. */
  #checkRest(): void {
    const rest = this.#rest;
    const bare = rest.indexOf('\r');
    if (bare !== -1 && bare !== rest.length - 1) throw new WireFault('a line of the head holds a bare CR');
    if (!this.#hasStatusLine || this.#statusCode !== 0) return;
    const start = 'HTTP/1.';
    if (!start.startsWith(rest.slice(0, start.length))) throw new WireFault('what came is not HTTP/1');
  }

  /** RFC 9112 §4, but that the space before an empty reason may be missing, as it often is. */
  #takeStatusLine(text: string, from: number, to: number): void {
    const minor = text.charCodeAt(from + 7) - 48;
    if (!text.startsWith('HTTP/1.', from) || (minor !== 0 && minor !== 1)) {
      throw new WireFault('what came is not HTTP/1');
    }
    const status = statusIn(text, from + 8, to);
    if (status === null || noText.test(text.slice(from + 12, to))) {
      throw new WireFault('the status line is malformed');
    }
    this.#minor = minor;
    this.#statusCode = status;
  }

  #takeField(text: string, from: number, to: number): void {
    if (++this.#count > mostFields) throw new WireFault('there are more fields than are taken');
    const colon = text.indexOf(':', from);
    if (colon === -1 || colon > to) throw new WireFault('a line of the head is no field');
    const spelled = text.slice(from, colon);
    const name = known.get(spelled) ?? lowerCase(spelled);
    let start = colon + 1;
    let end = to;
    while (start < end && isBlank(text.charCodeAt(start))) start++;
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
    const value = text.slice(start, end);
    if (noText.test(value)) throw new WireFault(`the field ${name} holds a control character`);
    const others = this.#fields[name];
    if (others === undefined) this.#fields[name] = name === 'set-cookie' ? [value] : value;
    else if (typeof others === 'string') this.#fields[name] = [others, value];
    else others.push(value);
  }
}

/** The heads of answers, one after another. */
export class HeadParser {
  readonly #lines = new FieldLines(true, mostHeadBytes);

  /** Where what follows it begins in the chunk; the head, once that has come, is `head`'s to give. */
  take(chunk: Buffer, from: number): number {
    return this.#lines.take(chunk, from);
  }

  /** Null while it is not all there. Given once: what is taken next belongs to the next one. */
  head(): AnswerHead | null {
    const lines = this.#lines;
    if (!lines.isOver) return null;
    const head = { minor: lines.minor, statusCode: lines.statusCode, headers: lines.fields };
    lines.reset();
    return head;
  }
}

/** The fields behind a body, and the empty line that ends them. */
export class TrailerParser {
  readonly #lines = new FieldLines(false, mostTrailerBytes);

  get isOver(): boolean {
    return this.#lines.isOver;
  }

  get fields(): IncomingHttpHeaders {
    return this.#lines.fields;
  }

  take(chunk: Buffer, from: number): number {
    return this.#lines.take(chunk, from);
  }
}

/** No field is there before it came, whatever it is called: `constructor`, `__proto__`. */
class Fields {
  readonly [name: string]: undefined;
}
Object.setPrototypeOf(Fields.prototype, null);
Reflect.deleteProperty(Fields.prototype, 'constructor');

/** Three digits between blanks, or at the end of the line; none less than 100. */
function statusIn(text: string, from: number, to: number): number | null {
  if (to < from + 4 || text.charCodeAt(from) !== 32) return null;
  if (to > from + 4 && text.charCodeAt(from + 4) !== 32) return null;
  let status = 0;
  for (let i = from + 1; i < from + 4; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return null;
    status = status * 10 + digit;
  }
  return status < 100 ? null : status;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function lowerCase(spelled: string): string {
  if (!token.test(spelled)) throw new WireFault('the name of a field is no token');
  return spelled.toLowerCase();
}

/** Those that are met all the time, as they are spelled. */
const known: ReadonlyMap<string, string> = new Map(
  [
    'Accept-Ranges',
    'Access-Control-Allow-Credentials',
    'Access-Control-Allow-Origin',
    'Age',
    'Cache-Control',
    'Connection',
    'Content-Disposition',
    'Content-Encoding',
    'Content-Language',
    'Content-Length',
    'Content-Range',
    'Content-Security-Policy',
    'Content-Type',
    'Date',
    'ETag',
    'Etag',
    'Expires',
    'Keep-Alive',
    'Last-Modified',
    'Location',
    'Pragma',
    'Referrer-Policy',
    'Server',
    'Set-Cookie',
    'Strict-Transport-Security',
    'Transfer-Encoding',
    'Vary',
    'Via',
    'X-Content-Type-Options',
    'X-Frame-Options',
    'X-Powered-By',
    'X-Request-Id',
  ].flatMap((name) => [
    [name, name.toLowerCase()],
    [name.toLowerCase(), name.toLowerCase()],
  ]),
);
