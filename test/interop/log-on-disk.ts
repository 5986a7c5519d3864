import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSigner, generateNoteKey, type NoteSigner } from '../../src/ledger/note.ts';
import { GrowingLog } from '../../src/ledger/sequence/growing-log.ts';
import { formatCheckpoint } from '../../src/ledger/tlog/checkpoint.ts';
import { Frontier } from '../../src/ledger/tlog/frontier.ts';

/** A log in a directory, by the code that writes the ledger's, without its waits for the disk. */
export class LogOnDisk {
  readonly directory = mkdtempSync(join(tmpdir(), 'lockstep-log-'));
  readonly signer: NoteSigner;
  readonly #log = new GrowingLog(new Frontier(), []);

  constructor(signer: NoteSigner = createSigner(generateNoteKey('lockstep.test/sizes').signingKey)) {
    this.signer = signer;
  }

  /** Grows to `size` entries of its own making, publishing on the way only at the end. Answers the checkpoint. */
  growTo(size: number, entryOf: (index: number) => Uint8Array): string {
    while (this.#log.size < size) {
      this.#log.append(entryOf(this.#log.size));
      if (this.#log.size % 65_536 === 0) this.#write();
    }
    this.#write();
    const root = this.#log.root();
    const note = this.signer.sign(formatCheckpoint({ origin: this.signer.name, size, root }));
    writeFileSync(join(this.directory, 'checkpoint'), note);
    return note;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #write(): void {
    const { files, obsolete } = this.#log.takeFiles();
    for (const { path, bytes } of files) {
      const target = join(this.directory, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    for (const path of obsolete) rmSync(join(this.directory, path), { recursive: true, force: true });
  }
}
