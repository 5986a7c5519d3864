import { TransportFault, type TransportRequest } from '../transport.ts';

/** How the body of a request is told from what follows it. */
export type RequestFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

export interface RequestHead {
  /** In latin1. */
  readonly text: string;
  readonly framing: RequestFraming;
}

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What may stand between the method and the version: no blank, no control character. */
const target = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/;
/** Without a body they say so, since one would be expected of them: RFC 9110 §8.6. */
const expectBody = new Set(['POST', 'PUT', 'PATCH']);

/** `own`: of this connection and where its requests end, which is for the client itself to say. */
type FieldKind = 'plain' | 'host' | 'length' | 'own';

/** Those that are met all the time, as they are spelled, and those that mean something here. */
const known: ReadonlyMap<string, FieldKind> = new Map([
  ...[
    'accept',
    'accept-encoding',
    'accept-language',
    'authorization',
    'cache-control',
    'content-encoding',
    'content-type',
    'cookie',
    'if-modified-since',
    'if-none-match',
    'origin',
    'range',
    'referer',
    'traceparent',
    'user-agent',
    'x-api-key',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-prefix',
    'x-forwarded-proto',
    'x-lockstep-assertion',
    'x-request-id',
  ].map((name) => [name, 'plain'] as const),
  ['host', 'host'],
  ['content-length', 'length'],
  ...['connection', 'expect', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
    (name) => [name, 'own'] as const,
  ),
]);

/**
 * The head of a request. A body that is streamed has the length that the headers say, and is chunked where they say none.
 * Throws a TransportFault for what cannot be sent as it is: nothing that would be read as another line, and no length
 * but the true one.
 */
export function requestHead(request: TransportRequest, authority: string): RequestHead {
  const { method, path, headers, body } = request;
  if (!token.test(method) || method === 'CONNECT') throw unsendable('the method');
  if (!target.test(path)) throw unsendable('the target');
  let text = '';
  let length: number | null = null;
  let hasHost = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    let value = headers[i + 1] ?? '';
    const kind = known.get(name) ?? kindOf(name);
    if (kind === 'own') throw unsendable(`the field ${name}`);
    if (kind === 'host') {
      if (hasHost) throw unsendable('a second host');
      hasHost = true;
    } else if (kind === 'length') {
      if (length !== null || !/^[0-9]{1,15}$/.test(value)) throw unsendable('the length');
      length = Number(value);
      // Zeros before it are read as octal by some.
      value = String(length);
    }
    text += `${name}: ${value}\r\n`;
  }
  mustBeLines(text, headers.length / 2);
  const start = `${method} ${path} HTTP/1.1\r\n${hasHost ? '' : `host: ${authority}\r\n`}`;
  if (Buffer.isBuffer(body) || body === null) {
    const bytes = body?.length ?? 0;
    if (length !== null && length !== bytes) throw unsendable('the length');
    const isSaid = length !== null || (bytes === 0 && !expectBody.has(method));
    const framed = isSaid ? '\r\n' : `content-length: ${bytes}\r\n\r\n`;
    return { text: start + text + framed, framing: { kind: 'none' } };
  }
  const framed = length === null ? 'transfer-encoding: chunked\r\n' : '';
  const expects = request.expectsContinue === true ? 'expect: 100-continue\r\n' : '';
  return {
    text: `${start}${text}${framed}${expects}\r\n`,
    framing: length === null ? { kind: 'chunked' } : { kind: 'length', bytes: length },
  };
}

/** The end of a chunked body. Throws as `requestHead` does. */
export function lastChunk(trailers: readonly string[]): string {
  let text = '';
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] ?? '';
    if (kindOf(name) !== 'plain') throw unsendable('a trailer');
    text += `${name}: ${trailers[i + 1] ?? ''}\r\n`;
  }
  mustBeLines(text, trailers.length / 2);
  return `0\r\n${text}\r\n`;
}

function kindOf(name: string): FieldKind {
  if (!token.test(name)) throw unsendable('the name of a field');
  return known.get(name.toLowerCase()) ?? 'plain';
}

/** V8 knows without looking that a string of bytes has none. */
const beyondLatin1 = /[^\0-\xff]/;

/**
 * Whether that is so many lines and no more, once it is latin1: a CR or LF in a value would be counted, and a character
 * of which one remains when it is cut to a byte is none of latin1. Not with a pattern over every value, because the
 * statement of who calls is long.
 */
function mustBeLines(text: string, lines: number): void {
  if (text.includes('\0') || countOf(text, '\r') !== lines || countOf(text, '\n') !== lines) {
    throw unsendable('the value of a field');
  }
  if (beyondLatin1.test(text)) throw unsendable('a character beyond latin1');
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count++;
  return count;
}

function unsendable(what: string): TransportFault {
  return new TransportFault('protocol', false, new Error(`${what} cannot be sent to an upstream`));
}
