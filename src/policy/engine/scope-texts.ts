import { grown } from './columns.ts';

/**
 * Texts to numbers, by a hash over four characters at a time: a text that was never seen before costs one pass, and
 * every prefix of it a few steps more. A hash only finds the candidate; the whole text is always compared.
 */
export class ScopeTexts {
  readonly #bytes = Buffer.alloc(4_096 + 4);
  readonly #words = new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, 1_025);
  /** The hash of the words before each one; filled by `read`. */
  readonly #before = new Int32Array(1_025 + 3);
  /** Of the text that was read: its length, its hash, and the first place where it may be. */
  #read = 0;
  #whole = 0;
  #first = 0;
  /** Each place holds entry + 1 (0: empty) in its lower bits, as many as number the places, and above them what is left of the hash. */
  #table = new Int32Array(64);
  #mask = 63;
  #texts: (string | null)[] = [];
  #hashes = new Int32Array(64);

  text(entry: number): string {
    return this.#texts[entry] ?? '';
  }

  /**
   * Makes `text`, of at most 4096 characters, the one that `find` and `lastSlash` speak of, and fetches where it may be,
   * without waiting for it. It has to be given to them again: to keep a text that was just made costs more.
   */
  read(text: string): void {
    const length = this.#bytes.write(text, 'latin1');
    const count = length >> 2;
    const words = this.#words;
    const before = this.#before;
    // Two hashes, of every other word each, so that one need not wait for the other.
    let even = 0;
    let odd = 0;
    for (let i = 0; i < count; i += 2) {
      even = Math.imul(even ^ (words[i] ?? 0), 0x9e37_79b1);
      even ^= even >>> 15;
      before[i + 1] = even ^ Math.imul(odd, 0x27d4_eb2f);
      odd = Math.imul(odd ^ (words[i + 1] ?? 0), 0x85eb_ca6b);
      odd ^= odd >>> 13;
      before[i + 2] = even ^ Math.imul(odd, 0x27d4_eb2f);
    }
    this.#read = length;
    this.#whole = this.#hash(length);
    this.#first = this.#table[this.#whole & this.#mask] ?? 0;
  }

  /** The entry of the first `length` characters of the text that was read, or -1. */
  find(text: string, length: number): number {
    const whole = length === this.#read;
    const hash = whole ? this.#whole : this.#hash(length);
    const table = this.#table;
    const mask = this.#mask;
    let i = hash & mask;
    for (let place = whole ? this.#first : (table[i] ?? 0); place !== 0; place = table[i] ?? 0) {
      const entry = (place & mask) - 1;
      if (((place ^ hash) & ~mask) === 0 && this.#is(entry, text, length)) return entry;
      i = (i + 1) & mask;
    }
    return -1;
  }

  /** The position of the last `/` before `end` in the text that was read, or -1. */
  lastSlash(text: string, end: number): number {
    const bytes = this.#bytes;
    let at = end - 1;
    // A byte is half of a character beyond Latin-1, such as `į`, and may only look like a slash.
    while (at >= 0 && (bytes[at] !== 0x2f || text.charCodeAt(at) !== 0x2f)) at--;
    return at;
  }

  add(text: string, entry: number): void {
    this.read(text);
    this.#texts[entry] = text;
    this.#hashes = grown(this.#hashes, entry + 1);
    this.#hashes[entry] = this.#hash(text.length);
    // Entries are numbered from 0, so that at most two places of three are taken and the lower bits of one tell every entry.
    if ((entry + 1) * 3 > (this.#mask + 1) * 2) this.#grow(entry + 1);
    else this.#put(entry);
  }

  remove(entry: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let gap = (this.#hashes[entry] ?? 0) & mask;
    while (((table[gap] ?? 0) & mask) !== entry + 1) {
      if (table[gap] === 0) return;
      gap = (gap + 1) & mask;
    }
    this.#texts[entry] = null;
    for (let i = (gap + 1) & mask; table[i] !== 0; i = (i + 1) & mask) {
      const place = table[i] ?? 0;
      const at = (this.#hashes[(place & mask) - 1] ?? 0) & mask;
      if (((i - at) & mask) < ((i - gap) & mask)) continue;
      table[gap] = place;
      gap = i;
    }
    table[gap] = 0;
  }

  #hash(length: number): number {
    const words = length >> 2;
    const rest = (this.#words[words] ?? 0) & (0x7fff_ffff >> (31 - (length & 3) * 8));
    let hash = Math.imul((this.#before[words] ?? 0) ^ ((length & 3) === 0 ? 0 : rest), 0x85eb_ca6b) ^ length;
    hash ^= hash >>> 13;
    return Math.imul(hash, 0xc2b2_ae35) ^ (hash >>> 16);
  }

  #is(entry: number, text: string, length: number): boolean {
    const known = this.#texts[entry] ?? '';
    if (known.length !== length) return false;
    return known === (length === text.length ? text : text.slice(0, length));
  }

  #put(entry: number): void {
    const hash = this.#hashes[entry] ?? 0;
    const mask = this.#mask;
    let i = hash & mask;
    while (this.#table[i] !== 0) i = (i + 1) & mask;
    this.#table[i] = (hash & ~mask) | (entry + 1);
  }

  #grow(needed: number): void {
    while (needed * 3 > (this.#mask + 1) * 2) this.#mask = this.#mask * 2 + 1;
    this.#table = new Int32Array(this.#mask + 1);
    for (let entry = 0; entry < this.#texts.length; entry++) {
      if (this.#texts[entry] !== null && this.#texts[entry] !== undefined) this.#put(entry);
    }
  }
}
