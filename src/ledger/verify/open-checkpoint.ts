import { openNote } from '../note.ts';
import { parseCheckpoint, type Checkpoint } from '../tlog/checkpoint.ts';

export interface Refusal {
  readonly ok: false;
  /** What is wrong, precisely, in words. */
  readonly reason: string;
}

export type OpenedCheckpoint = { readonly ok: true; readonly checkpoint: Checkpoint } | Refusal;

/** A checkpoint that the log itself has signed: the key's name must be its origin. c2sp.org/tlog-checkpoint. */
export function openCheckpoint(note: string, verifierKey: string): OpenedCheckpoint {
  const opened = openNote(note, [verifierKey]);
  if (!opened.ok) return refusal(`the checkpoint is refused: ${opened.reason}`);
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint === null) return refusal('the signed note is not a checkpoint');
  if (!opened.signedBy.includes(checkpoint.origin)) {
    return refusal(`the checkpoint is of ${checkpoint.origin}, which is not the name of the key`);
  }
  return { ok: true, checkpoint };
}

export function refusal(reason: string): Refusal {
  return { ok: false, reason };
}
