/**
 * The number by which a word stands in the index: 32 bits of HalfSipHash-2-4 under a key of this database. Two words may
 * share one, which costs a look and never a wrong answer, since what is found is compared; without the key nobody can
 * make words that share theirs. github.com/veorq/SipHash, halfsiphash.c
 */
export class TermKeys {
  readonly #k0: number;
  readonly #k1: number;
  readonly #mask: number;

  /** The first eight bytes of the salt are the key. Fewer `bits` than 32 are for tests: then words share numbers often. */
  constructor(salt: Uint8Array, bits = 32) {
    const view = new DataView(salt.buffer, salt.byteOffset, salt.byteLength);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
    this.#mask = 0xffff_ffff >>> (32 - bits);
  }

  /** Of the word's UTF-16, little end first. */
  of(word: string): number {
    let key = 0;
    this.#read(word, [word.length], (one) => {
      key = one;
    });
    return key;
  }

  /** Of the word's beginnings of these lengths, which are in order; each character is read once. */
  ofBeginnings(word: string, lengths: readonly number[]): number[] {
    const keys: number[] = [];
    this.#read(word, lengths, (key) => keys.push(key));
    return keys;
  }

  #read(word: string, lengths: readonly number[], each: (key: number) => void): void {
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c79_6765 ^ v0;
    let v3 = 0x7465_6462 ^ v1;
    let block = 0;
    for (const length of lengths) {
      for (const end = length >> 1; block < end; block++) {
        const message = word.charCodeAt(block * 2) | (word.charCodeAt(block * 2 + 1) << 16);
        v3 ^= message;
        for (let round = 0; round < 2; round++) {
          v0 = (v0 + v1) | 0;
          v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
          v0 = (v0 << 16) | (v0 >>> 16);
          v2 = (v2 + v3) | 0;
          v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
          v0 = (v0 + v3) | 0;
          v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
          v2 = (v2 + v1) | 0;
          v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
          v2 = (v2 << 16) | (v2 >>> 16);
        }
        v0 ^= message;
      }
      const last = ((length * 2) << 24) | (length % 2 === 1 ? word.charCodeAt(length - 1) : 0);
      each((finished(v0, v1, v2, v3, last) & this.#mask) >>> 0);
    }
  }
}

/** The last block, with the length in it, and the end: two rounds and four. */
function finished(v0: number, v1: number, v2: number, v3: number, last: number): number {
  v3 ^= last;
  for (let round = 0; round < 6; round++) {
    if (round === 2) {
      v0 ^= last;
      v2 ^= 0xff;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
