import { leafHash, sameBytes } from '../tlog/hash.ts';
import { provesInclusion } from '../tlog/proof.ts';
import { parseReceipt } from '../tlog/receipt.ts';
import { openCheckpoint, type Cosignature, type Trust } from './open-checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';

export type ReceiptVerdict =
  | {
      readonly ok: true;
      readonly origin: string;
      readonly index: number;
      /** Entries in the log when the receipt was made. */
      readonly size: number;
      readonly entry: Uint8Array;
      readonly cosignatures: readonly Cosignature[];
    }
  | Refusal;

/**
 * Checks offline that an entry is in the log of these keys, under a checkpoint that meets the policy. `entry` null takes the copy that the receipt
 * carries; when both are there they must be the same. A finding is a value with its reason.
 */
export function verifyReceipt(receiptText: string, entry: Uint8Array | null, trust: Trust): ReceiptVerdict {
  const receipt = parseReceipt(receiptText);
  if (receipt === null) return refusal('this is not a receipt (c2sp.org/tlog-proof@v1)');
  const proven = entry ?? receipt.extra;
  if (proven === null) return refusal('the receipt carries no entry, and none was given');
  if (receipt.extra !== null && !sameBytes(receipt.extra, proven)) {
    return refusal('the receipt carries another entry than the one given');
  }
  const opened = openCheckpoint(receipt.checkpoint, trust);
  if (!opened.ok) return opened;
  const { origin, size, root } = opened.checkpoint;
  if (!provesInclusion(receipt.index, size, leafHash(proven), receipt.proof, root)) {
    return refusal(`the proof does not lead from this entry at index ${receipt.index} to the signed root`);
  }
  return { ok: true, origin, index: receipt.index, size, entry: proven, cosignatures: opened.cosignatures };
}
