import { fromBase64, toBase64 } from './base64.ts';
import { parseDecimal } from './checkpoint.ts';
import { hashBytes } from './hash.ts';

const firstLine = 'c2sp.org/tlog-proof@v1';

/** An offline proof that an entry is in a log. c2sp.org/tlog-proof. */
export interface Receipt {
  /** Here: the entry itself, so that the receipt needs no other file. Proven by the proof, like any copy of it. */
  readonly extra: Uint8Array | null;
  readonly index: number;
  /** Leaf's sibling first. */
  readonly proof: readonly Uint8Array[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
}

export function formatReceipt(receipt: Receipt): string {
  const extra = receipt.extra === null ? '' : `extra ${toBase64(receipt.extra)}\n`;
  const hashes = receipt.proof.map((hash) => `${toBase64(hash)}\n`).join('');
  return `${firstLine}\n${extra}index ${receipt.index}\n${hashes}\n${receipt.checkpoint}`;
}

/** Null when the text is not a receipt in exactly the form of the specification. */
export function parseReceipt(text: string): Receipt | null {
  const split = text.indexOf('\n\n');
  if (split < 0) return null;
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== firstLine) return null;
  let extra: Uint8Array | null = null;
  if (lines[0]?.startsWith('extra ')) {
    extra = fromBase64(lines[0].slice('extra '.length));
    if (extra === null) return null;
    lines.shift();
  }
  const indexLine = lines.shift();
  const index = indexLine?.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : null;
  if (index === null) return null;
  const proof: Uint8Array[] = [];
  for (const line of lines) {
    const hash = fromBase64(line);
    if (hash?.length !== hashBytes) return null;
    proof.push(hash);
  }
  if (proof.length > 63) return null;
  return { extra, index, proof, checkpoint: text.slice(split + 2) };
}
