import { consistencyProof, provesConsistency } from '../tlog/proof.ts';
import { openCheckpoint, refusal, type Refusal } from './open-checkpoint.ts';
import { subtreesOf, TileProblem } from './read-tile.ts';
import type { TileSource } from './tile-source.ts';

export type ConsistencyVerdict =
  | { readonly ok: true; readonly oldSize: number; readonly newSize: number; readonly proof: Uint8Array[] }
  | Refusal;

/**
 * Checks that a log has only grown since `olderNote`, a checkpoint kept from before: nothing removed, nothing
 * altered, nothing put in between. Reads O(log size) tiles. A finding is a value with its reason.
 */
export async function verifyConsistency(
  source: TileSource,
  olderNote: string,
  verifierKey: string,
): Promise<ConsistencyVerdict> {
  const older = openCheckpoint(olderNote, verifierKey);
  if (!older.ok) return older;
  const note = await source.read('checkpoint');
  if (note === null) return refusal('there is no checkpoint');
  const newer = openCheckpoint(Buffer.from(note).toString('utf8'), verifierKey);
  if (!newer.ok) return newer;
  const from = older.checkpoint;
  const to = newer.checkpoint;
  if (to.size < from.size) return refusal(`the log has shrunk from ${from.size} to ${to.size} entries`);
  let proof: Uint8Array[];
  try {
    proof = await consistencyProof(from.size, to.size, subtreesOf(source, to.size));
  } catch (error) {
    if (error instanceof TileProblem) return refusal(error.message);
    throw error;
  }
  if (!provesConsistency(from.size, from.root, to.size, to.root, proof)) {
    return refusal(
      `the log of ${to.size} entries does not contain the one of ${from.size} that was signed before`,
    );
  }
  return { ok: true, oldSize: from.size, newSize: to.size, proof };
}
