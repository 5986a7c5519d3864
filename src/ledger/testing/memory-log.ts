import { createSigner, generateNoteKey, type NoteSigner } from '../note.ts';
import { GrowingLog } from '../sequence/growing-log.ts';
import { formatCheckpoint } from '../tlog/checkpoint.ts';
import { Frontier } from '../tlog/frontier.ts';

/** A log in memory, written by the very code that writes the one on disk. */
export class MemoryLog {
  readonly signer: NoteSigner;
  readonly files = new Map<string, Uint8Array>();
  readonly #log = new GrowingLog(new Frontier(), []);

  constructor(signer: NoteSigner = createSigner(generateNoteKey('log.test/memory').signingKey)) {
    this.signer = signer;
  }

  /** The signed checkpoint after one entry of each. */
  grow(entries: readonly Uint8Array[]): string {
    for (const entry of entries) this.#log.append(entry);
    for (const file of this.#log.takeFiles().files) this.files.set(file.path, file.bytes);
    const { size } = this.#log;
    const note = this.signer.sign(
      formatCheckpoint({ origin: this.signer.name, size, root: this.#log.root() }),
    );
    this.files.set('checkpoint', Buffer.from(note));
    return note;
  }
}

export function entryNumber(i: number): Uint8Array {
  return Buffer.from(`{"entry":${i}}`);
}

export function entries(start: number, end: number): Uint8Array[] {
  return Array.from({ length: end - start }, (_, i) => entryNumber(start + i));
}
