import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyReader } from './body-reader.ts';
import { framingOf, keptFor, type AnswerFraming } from './framing.ts';
import { HeadParser } from './head-parser.ts';

/** What comes of bytes behind a head that are cut into chunks there. */
function outcomeOf(framing: AnswerFraming, bytes: Buffer, cuts: readonly number[]): unknown {
  const reader = bodyReader(framing);
  const pieces: Buffer[] = [];
  let from = 0;
  try {
    for (const to of [...cuts, bytes.length]) {
      const at = reader.take(bytes.subarray(from, to), 0, pieces);
      if (reader.isWhole) {
        return { text: textOf(pieces), trailers: { ...reader.trailers }, behind: bytes.length - from - at };
      }
      from = to;
    }
    return { text: textOf(pieces), whole: reader.mayEnd };
  } catch (thrown) {
    return (thrown as Error).name;
  }
}

function textOf(pieces: readonly Buffer[]): string {
  return Buffer.concat(pieces).toString('latin1');
}

const chunked: AnswerFraming = { kind: 'chunked' };
const chunkedOf = (text: string, cuts: readonly number[] = []): unknown =>
  outcomeOf(chunked, Buffer.from(text, 'latin1'), cuts);

const good: readonly (readonly [text: string, body: string, trailers: object, behind: number])[] = [
  ['0\r\n\r\n', '', {}, 0],
  ['5\r\nhello\r\n0\r\n\r\n', 'hello', {}, 0],
  ['a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\nnext', '01234567890123456789', {}, 4],
  ['0005\r\n\r\n0\r\n\r\n00\r\n\r\n', '\r\n0\r\n', {}, 0],
  ['3;a=b;c="d e";\xe9\r\nabc\r\n0;last\r\n\r\n', 'abc', {}, 0],
  ['1\r\na\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n', 'a', { 'x-sum': ['1', '2'] }, 0],
];

const bad: readonly (readonly [what: string, text: string])[] = [
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['a size that is no number', 'g\r\nhello\r\n0\r\n\r\n'],
  ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a size with an underscore', '0_5\r\nhello\r\n0\r\n\r\n'],
  ['a blank before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a blank behind the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a blank before an extension', '5 ;a\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'],
  ['a bare CR behind the size', '5\rhello\r\n0\r\n\r\n'],
  ['a bare LF in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['a NUL in an extension', '5;a\0\r\nhello\r\n0\r\n\r\n'],
  ['an extension larger than is taken', `5;${'a'.repeat(16_385)}\r\nhello\r\n0\r\n\r\n`],
  ['extensions together larger than is taken', `1;${'a'.repeat(100)}\r\nx\r\n`.repeat(170)],
  ['a chunk longer than it said', '4\r\nhello\r\n0\r\n\r\n'],
  ['a chunk shorter than it said', '6\r\nhello\r\n0\r\n\r\n'],
  ['a bare LF behind a chunk', '5\r\nhello\n0\r\n\r\n'],
  ['a bare CR behind a chunk', '5\r\nhello\r0\r\n\r\n'],
  ['nothing between chunks', '5\r\nhello0\r\n\r\n'],
  ['a size beyond what can be counted', '20000000000000\r\nx'],
  ['a size of 2^64', '10000000000000000\r\nx'],
  ['a size of 2^64 that wraps to 5', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size with more zeros than are taken', `${'0'.repeat(16)}5\r\nhello\r\n0\r\n\r\n`],
  ['something behind the last chunk', '0\r\nX'],
  ['another answer for trailers', '0\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a bare LF for the end', '0\r\n\n'],
  ['a blank before the colon of a trailer', '0\r\nx : y\r\n\r\n'],
  ['trailers larger than are taken', `0\r\nx: ${'a'.repeat(16_384)}\r\n\r\n`],
];

describe('a body in chunks', () => {
  it.each(good)('is taken: %j', (text, body, trailers, behind) => {
    expect(chunkedOf(text)).toEqual({ text: body, trailers, behind });
  });

  // A fault may also show in what comes next: whatever it is, it must.
  it.each(bad)('is not taken with %s', (_what, text) => {
    expect(chunkedOf(`${text}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`)).toBe('WireFault');
  });

  it('comes out alike wherever it is cut in two', () => {
    for (const text of [...good.map(([text]) => text), ...bad.map(([, text]) => text)]) {
      const whole = chunkedOf(text);
      const places =
        text.length > 1000 ? [1, 2, text.length - 1] : Array.from({ length: text.length }, (_, i) => i);
      for (const at of places) expect(chunkedOf(text, [at]), `${text} at ${at}`).toEqual(whole);
    }
  });

  it('is never whole when it is cut off', () => {
    for (const [text, , , behind] of good) {
      for (let length = 0; length < text.length - behind; length++) {
        expect(chunkedOf(text.slice(0, length))).toMatchObject({ whole: false });
      }
    }
  });

  it('comes out alike from any cuts, of whatever it was made', () => {
    const mutation = fc.record({
      at: fc.nat(100),
      byte: fc.constantFrom(0, 10, 13, 32, 48, 53, 59, 97, 103, 255),
    });
    const texts = [...good.map(([text]) => text), ...bad.map(([, text]) => text)].filter(
      (t) => t.length < 200,
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.array(mutation, { maxLength: 3 }),
        fc.array(fc.nat(100)),
        (text, mutations, places) => {
          const bytes = Buffer.from(text, 'latin1');
          for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
          const cuts = places.map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b);
          expect(outcomeOf(chunked, bytes, cuts)).toEqual(outcomeOf(chunked, bytes, []));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('is what it was before it was cut into chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })),
        fc.array(fc.nat(5000)),
        (parts, places) => {
          const bytes = Buffer.concat([
            ...parts.flatMap((part) => [
              Buffer.from(`${part.length.toString(16)}\r\n`),
              part,
              Buffer.from('\r\n'),
            ]),
            Buffer.from('0\r\n\r\n'),
          ]);
          const cuts = places.map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b);
          const text = Buffer.concat(parts).toString('latin1');
          expect(outcomeOf(chunked, bytes, cuts)).toEqual({ text, trailers: {}, behind: 0 });
        },
      ),
    );
  });
});

describe('a body of a length', () => {
  it('has so many bytes, and what is behind them is not its own', () => {
    const bytes = Buffer.from('helloHTTP/1.1 200 OK');
    const framing: AnswerFraming = { kind: 'length', bytes: 5 };
    for (let at = 0; at < bytes.length; at++) {
      expect(outcomeOf(framing, bytes, [at])).toMatchObject({ text: 'hello', behind: 15 });
    }
    for (let length = 0; length < 5; length++) {
      expect(outcomeOf(framing, bytes.subarray(0, length), [])).toMatchObject({ whole: false });
    }
  });

  it('may be none', () => {
    expect(outcomeOf({ kind: 'none' }, Buffer.from('x'), [])).toMatchObject({ text: '', behind: 1 });
  });
});

describe('a body without a length', () => {
  it('ends with its connection', () => {
    expect(outcomeOf({ kind: 'until-close' }, Buffer.from('hello'), [2])).toEqual({
      text: 'hello',
      whole: true,
    });
  });
});

/** Of a GET, if nothing else is said. */
function framingFor(lines: string, { status = '200', version = '1.1', method = 'GET' } = {}): unknown {
  const parser = new HeadParser();
  parser.take(Buffer.from(`HTTP/${version} ${status} X\r\n${lines}\r\n`), 0);
  const head = parser.head();
  if (head === null) throw new Error('no head');
  try {
    return framingOf(head, method);
  } catch (thrown) {
    return (thrown as Error).name;
  }
}

describe('where a body ends', () => {
  it.each([
    ['content-length: 5\r\n', { kind: 'length', bytes: 5 }],
    ['content-length: 005\r\n', { kind: 'length', bytes: 5 }],
    ['content-length: 0\r\n', { kind: 'none' }],
    ['transfer-encoding: Chunked\r\n', { kind: 'chunked' }],
    ['', { kind: 'until-close' }],
  ])('is said by %j', (lines, framing) => {
    expect(framingFor(lines)).toEqual(framing);
  });

  it.each([
    'content-length: 5\r\ncontent-length: 6\r\n',
    'content-length: 5\r\ncontent-length: 5\r\n',
    'Content-Length: 5\r\nCONTENT-LENGTH: 5\r\n',
    'content-length: 5, 5\r\n',
    'content-length: 5,6\r\n',
    'content-length:\r\n',
    'content-length: -5\r\n',
    'content-length: +5\r\n',
    'content-length: 5.0\r\n',
    'content-length: 5e1\r\n',
    'content-length: 0x5\r\n',
    'content-length: 5 5\r\n',
    'content-length: 9007199254740993\r\n',
    'content-length: 18446744073709551621\r\n',
    'content-length: 5\r\ntransfer-encoding: chunked\r\n',
    'transfer-encoding: chunked\r\ncontent-length: 0\r\n',
    'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n',
    'transfer-encoding: chunked, chunked\r\n',
    'transfer-encoding: gzip, chunked\r\n',
    'transfer-encoding: chunked, gzip\r\n',
    'transfer-encoding: identity\r\n',
    'transfer-encoding: xchunked\r\n',
    'transfer-encoding: chunked;q=1\r\n',
    'transfer-encoding: "chunked"\r\n',
    'transfer-encoding:\r\n',
  ])('is not said by %j', (lines) => {
    expect(framingFor(lines)).toBe('WireFault');
    // Nor is it passed over where there is no body.
    expect(framingFor(lines, { method: 'HEAD' })).toBe('WireFault');
    expect(framingFor(lines, { status: '304' })).toBe('WireFault');
  });

  it('is never said by a coding in HTTP/1.0', () => {
    expect(framingFor('transfer-encoding: chunked\r\n', { version: '1.0' })).toBe('WireFault');
  });

  it.each([{ method: 'HEAD' }, { status: '204' }, { status: '304' }])('is at once for %j', (how) => {
    expect(framingFor('content-length: 5\r\n', how)).toEqual({ kind: 'none' });
    expect(framingFor('transfer-encoding: chunked\r\n', how)).toEqual({ kind: 'none' });
    expect(framingFor('', how)).toEqual({ kind: 'none' });
  });
});

describe('a connection is kept', () => {
  const kept = (lines: string, version = '1.1', framing: AnswerFraming = { kind: 'none' }): number => {
    const parser = new HeadParser();
    parser.take(Buffer.from(`HTTP/${version} 200 OK\r\n${lines}\r\n`), 0);
    const head = parser.head();
    if (head === null) throw new Error('no head');
    return keptFor(head, framing, { most: 30_000, margin: 1000 });
  };

  it.each([
    ['', '1.1', 30_000],
    ['connection: keep-alive\r\n', '1.1', 30_000],
    ['connection: close\r\n', '1.1', 0],
    ['connection: x, Close\r\n', '1.1', 0],
    ['connection: keep-alive\r\nconnection: close\r\n', '1.1', 0],
    ['', '1.0', 0],
    ['connection: close\r\n', '1.0', 0],
    ['connection: Keep-Alive\r\n', '1.0', 30_000],
    ['keep-alive: timeout=5\r\n', '1.1', 4000],
    ['keep-alive: max=100, timeout=5\r\n', '1.1', 4000],
    ['keep-alive: timeout=1\r\n', '1.1', 0],
    ['keep-alive: timeout=0\r\n', '1.1', 0],
    ['keep-alive: timeout=600\r\n', '1.1', 30_000],
    ['keep-alive: whatever\r\n', '1.1', 30_000],
  ])('after %j in HTTP/%s for %i ms', (lines, version, milliseconds) => {
    expect(kept(lines, version)).toBe(milliseconds);
  });

  it('never after a body without a length', () => {
    expect(kept('connection: keep-alive\r\n', '1.1', { kind: 'until-close' })).toBe(0);
  });
});
