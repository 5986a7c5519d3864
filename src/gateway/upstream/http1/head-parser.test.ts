import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadParser, TrailerParser } from './head-parser.ts';

/** What comes of bytes that are cut into chunks there: the head and what is left behind it, or why there is none. */
function outcomeOf(bytes: Buffer, cuts: readonly number[]): unknown {
  const parser = new HeadParser();
  let from = 0;
  try {
    for (const to of [...cuts, bytes.length]) {
      const chunk = bytes.subarray(from, to);
      const at = parser.take(chunk, 0);
      const head = parser.head();
      if (head !== null) return { ...head, headers: { ...head.headers }, behind: bytes.length - from - at };
      from = to;
    }
    return 'incomplete';
  } catch (thrown) {
    return (thrown as Error).name;
  }
}

function headOf(text: string): unknown {
  return outcomeOf(Buffer.from(text, 'latin1'), []);
}

const good: readonly (readonly [
  text: string,
  minor: number,
  status: number,
  headers: object,
  behind: number,
])[] = [
  ['HTTP/1.1 200 OK\r\n\r\n', 1, 200, {}, 0],
  ['HTTP/1.1 200 \r\n\r\n', 1, 200, {}, 0],
  ['HTTP/1.1 200\r\n\r\n', 1, 200, {}, 0],
  ['HTTP/1.0 404 Not  Found\twith\xe9\r\n\r\nrest', 0, 404, {}, 4],
  ['HTTP/1.1 999 ?\r\nA:b\r\n\r\n\r\n', 1, 999, { a: 'b' }, 2],
  [
    'HTTP/1.1 200 OK\r\nContent-Type: \t text/plain \t\r\nX:\r\nY: \r\n\r\n',
    1,
    200,
    { 'content-type': 'text/plain', x: '', y: '' },
    0,
  ],
  ['HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\nx-A:3\r\n\r\n', 1, 200, { 'x-a': ['1', '2', '3'] }, 0],
  ['HTTP/1.1 200 OK\r\nset-cookie: a=b\r\n\r\n', 1, 200, { 'set-cookie': ['a=b'] }, 0],
  ['HTTP/1.1 200 OK\r\nx: a b\tc: d\xff\r\n\r\n', 1, 200, { x: 'a b\tc: d\xff' }, 0],
  ["HTTP/1.1 200 OK\r\n!#$%&'*+-.^_`|~09: x\r\n\r\n", 1, 200, { "!#$%&'*+-.^_`|~09": 'x' }, 0],
];

const bad: readonly (readonly [what: string, text: string])[] = [
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['HTTP/0.9', '<html>\r\n\r\n'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
  ['HTTP/1.10', 'HTTP/1.10 200 OK\r\n\r\n'],
  ['lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['an empty line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a blank before it', ' HTTP/1.1 200 OK\r\n\r\n'],
  ['no status', 'HTTP/1.1 \r\n\r\n'],
  ['no status and no blank', 'HTTP/1.1\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status of 0xx', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a negative status', 'HTTP/1.1 -20 OK\r\n\r\n'],
  ['a status with letters', 'HTTP/1.1 2a0 OK\r\n\r\n'],
  ['two blanks before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a tab for the blank', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['a tab behind the status', 'HTTP/1.1 200\tOK\r\n\r\n'],
  ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ['a CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n'],
  ['a bare LF behind the status line', 'HTTP/1.1 200 OK\nx: y\r\n\r\n'],
  ['a bare LF behind a field', 'HTTP/1.1 200 OK\r\nx: y\nz: a\r\n\r\n'],
  ['a bare LF at the end', 'HTTP/1.1 200 OK\r\nx: y\r\n\n'],
  ['bare LFs alone', 'HTTP/1.1 200 OK\n\n'],
  ['two CRs before a LF', 'HTTP/1.1 200 OK\r\r\n\r\n'],
  ['a bare CR between fields', 'HTTP/1.1 200 OK\r\nlocation: /a\rset-cookie: x=1\r\n\r\n'],
  ['a bare CR for the last line', 'HTTP/1.1 200 OK\r\nx: y\r\n\rz: a\r\n\r\n'],
  ['a folded value', 'HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n'],
  ['a value folded by a tab', 'HTTP/1.1 200 OK\r\nx: y\r\n\tz\r\n\r\n'],
  ['a first field that is folded', 'HTTP/1.1 200 OK\r\n x: y\r\n\r\n'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n'],
  ['a tab before the colon', 'HTTP/1.1 200 OK\r\nContent-Length\t: 3\r\n\r\n'],
  ['no colon', 'HTTP/1.1 200 OK\r\nx\r\n\r\n'],
  ['no colon, and one in the next line', 'HTTP/1.1 200 OK\r\nx\r\ny: z\r\n\r\n'],
  ['no name', 'HTTP/1.1 200 OK\r\n: y\r\n\r\n'],
  ['a name that is no token', 'HTTP/1.1 200 OK\r\nx(y): z\r\n\r\n'],
  ['a name beyond ASCII', 'HTTP/1.1 200 OK\r\ncontent-length\xe9: 1\r\n\r\n'],
  ['a NUL in a name', 'HTTP/1.1 200 OK\r\nx\0: y\r\n\r\n'],
  ['a NUL in a value', 'HTTP/1.1 200 OK\r\nx: y\0\r\n\r\n'],
  ['a vertical tab before a value', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n'],
  ['a form feed behind a value', 'HTTP/1.1 200 OK\r\nContent-Length: 1\x0c\r\n\r\n'],
  ['an escape in a value', 'HTTP/1.1 200 OK\r\nx: \x1b[31m\r\n\r\n'],
  ['a DEL in a value', 'HTTP/1.1 200 OK\r\nx: y\x7f\r\n\r\n'],
  ['more fields than are taken', `HTTP/1.1 200 OK\r\n${'a:b\r\n'.repeat(513)}\r\n`],
  ['more bytes than are taken', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(65_536)}\r\n\r\n`],
];

describe('the head of an answer', () => {
  it.each(good)('is taken: %j', (text, minor, statusCode, headers, behind) => {
    expect(headOf(text)).toEqual({ minor, statusCode, headers, behind });
  });

  it.each(bad)('is not taken with %s', (_what, text) => {
    expect(headOf(text)).toBe('WireFault');
  });

  it('comes out alike wherever it is cut in two', () => {
    for (const text of [...good.map(([text]) => text), ...bad.map(([, text]) => text)]) {
      const bytes = Buffer.from(text, 'latin1');
      const whole = outcomeOf(bytes, []);
      // The large ones at their edges only.
      const places =
        bytes.length > 1000 ? [1, 17, bytes.length - 3, bytes.length - 1] : Array.from(bytes.keys());
      for (const at of places) expect(outcomeOf(bytes, [at]), `${text} at ${at}`).toEqual(whole);
    }
  });

  it('comes out alike byte by byte, and from any cuts, of whatever it was made', () => {
    const texts = [...good.map(([text]) => text), ...bad.map(([, text]) => text)].filter(
      (t) => t.length < 1000,
    );
    const mutation = fc.record({
      at: fc.nat(200),
      byte: fc.constantFrom(0, 9, 10, 13, 32, 48, 58, 65, 127, 128, 255),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.array(mutation, { maxLength: 3 }),
        fc.array(fc.nat(200)),
        (text, mutations, places) => {
          const bytes = Buffer.from(text, 'latin1');
          for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
          const whole = outcomeOf(bytes, []);
          const cuts = places.map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b);
          expect(outcomeOf(bytes, cuts)).toEqual(whole);
          expect(outcomeOf(bytes, Array.from(bytes.keys()))).toEqual(whole);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('is waited for while it can still become one', () => {
    for (const text of [
      '',
      'H',
      'HTTP/1.',
      'HTTP/1.1 200 OK',
      'HTTP/1.1 200 OK\r',
      'HTTP/1.1 200 OK\r\nx: y\r\n\r',
    ]) {
      expect(headOf(text)).toBe('incomplete');
    }
  });

  it.each([
    ['another protocol', 'SSH'],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nx: a\rb'],
    ['a head without an end', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(65_536)}`],
    ['lines without an end', `HTTP/1.1 200 OK\r\n${'x: aaaaaa\r\n'.repeat(510)}${'y'.repeat(60_000)}`],
  ])('is not waited for once it cannot: %s', (_what, text) => {
    expect(headOf(text)).toBe('WireFault');
  });

  it('is taken to the last byte that it may have, and not one more', () => {
    const around = 'HTTP/1.1 200 OK\r\nx: \r\n\r\n'.length;
    const of = (bytes: number): string => `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(bytes - around)}\r\n\r\n`;
    expect(headOf(of(65_536))).toMatchObject({ statusCode: 200 });
    expect(headOf(of(65_537))).toBe('WireFault');
    expect(outcomeOf(Buffer.from(of(65_536)), [65_535])).toMatchObject({ statusCode: 200 });
    expect(outcomeOf(Buffer.from(of(65_537)), [65_535])).toBe('WireFault');
  });

  it('has no field that did not come, and those that did whatever they are called', () => {
    const parser = new HeadParser();
    parser.take(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), 0);
    const none = parser.head()?.headers;
    expect([none?.['constructor'], none?.['__proto__'], none?.['toString']]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const names = 'constructor: a\r\n__proto__: b\r\n__proto__: c\r\nhasOwnProperty: d\r\n';
    parser.take(Buffer.from(`HTTP/1.1 200 OK\r\n${names}\r\n`), 0);
    expect(Object.entries(parser.head()?.headers ?? {})).toEqual([
      ['constructor', 'a'],
      ['__proto__', ['b', 'c']],
      ['hasownproperty', 'd'],
    ]);
    expect(Object.getPrototypeOf({})).not.toHaveProperty('b');
  });

  it('leaves nothing behind for the next one', () => {
    const parser = new HeadParser();
    const bytes = Buffer.from('HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\nHTTP/1.0 200 OK\r\nx: y\r\n\r\n');
    const at = parser.take(bytes, 0);
    expect(parser.head()).toMatchObject({ minor: 1, statusCode: 103, headers: { link: '</a>' } });
    expect(parser.head()).toBeNull();
    expect(parser.take(bytes, at)).toBe(bytes.length);
    const head = parser.head();
    expect({ ...head, headers: { ...head?.headers } }).toEqual({
      minor: 0,
      statusCode: 200,
      headers: { x: 'y' },
    });
  });
});

describe('trailers', () => {
  it.each([
    ['\r\n', {}],
    ['x-checksum: abc\r\n\r\n', { 'x-checksum': 'abc' }],
  ])('are taken: %j', (text, fields) => {
    const parser = new TrailerParser();
    expect(parser.take(Buffer.from(`${text}behind`), 0)).toBe(text.length);
    expect([parser.isOver, { ...parser.fields }]).toEqual([true, fields]);
  });

  it.each(
    [
      'X',
      '\n',
      'HTTP/1.1 200 OK\r\n',
      'x : y\r\n',
      ' x: y\r\n',
      'x: y\n',
      `x: ${'a'.repeat(16_384)}\r\n\r\n`,
    ].map((text) => [text]),
  )('are not taken: %j', (text) => {
    const parser = new TrailerParser();
    expect(() => parser.take(Buffer.from(`${text}\r\n\r\n`), 0)).toThrow();
  });
});
