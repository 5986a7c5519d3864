import { fromBase64, toBase64 } from '../tlog/base64.ts';
import { parseDecimal } from '../tlog/checkpoint.ts';
import { hashBytes } from '../tlog/hash.ts';

/** What a log sends to a witness: c2sp.org/tlog-witness, "add-checkpoint". */
export interface AddCheckpoint {
  /** Entries under the newest checkpoint that the witness has cosigned, as far as the sender knows. */
  readonly oldSize: number;
  /** That those are a prefix of the new ones. RFC 6962 §2.1.2. */
  readonly proof: readonly Uint8Array[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
}

const maxHashes = 63;

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${checkpoint}`;
}

/** Null when the text is not a request in exactly the form of the specification. */
export function parseAddCheckpoint(text: string): AddCheckpoint | null {
  const split = text.indexOf('\n\n');
  if (split < 0) return null;
  const [first, ...hashes] = text.slice(0, split).split('\n');
  const oldSize = first?.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : null;
  if (oldSize === null || hashes.length > maxHashes) return null;
  const proof: Uint8Array[] = [];
  for (const line of hashes) {
    const hash = fromBase64(line);
    if (hash?.length !== hashBytes) return null;
    proof.push(hash);
  }
  return { oldSize, proof, checkpoint: text.slice(split + 2) };
}
