import { describe, expect, it } from 'vitest';
import { memorySource } from '../sources/memory-source.ts';
import { entries, entryNumber, MemoryLog } from '../testing/memory-log.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { formatReceipt } from '../tlog/receipt.ts';
import { inclusionProof } from '../tlog/proof.ts';
import { endOf, parseTilePath, tileWidth } from '../tlog/tile.ts';
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
