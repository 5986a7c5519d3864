import { openNote } from '../note.ts';
import { fromBase64, toBase64 } from '../tlog/base64.ts';
import { parseDecimal, type Checkpoint } from '../tlog/checkpoint.ts';
import { emptyRoot, hashBytes, sameBytes } from '../tlog/hash.ts';
import { rangeHash } from '../tlog/proof.ts';
import { tileWidth } from '../tlog/tile.ts';
import { policyOf, type Trust } from './open-checkpoint.ts';
import { subtreesOf, TileProblem } from './read-tile.ts';
import { refusal, type Refusal } from './refusal.ts';
import type { TileSource } from './tile-source.ts';

/** What a log says about its beginning that it does not keep: signed by its key, at `retention` beside the checkpoint. */
export interface Retention {
  readonly origin: string;
  /** Index of the first entry that is kept: C2SP's minimum index, a multiple of 256. */
  readonly kept: number;
  /** Of the log when this was signed. */
  readonly size: number;
  readonly root: Uint8Array;
  /** Unix seconds. */
  readonly time: number;
  /** Why, in words: one line. */
  readonly policy: string;
}

export const retentionPath = 'retention';

/** No origin of a log, and so no checkpoint, begins like this: what is signed as the one can never be taken for the other. */
const firstLine = 'lockstep retention v1';

/** The text that is signed. */
export function formatRetention({ origin, kept, size, root, time, policy }: Retention): string {
  return `${firstLine}\n${origin}\n${kept}\n${size}\n${toBase64(root)}\n${time}\n${policy}\n`;
}

/** Null for a text that is not one of exactly this form. */
export function parseRetention(text: string): Retention | null {
  const lines = text.split('\n');
  const [first, origin, keptText, sizeText, rootText, timeText, policy, end] = lines;
  if (lines.length !== 8 || first !== firstLine || end !== '') return null;
  if (origin === undefined || policy === undefined) return null;
  const [kept, size, time] = [keptText, sizeText, timeText].map((one) => parseDecimal(one ?? ''));
  const root = fromBase64(rootText ?? '');
  if (kept === undefined || size === undefined || time === undefined) return null;
  if (kept === null || size === null || time === null || root?.length !== hashBytes) return null;
  if (kept % tileWidth !== 0 || kept > size) return null;
  return { origin, kept, size, root, time, policy };
}

export type ReadRetention =
  | {
      readonly ok: true;
      /** Null for a log that keeps everything. */
      readonly retention: Retention | null;
      /** Keys of the log whose signatures it carries. */
      readonly signedBy: readonly string[];
    }
  | Refusal;

/** The statement that a log publishes, if a key of the log that is trusted has signed it. */
export async function readRetention(source: TileSource, trust: Trust): Promise<ReadRetention> {
  const bytes = await source.read(retentionPath);
  if (bytes === null) return { ok: true, retention: null, signedBy: [] };
  const keys = policyOf(trust).logs.map(({ verifierKey }) => verifierKey);
  const opened = openNote(Buffer.from(bytes).toString('utf8'), keys);
  if (!opened.ok) return refusal(`the retention statement is refused: ${opened.reason}`);
  const retention = parseRetention(opened.text);
  if (retention === null) return refusal('the retention statement is not in form');
  const signatures = opened.signatures.filter(({ name, time }) => time === null && name === retention.origin);
  if (signatures.length === 0) {
    return refusal('the retention statement is refused: no trusted key of the log has signed it');
  }
  return { ok: true, retention, signedBy: signatures.map(({ verifierKey }) => verifierKey) };
}

/** Index of the first entry that a log keeps; 0 where it says nothing that can be believed. */
export async function keptFrom(source: TileSource, trust: Trust): Promise<number> {
  const read = await readRetention(source, trust);
  return read.ok ? (read.retention?.kept ?? 0) : 0;
}

/** Why a statement is not of the log of this checkpoint; null when it is: of the same log, not beyond it, under one root. */
export async function contradicts(
  source: TileSource,
  { origin, size, root }: Retention,
  checkpoint: Checkpoint,
): Promise<Refusal | null> {
  if (origin !== checkpoint.origin)
    return refusal(`the retention statement is of ${origin}, the log is ${checkpoint.origin}`);
  if (size > checkpoint.size)
    return refusal(`the retention statement is of ${size} entries, the log has ${checkpoint.size}`);
  try {
    const own = size === 0 ? emptyRoot : await rangeHash(0, size, subtreesOf(source, checkpoint.size));
    return sameBytes(own, root)
      ? null
      : refusal('the retention statement is not of this log: its root is another');
  } catch (error) {
    if (error instanceof TileProblem) return refusal(error.message);
    throw error;
  }
}
