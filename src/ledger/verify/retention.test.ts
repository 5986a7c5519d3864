import { describe, expect, it } from 'vitest';
import { memorySource } from '../sources/memory-source.ts';
import { entries, entryNumber, MemoryLog } from '../testing/memory-log.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { formatReceipt } from '../tlog/receipt.ts';
import { inclusionProof } from '../tlog/proof.ts';
import { endOf, parseTilePath, tileWidth, type Tile } from '../tlog/tile.ts';
import { subtreesOf } from './read-tile.ts';
import { formatRetention } from './retention.ts';
import { verifyConsistency } from './verify-consistency.ts';
import { verifyLog } from './verify-log.ts';
import { verifyReceipt } from './verify-receipt.ts';

const log = new MemoryLog();
const key = log.signer.verifierKey;
const sizes = [65_536, 65_900, 66_048, 66_600];
const notes = sizes.map((size, i) => log.grow(entries(sizes[i - 1] ?? 0, size)));
const size = 66_600;

/** The log without all that may go when entries from `kept` on are kept, and its statement of that. */
function without(kept: number, stated = kept): Map<string, Uint8Array> {
  const files = new Map(
    [...log.files].filter(([path]) => {
      const tile = parseTilePath(path);
      return tile === null || endOf(tile) > kept;
    }),
  );
  const { root } = parseCheckpoint(`${notes.at(-1)?.split('\n\n')[0] ?? ''}\n`) ?? { root: new Uint8Array() };
  const text = formatRetention({
    origin: log.signer.name,
    kept: stated,
    size,
    root,
    time: 1,
    policy: 'tests',
  });
  return files.set('retention', Buffer.from(log.signer.sign(text)));
}

describe.each([0, 256, 1_024, 65_280, 65_536, 65_792, 66_560])(
  'a log that keeps from entry %i on',
  (kept) => {
    const files = without(kept);
    const source = memorySource(files);

    it('verifies, and hands out every entry that it keeps', async () => {
      let next = kept;
      const verdict = await verifyLog(source, key, {
        onEntry: (entry, index) => {
          if (index !== next || Buffer.compare(entry, entryNumber(index)) !== 0)
            throw new Error(`not ${next}`);
          next += 1;
        },
      });
      expect(verdict).toMatchObject({ ok: true, firstIndex: kept, size });
      expect(next).toBe(size);
      expect(await verifyLog(source, key, { whole: true })).toMatchObject({ ok: kept === 0 });
    });

    it('has a receipt for each of them, and shows its growth from every size that it keeps', async () => {
      for (const index of [kept, Math.min(kept + tileWidth, size - 1), size - 1]) {
        const proof = await inclusionProof(index, size, subtreesOf(source, size));
        const text = formatReceipt({
          extra: entryNumber(index),
          index,
          proof,
          checkpoint: notes.at(-1) ?? '',
        });
        expect(verifyReceipt(text, null, key)).toMatchObject({ ok: true, index });
      }
      for (const [i, older] of notes.entries()) {
        if ((sizes[i] ?? 0) < kept) continue;
        expect(await verifyConsistency(source, older, key)).toMatchObject({ ok: true, oldSize: sizes[i] });
      }
    });

    it('is refused when the statement says that it keeps more, and when anything that it keeps is not there', async () => {
      if (kept > 0) {
        const more = memorySource(without(kept, kept - tileWidth));
        expect(await verifyLog(more, key)).toMatchObject({ ok: false });
      }
      const tiles = [...files.keys()].filter((path) => parseTilePath(path) !== null);
      // Partial tiles of smaller sizes may be there and are not needed.
      const needed = tiles.filter((path) => !path.includes('.p/') || path.endsWith(`.p/${size % tileWidth}`));
      for (const path of [needed[0], needed.at(-1), needed[Math.floor(needed.length / 2)]]) {
        const holed = new Map(files);
        holed.delete(path ?? '');
        expect(await verifyLog(memorySource(holed), key)).toMatchObject({ ok: false });
      }
    });
  },
);

describe('a log of which more is there than it says', () => {
  const whole = new Map(log.files);
  const statement = (kept: number) => without(kept).get('retention') ?? new Uint8Array();
  const withStatement = (kept: number, files: ReadonlyMap<string, Uint8Array>) =>
    memorySource(new Map([...files, ['retention', statement(kept)]]));
  /** From the files that may go, all that the predicate picks is gone. */
  const lacking = (kept: number, isGone: (path: string, tile: Tile) => boolean) =>
    new Map(
      [...whole].filter(([path]) => {
        const tile = parseTilePath(path);
        return tile === null || endOf(tile) > kept || !isGone(path, tile);
      }),
    );

  it.each([256, 65_536, 66_560])(
    'is checked from its beginning when all is there: it says %i',
    async (kept) => {
      const verdict = await verifyLog(withStatement(kept, whole), key, { whole: true });
      expect(verdict).toMatchObject({
        ok: true,
        firstIndex: 0,
        retention: { kept },
        retentionSignedBy: [key],
      });
    },
  );

  it('is checked from behind the last gap', async () => {
    const cutOff = lacking(1_024, (_path, { level, index }) => level === 0 || index < 2);
    expect(await verifyLog(withStatement(1_024, cutOff), key)).toMatchObject({ ok: true, firstIndex: 512 });
    const holed = lacking(1_024, (path) => path === 'tile/entries/002');
    expect(await verifyLog(withStatement(1_024, holed), key)).toMatchObject({ ok: true, firstIndex: 768 });
  });

  it('is checked from what it keeps where the hashes that lead to the rest are gone', async () => {
    const files = lacking(
      65_792,
      (_path, { level, index }) => level === 1 || (level === 'entries' && index < 3),
    );
    const verdict = await verifyLog(withStatement(65_792, files), key);
    expect(verdict).toMatchObject({ ok: true, firstIndex: 65_792 });
  });

  it('is refused when what is there is not what it was', async () => {
    for (const path of ['tile/entries/002', 'tile/entries/003', 'tile/0/003']) {
      const files = lacking(1_024, (_path, { index }) => index < 2);
      const bytes = Buffer.from(files.get(path) ?? []);
      bytes[700] = (bytes[700] ?? 0) ^ 1;
      const verdict = await verifyLog(withStatement(1_024, files.set(path, bytes)), key);
      expect(verdict.ok ? path : verdict.reason).toMatch(
        /does not (have the hash|hold exactly)|is not that of/,
      );
    }
    // Nothing is left of the hashes that this bundle once had; the tree still tells.
    const files = lacking(1_024, (_path, { level, index }) => level === 0 || index < 3);
    files.set('tile/entries/003', whole.get('tile/entries/002') ?? new Uint8Array());
    expect(await verifyLog(withStatement(1_024, files), key)).toMatchObject({ ok: false });
  });
});

it('a log without its beginning and without a statement is told so, and one with a hole is not called pruned', async () => {
  const files = without(1_024);
  files.delete('retention');
  const said = async (some: Map<string, Uint8Array>) => {
    const verdict = await verifyLog(memorySource(some), key);
    return verdict.ok ? 'accepted' : verdict.reason;
  };
  expect(await said(files)).toBe(
    'tile/entries/000 is missing (and no statement of the log says that it was pruned)',
  );
  const holed = without(1_024);
  holed.delete('tile/entries/100');
  expect(await said(holed)).toBe(
    'tile/entries/100 is missing (the log says that it keeps everything from entry 1024 on)',
  );
});

it('a log that is pruned while it is read is not called wrong', async () => {
  const before = without(256);
  const after = without(1_024);
  let asked = 0;
  const source = {
    read: async (path: string) => {
      asked += 1;
      return Promise.resolve((asked > 8 ? after : before).get(path) ?? null);
    },
  };
  const verdict = await verifyLog(source, key);
  expect(verdict.ok ? 'accepted' : verdict.reason).toContain('verify it once more');
  expect(await verifyLog(source, key)).toMatchObject({ ok: true, firstIndex: 1_024 });
});
