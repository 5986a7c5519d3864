import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { parseVerifierKey, type Cosigner } from '../note.ts';
import { emptyRoot, sameBytes } from '../tlog/hash.ts';
import { provesConsistency } from '../tlog/proof.ts';
import { openSigned } from '../verify/open-checkpoint.ts';
import { parseAddCheckpoint } from './add-checkpoint.ts';
import type { WitnessedHead, WitnessRows } from './witness-rows.ts';

export interface WitnessOptions {
  readonly cosigner: Cosigner;
  /** Verifier keys of the logs that are watched; several of one name while a log exchanges its key. */
  readonly logs: readonly string[];
  readonly rows: WitnessRows;
  readonly clock: Clock;
}

/** In HTTP's terms, as c2sp.org/tlog-witness gives them. */
export interface WitnessReply {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422 | 503;
  readonly contentType: 'text/plain; charset=utf-8' | 'text/x.tlog.size';
  readonly body: string;
}

/**
 * A witness: cosigns a checkpoint only when the log has signed it and has grown from the one cosigned before, with
 * nothing removed or altered. The new one is durable before the cosignature leaves. The times of its cosignatures never go
 * back: while its clock is behind the last one it cosigns nothing. c2sp.org/tlog-witness.
 */
export class Witness {
  readonly #options: WitnessOptions;
  readonly #keys = new Map<string, string[]>();

  /** Throws a TypeError for a log's key that is malformed. */
  constructor(options: WitnessOptions) {
    this.#options = options;
    for (const text of options.logs) {
      const key = parseVerifierKey(text);
      if (key?.kind !== 'note') throw new TypeError(`${text} is not the verifier key of a log`);
      this.#keys.set(key.name, [...(this.#keys.get(key.name) ?? []), text]);
    }
  }

  get verifierKey(): string {
    return this.#options.cosigner.verifierKey;
  }

  /** Answers a request of `add-checkpoint`. Throws when the state cannot be read or written: then nothing is cosigned. */
  addCheckpoint(body: string): WitnessReply {
    const request = parseAddCheckpoint(body);
    if (request === null) return plain(400, 'the request is not in the form of c2sp.org/tlog-witness');
    const { oldSize, proof, checkpoint: note } = request;
    const keys = this.#keys.get(note.slice(0, note.indexOf('\n')));
    if (keys === undefined) return plain(404, 'this log is not watched here');
    const opened = openSigned(note, keys);
    if (!opened.ok) return plain(403, opened.reason);
    const { origin, size, root } = opened.checkpoint;
    if (oldSize > size) return plain(400, `the old size ${oldSize} is larger than the checkpoint's ${size}`);
    const held = this.#options.rows.head(origin);
    if (oldSize !== held.size) return conflict(held.size);
    if (size === 0 && !sameBytes(root, emptyRoot))
      return plain(422, 'a log without entries has another root');
    if (!provesConsistency(oldSize, held.root, size, root, proof)) {
      return plain(422, `the log of ${size} entries is not shown to contain the ${oldSize} cosigned before`);
    }
    const now = this.#options.clock.now();
    // A cosignature says what was the largest as of its time: a larger one of an earlier time would contradict it.
    if (Math.floor(now / 1000) < Math.floor(held.cosignedAt / 1000)) {
      return plain(
        503,
        `my clock is behind ${new Date(held.cosignedAt).toISOString()}, when I cosigned last`,
      );
    }
    const line = this.#options.cosigner.cosign(opened.text, Math.floor(now / 1000));
    const byLog = opened.signatures.map((signature) => `${signature.line}\n`).join('');
    const next: WitnessedHead = { size, root, note: `${opened.text}\n${byLog}${line}`, cosignedAt: now };
    if (!this.#options.rows.advance(origin, held, next)) {
      return conflict(this.#options.rows.head(origin).size);
    }
    return { status: 200, contentType: 'text/plain; charset=utf-8', body: line };
  }

  /** The newest checkpoint cosigned, by the hex SHA-256 of the log's origin; null for none. */
  checkpoint(originHash: string): string | null {
    for (const origin of this.#keys.keys()) {
      if (createHash('sha256').update(origin).digest('hex') !== originHash) continue;
      return this.#options.rows.head(origin).note;
    }
    return null;
  }
}

function conflict(size: number): WitnessReply {
  return { status: 409, contentType: 'text/x.tlog.size', body: `${size}\n` };
}

function plain(status: 400 | 403 | 404 | 422 | 503, reason: string): WitnessReply {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${reason}\n` };
}
