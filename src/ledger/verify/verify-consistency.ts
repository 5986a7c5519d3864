import { consistencyProof, provesConsistency } from '../tlog/proof.ts';
import { openCheckpoint, openSigned, type Cosignature, type Trust } from './open-checkpoint.ts';
import { refusal, type Refusal } from './refusal.ts';
import { readRetention } from './retention.ts';
import { subtreesOf, TileProblem } from './read-tile.ts';
import type { TileSource } from './tile-source.ts';

export type ConsistencyVerdict =
  | {
      readonly ok: true;
      readonly origin: string;
      readonly oldSize: number;
      readonly newSize: number;
      readonly proof: Uint8Array[];
      /** The newer checkpoint: what to keep for the next time. */
      readonly note: string;
      readonly cosignatures: readonly Cosignature[];
    }
  | Refusal;

/**
 * Checks that a log has only grown since `olderNote`, a checkpoint kept from before: nothing removed, nothing
 * altered, nothing put in between. The older one needs a signature of the log only: it may be from before the policy. Reads O(log size) tiles. A finding is a value with its reason.
 */
export async function verifyConsistency(
  source: TileSource,
  olderNote: string,
  trust: Trust,
): Promise<ConsistencyVerdict> {
  const older = openSigned(olderNote, trust);
  if (!older.ok) return older;
  const published = await source.read('checkpoint');
  if (published === null) return refusal('there is no checkpoint');
  const note = Buffer.from(published).toString('utf8');
  const newer = openCheckpoint(note, trust);
  if (!newer.ok) return newer;
  const from = older.checkpoint;
  const to = newer.checkpoint;
  if (to.origin !== from.origin)
    return refusal(`the log is ${to.origin}, the older checkpoint of ${from.origin}`);
  if (to.size < from.size) {
    return refusal(
      `the log has shrunk from ${from.size} to ${to.size} entries, or this is an older copy of it`,
    );
  }
  let proof: Uint8Array[];
  try {
    proof = await consistencyProof(from.size, to.size, subtreesOf(source, to.size));
  } catch (error) {
    if (!(error instanceof TileProblem)) throw error;
    return refusal((await prunedBeyond(source, from.size, trust)) ?? error.message);
  }
  if (!provesConsistency(from.size, from.root, to.size, to.root, proof)) {
    return refusal(
      `the log of ${to.size} entries does not contain the one of ${from.size} that was signed before`,
    );
  }
  const { size: newSize, origin } = to;
  return { ok: true, origin, oldSize: from.size, newSize, proof, note, cosignatures: newer.cosignatures };
}

/** What to say of a checkpoint from before what the log keeps: from there no proof can be made any more. */
async function prunedBeyond(source: TileSource, size: number, trust: Trust): Promise<string | null> {
  const read = await readRetention(source, trust);
  if (!read.ok || read.retention === null || read.retention.kept <= size) return null;
  return (
    `the log does not keep its first ${read.retention.kept} entries, so nothing proves that it contains the one of ${size}: ` +
    'keep a newer checkpoint'
  );
}
