import { hash } from 'node:crypto';

const maxRemembered = 50_000;

/**
 * The number by which a word stands in the index: 32 bits of SHA-256 over a salt of this database and the word. Two
 * words may share one, which costs a look and never a wrong answer, since what is found is compared; without the salt
 * nobody can make words that share theirs.
 */
export class TermKeys {
  readonly #salt: string;
  readonly #bits: number;
  readonly #remembered = new Map<string, number>();

  /** Fewer `bits` than 32 are for tests: then words share their numbers often. */
  constructor(salt: Uint8Array, bits = 32) {
    this.#bits = bits;
    this.#salt = Buffer.from(salt).toString('hex');
  }

  of(term: string): number {
    const known = this.#remembered.get(term);
    if (known !== undefined) return known;
    const key = Number.parseInt(hash('sha256', this.#salt + term, 'hex').slice(0, 8), 16) % 2 ** this.#bits;
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(term, key);
    return key;
  }
}
