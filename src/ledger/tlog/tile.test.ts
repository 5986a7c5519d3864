import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBundle, encodeBundle } from './bundle.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { formatReceipt, parseReceipt } from './receipt.ts';
import { parseTilePath, splitTile, tilePath, tilesOf, type Tile } from './tile.ts';

describe('tile paths', () => {
  it.each<[string, Tile]>([
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/1/001.p/17', { level: 1, index: 1, width: 17 }],
    ['tile/entries/x001/000.p/255', { level: 'entries', index: 1000, width: 255 }],
  ])('%s is written and read as the specification has it', (path, tile) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  it.each([
    '',
    'checkpoint',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/../0/000',
    'tile/0/000\n',
    'tile/0/%2e%2e',
    'tile/entries/..',
    'tile/Entries/000',
    'tile/0/x001/x001/x001/x001/x001/001',
  ])('%j is not one', (path) => {
    expect(parseTilePath(path)).toBeNull();
  });

  it('survive the round trip', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 63 }),
        fc.nat({ max: 2 ** 30 }),
        fc.integer({ min: 1, max: 256 }),
        (level, index, width) => {
          expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
        },
      ),
    );
  });

  it('cover a log of 70,000 as the example of the specification', () => {
    const tiles = [...tilesOf(70_000)].filter((tile) => tile.level !== 'entries');
    expect(tiles.filter((tile) => tile.level === 0 && tile.width === 256)).toHaveLength(273);
    expect(tiles.filter((tile) => tile.level !== 0 || tile.width !== 256)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 0, width: 256 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ]);
    expect([...tilesOf(0)]).toEqual([]);
  });
});

describe('bundles and tiles', () => {
  it('survive the round trip, the longest entry included', () => {
    const entries = [new Uint8Array(), Buffer.alloc(65_535, 7), Buffer.from('x')];
    expect(decodeBundle(encodeBundle(entries), 3)?.map((entry) => Buffer.from(entry))).toEqual(
      entries.map((entry) => Buffer.from(entry)),
    );
    expect(() => encodeBundle([Buffer.alloc(65_536)])).toThrow(RangeError);
  });

  it('are refused when cut short, too long or of another count', () => {
    const bytes = encodeBundle([Buffer.from('ab'), Buffer.from('c')]);
    expect(decodeBundle(bytes, 1)).toBeNull();
    expect(decodeBundle(bytes, 3)).toBeNull();
    expect(decodeBundle(bytes.subarray(0, -1), 2)).toBeNull();
    expect(decodeBundle(Buffer.concat([bytes, Buffer.from([0])]), 2)).toBeNull();
    expect(splitTile(Buffer.alloc(64), 2)).toHaveLength(2);
    expect(splitTile(Buffer.alloc(65), 2)).toBeNull();
  });
});

describe('checkpoints and receipts', () => {
  const root = Buffer.alloc(32, 1).toString('base64');

  it.each([
    'o\n1\n',
    `o\n01\n${root}\n`,
    `o\n-1\n${root}\n`,
    `o\n1e3\n${root}\n`,
    `o\n99999999999999999999\n${root}\n`,
    `o\n1\n${root}`,
    `\n1\n${root}\n`,
    `o\n1\n${root}\n\nx\n`,
    `o\n1\n${root.slice(0, -4)}\n`,
    `o\n1\n${root.replace('=', '')}\n`,
  ])('%j is no checkpoint', (text) => {
    expect(parseCheckpoint(text)).toBeNull();
  });

  it('a receipt survives the round trip, with and without its extra', () => {
    for (const extra of [null, Buffer.from('{"a":1}'), Buffer.alloc(0)]) {
      const receipt = {
        extra,
        index: 73_894,
        proof: [Buffer.alloc(32, 3), Buffer.alloc(32, 4)],
        checkpoint: 'o\n1\n',
      };
      expect(parseReceipt(formatReceipt(receipt))).toEqual(receipt);
    }
  });

  it.each([
    'c2sp.org/tlog-proof@v2\nindex 0\n\no\n',
    'c2sp.org/tlog-proof@v1\nindex 00\n\no\n',
    'c2sp.org/tlog-proof@v1\nindex 0',
    'c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\no\n',
    'c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\no\n',
    'c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\no\n',
  ])('%j is no receipt', (text) => {
    expect(parseReceipt(text)).toBeNull();
  });
});
