import { fromBase64, toBase64 } from './base64.ts';
import { hashBytes } from './hash.ts';

/** What a log says of itself: so many entries, under this root. c2sp.org/tlog-checkpoint. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** The note text that is signed: origin, size, root, a line each. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
}

/** Reads a note text; extension lines are let pass and ignored. Null when it is not a checkpoint. */
export function parseCheckpoint(text: string): Checkpoint | null {
  if (!text.endsWith('\n')) return null;
  const lines = text.slice(0, -1).split('\n');
  const [origin, sizeText, rootText] = lines;
  if (origin === undefined || sizeText === undefined || rootText === undefined) return null;
  if (lines.includes('')) return null;
  const size = parseDecimal(sizeText);
  const root = fromBase64(rootText);
  if (size === null || root?.length !== hashBytes) return null;
  return { origin, size, root };
}

/** ASCII decimal without leading zeros, up to 2^53 − 1; null otherwise. */
export function parseDecimal(text: string): number | null {
  if (!/^(?:0|[1-9]\d{0,15})$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}
