import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../sources/memory-source.ts';
import { entries, entryNumber, MemoryLog } from '../testing/memory-log.ts';
import { createCosigner, generateNoteKey } from '../note.ts';
import { inclusionProof } from '../tlog/proof.ts';
import { formatReceipt } from '../tlog/receipt.ts';
import { trustOnly, type Policy } from './policy.ts';
import { subtreesOf } from './read-tile.ts';
import { verifyConsistency } from './verify-consistency.ts';
import { verifyLog } from './verify-log.ts';
import { verifyReceipt } from './verify-receipt.ts';

async function receiptOf(log: MemoryLog, index: number, size: number, note: string): Promise<string> {
  const proof = await inclusionProof(index, size, subtreesOf(memorySource(log.files), size));
  return formatReceipt({ extra: entryNumber(index), index, proof, checkpoint: note });
}

/** Printed, so that a run can be made again: LOCKSTEP_SEED=… */
const seed = Number(process.env['LOCKSTEP_SEED'] ?? randomInt(2 ** 31));
let state = seed;

/** xorshift32: a number below `limit`. */
function random(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

/** The same bytes with one of them changed. */
function mutated(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = random(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 + random(255));
  return copy;
}

describe('verifying a log', () => {
  it('accepts every size from 0 to 1000, grown one entry at a time', async () => {
    const log = new MemoryLog();
    for (let size = 0; size <= 1000; size++) {
      log.grow(size === 0 ? [] : [entryNumber(size - 1)]);
      if (size % 7 !== 0 && size > 20 && size % 256 > 2) continue;
      const verdict = await verifyLog(memorySource(log.files), log.signer.verifierKey);
      expect(verdict).toMatchObject({ ok: true, size });
    }
  });

  it('accepts a log whose partial tiles have the same width again, one tile further on', async () => {
    const log = new MemoryLog();
    for (const [from, to] of [
      [0, 10],
      [10, 266],
      [266, 522],
    ] as const) {
      log.grow(entries(from, to));
      expect(await verifyLog(memorySource(log.files), log.signer.verifierKey)).toMatchObject({
        ok: true,
        size: to,
      });
    }
  });

  it('compares the tiles above the leaves too, full and partial', async () => {
    const log = new MemoryLog();
    const all = entries(0, 65_537);
    for (let i = 0; i < all.length; i += 4096) log.grow(all.slice(i, i + 4096));
    const { verifierKey } = log.signer;
    expect(await verifyLog(memorySource(log.files), verifierKey)).toMatchObject({ ok: true, size: 65_537 });
    for (const path of ['tile/1/000', 'tile/2/000.p/1']) {
      const files = new Map(log.files).set(path, mutated(log.files.get(path) ?? new Uint8Array()));
      const verdict = await verifyLog(memorySource(files), verifierKey);
      expect(verdict.ok ? 'accepted' : verdict.reason).toContain(path);
    }
  });

  it('takes a partial tile that is gone from the full one', async () => {
    const log = new MemoryLog();
    const older = log.grow(entries(0, 300));
    log.grow(entries(300, 600));
    for (const path of log.files.keys()) if (path.includes('/001.p/')) log.files.delete(path);
    log.files.set('checkpoint', Buffer.from(older));
    expect(await verifyLog(memorySource(log.files), log.signer.verifierKey)).toMatchObject({
      ok: true,
      size: 300,
    });
  });

  describe('of 600 entries', () => {
    const log = new MemoryLog();
    const pristine = new Map<string, Uint8Array>();
    beforeAll(() => {
      log.grow(entries(0, 600));
      for (const [path, bytes] of log.files) pristine.set(path, bytes);
    });
    const verdictWith = (path: string, bytes: Uint8Array | null) => {
      const files = new Map(pristine);
      if (bytes === null) files.delete(path);
      else files.set(path, bytes);
      return verifyLog(memorySource(files), log.signer.verifierKey);
    };

    it('detects every missing file, and says which', async () => {
      for (const path of pristine.keys()) {
        const verdict = await verdictWith(path, null);
        expect(verdict.ok ? 'accepted' : verdict.reason).toContain(path);
      }
    });

    it('detects entries that were taken out, put in another order or replaced together with their hashes', async () => {
      for (const forged of [
        entries(0, 599),
        [entryNumber(1), entryNumber(0), ...entries(2, 600)],
        [...entries(0, 599), Buffer.from('forged')],
      ]) {
        const other = new MemoryLog();
        other.grow(forged);
        other.files.set('checkpoint', pristine.get('checkpoint') ?? new Uint8Array());
        expect(await verifyLog(memorySource(other.files), log.signer.verifierKey)).toMatchObject({
          ok: false,
        });
      }
    });

    it('refuses it under another key and under a key that is malformed', async () => {
      for (const key of [generateNoteKey(log.signer.name).verifierKey, 'x', '']) {
        expect(await verifyLog(memorySource(pristine), key)).toMatchObject({ ok: false });
      }
    });

    it('refuses a checkpoint of another origin, though the key has signed it', async () => {
      const text = Buffer.from(pristine.get('checkpoint') ?? '').toString();
      const forged = log.signer.sign(`other.test\n${text.split('\n').slice(1, 3).join('\n')}\n`);
      expect(await verdictWith('checkpoint', Buffer.from(forged))).toMatchObject({ ok: false });
    });

    it('stops when it is told to', async () => {
      const options = { signal: AbortSignal.abort() };
      await expect(verifyLog(memorySource(pristine), log.signer.verifierKey, options)).rejects.toThrow(
        /abort/i,
      );
    });
  });
});

describe('verifying a receipt', () => {
  it('accepts the entry that it carries, or the same given beside it, and no other', async () => {
    const log = new MemoryLog();
    const note = log.grow(entries(0, 300));
    const receipt = await receiptOf(log, 123, 300, note);
    const key = log.signer.verifierKey;
    expect(verifyReceipt(receipt, null, key)).toMatchObject({ ok: true, index: 123, size: 300 });
    expect(verifyReceipt(receipt, entryNumber(123), key)).toMatchObject({ ok: true });
    expect(verifyReceipt(receipt, entryNumber(124), key)).toMatchObject({ ok: false });
    expect(verifyReceipt(receipt, null, generateNoteKey(log.signer.name).verifierKey)).toMatchObject({
      ok: false,
    });
    const bare = receipt.replace(/^extra .*\n/m, '');
    expect(verifyReceipt(bare, null, key)).toMatchObject({ ok: false });
    expect(verifyReceipt(bare, entryNumber(123), key)).toMatchObject({ ok: true });
  });
});

describe('verifying growth', () => {
  it('accepts every earlier checkpoint of the same log', async () => {
    const log = new MemoryLog();
    const notes = [0, 1, 2, 200, 56, 1, 3, 300, 37].map((more, i) =>
      log.grow(entries(i * 1000, i * 1000 + more)),
    );
    for (const note of notes) {
      const verdict = await verifyConsistency(memorySource(log.files), note, log.signer.verifierKey);
      expect(verdict).toMatchObject({ ok: true, newSize: 600 });
    }
  });

  it('refuses a log that was rewritten or rolled back under the same key', async () => {
    const log = new MemoryLog();
    const before = log.grow(entries(0, 300));
    const fork = new MemoryLog(log.signer);
    fork.grow(entries(1000, 1299));
    const rolledBack = await verifyConsistency(memorySource(fork.files), before, log.signer.verifierKey);
    expect(rolledBack).toMatchObject({ ok: false, reason: expect.stringContaining('shrunk') as string });
    fork.grow(entries(1299, 1600));
    const rewritten = await verifyConsistency(memorySource(fork.files), before, log.signer.verifierKey);
    expect(rewritten).toMatchObject({
      ok: false,
      reason: expect.stringContaining('does not contain') as string,
    });
  });
});

describe('10,000 single bytes changed', () => {
  const log = new MemoryLog();
  const witness = generateNoteKey('witness.test/w', 'cosignature');
  const policy: Policy = {
    ...trustOnly([log.signer.verifierKey]),
    witnesses: [{ name: 'w', verifierKey: witness.verifierKey, url: null }],
    quorum: 'w',
  };
  const size = 300;
  let note = '';
  beforeAll(() => {
    const signed = log.grow(entries(0, size));
    const text = signed.slice(0, signed.indexOf('\n\n') + 1);
    note = signed + createCosigner(witness.signingKey).cosign(text, 1_770_000_000);
    log.files.set('checkpoint', Buffer.from(note));
    process.stdout.write(`bytes are changed by LOCKSTEP_SEED=${seed}\n`);
  });

  it('are all detected in tiles, bundles and the cosigned checkpoint (2,500 of them)', async () => {
    expect(await verifyLog(memorySource(log.files), policy)).toMatchObject({ ok: true, size });
    const paths = [...log.files.keys()];
    const missed: string[] = [];
    for (let i = 0; i < 2_500; i++) {
      const path = paths[i % paths.length] ?? '';
      const files = new Map(log.files).set(path, mutated(log.files.get(path) ?? new Uint8Array()));
      if ((await verifyLog(memorySource(files), policy)).ok) missed.push(path);
    }
    expect(missed).toEqual([]);
  }, 120_000);

  it('are all detected in cosigned receipts (7,500 of them)', async () => {
    const indices = [0, 123, 255, 256, 299];
    const receipts = await Promise.all(indices.map((index) => receiptOf(log, index, size, note)));
    for (const receipt of receipts) expect(verifyReceipt(receipt, null, policy)).toMatchObject({ ok: true });
    const missed: string[] = [];
    for (let i = 0; i < 7_500; i++) {
      const text = Buffer.from(mutated(Buffer.from(receipts[i % receipts.length] ?? ''))).toString('utf8');
      if (verifyReceipt(text, null, policy).ok) missed.push(text);
    }
    expect(missed).toEqual([]);
  }, 120_000);
});
