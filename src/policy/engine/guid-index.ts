/** Of an entry: four numbers of the GUID, and what it stands for, plus one (0: the entry is empty). */
const width = 5;

/**
 * From GUIDs to numbers. A GUID of 32 lower-case digits and four dashes is read into numbers of 32 bits, by which it is
 * found and compared whole, without a look at any other text; whatever else serves as an id is kept as a text.
 */
export class GuidIndex {
  #entries = new Int32Array(64 * width);
  /** Of a hash of 32 bits what is left are as many as number the entries. */
  #shift = 26;
  #count = 0;
  readonly #others = new Map<string, number>();
  /** The GUID that was read last. */
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  /** What was read last, where it was no GUID. */
  #other: string | null = '';

  get size(): number {
    return this.#count + this.#others.size;
  }

  /** How many are kept as texts. */
  get texts(): number {
    return this.#others.size;
  }

  /** How many other GUIDs a look-up of this one passes by: seldom more than one or two. */
  passedBy(guid: string): number {
    this.read(guid);
    const { length } = this.#entries;
    return ((this.#find() - this.#home(this.#a, this.#b, this.#c, this.#d) + length) % length) / width;
  }

  /** What the id stands for, or -1. */
  get(id: string): number {
    this.read(id);
    return this.found();
  }

  /** Makes the id the one that `found` speaks of; looks at nothing but the text. */
  read(id: string): void {
    this.#other = this.#read(id) ? null : id;
  }

  /** What the id that was read stands for, or -1. */
  found(): number {
    if (this.#other !== null) return this.#others.get(this.#other) ?? -1;
    return (this.#entries[this.#find() + 4] ?? 0) - 1;
  }

  /** `value` is 0 or more. The id must be new. */
  add(id: string, value: number): void {
    if (!this.#read(id)) {
      this.#others.set(id, value);
      return;
    }
    if (++this.#count * width * 4 > this.#entries.length * 3) this.#grow();
    this.#put(this.#find(), value + 1);
  }

  /** Whether it was there. Later entries of the same run move back, so that no look-up meets a gap. */
  remove(id: string): boolean {
    if (!this.#read(id)) return this.#others.delete(id);
    const entries = this.#entries;
    let gap = this.#find();
    if (entries[gap + 4] === 0) return false;
    this.#count--;
    for (let at = this.#after(gap); entries[at + 4] !== 0; at = this.#after(at)) {
      const home = this.#home(
        entries[at] ?? 0,
        entries[at + 1] ?? 0,
        entries[at + 2] ?? 0,
        entries[at + 3] ?? 0,
      );
      const steps = (at - home + entries.length) % entries.length;
      if (steps < (at - gap + entries.length) % entries.length) continue;
      entries.copyWithin(gap, at, at + width);
      gap = at;
    }
    entries[gap + 4] = 0;
    return true;
  }

  /** The entry of the GUID that was read, or the empty one where it belongs. */
  #find(): number {
    const entries = this.#entries;
    let at = this.#home(this.#a, this.#b, this.#c, this.#d);
    while (
      entries[at + 4] !== 0 &&
      (entries[at + 3] !== this.#d ||
        entries[at] !== this.#a ||
        entries[at + 1] !== this.#b ||
        entries[at + 2] !== this.#c)
    ) {
      at = this.#after(at);
    }
    return at;
  }

  #put(at: number, value: number): void {
    this.#entries[at] = this.#a;
    this.#entries[at + 1] = this.#b;
    this.#entries[at + 2] = this.#c;
    this.#entries[at + 3] = this.#d;
    this.#entries[at + 4] = value;
  }

  #after(at: number): number {
    return at + width === this.#entries.length ? 0 : at + width;
  }

  #home(a: number, b: number, c: number, d: number): number {
    let hash = Math.imul(a, 0x9e37_79b1) ^ Math.imul(d, 0xa24b_aed5);
    hash ^= Math.imul(b, 0xc2b2_ae35) ^ Math.imul(c, 0x27d4_eb2f);
    // The highest bits of a product are those that depend on every bit of what is multiplied.
    return (hash >>> this.#shift) * width;
  }

  #grow(): void {
    const old = this.#entries;
    this.#shift--;
    this.#entries = new Int32Array(old.length * 2);
    const [a, b, c, d] = [this.#a, this.#b, this.#c, this.#d];
    for (let at = 0; at < old.length; at += width) {
      if (old[at + 4] === 0) continue;
      [this.#a, this.#b, this.#c, this.#d] = [
        old[at] ?? 0,
        old[at + 1] ?? 0,
        old[at + 2] ?? 0,
        old[at + 3] ?? 0,
      ];
      this.#put(this.#find(), old[at + 4] ?? 0);
    }
    [this.#a, this.#b, this.#c, this.#d] = [a, b, c, d];
  }

  /** Whether the text is a GUID in the one form; if so it is the one that was read. */
  #read(text: string): boolean {
    if (text.length !== 36) return false;
    // As UTF-8: the first 36 bytes are strange where a character is not of ASCII.
    bytes.write(text);
    const w0 = words[0] ?? 0;
    const w1 = words[1] ?? 0;
    const w2 = words[2] ?? 0;
    const w3 = words[3] ?? 0;
    const w4 = words[4] ?? 0;
    const w5 = words[5] ?? 0;
    const w6 = words[6] ?? 0;
    const w7 = words[7] ?? 0;
    const w8 = words[8] ?? 0;
    // -abc d-ef gh-i jkl-
    const abcd = (w2 >>> 8) | (w3 << 24);
    const efgh = (w3 >>> 16) | (w4 << 16);
    const ijkl = (w4 >>> 24) | (w5 << 8);
    const dashes =
      ((w2 & 0xff) ^ dash) |
      (((w3 >>> 8) & 0xff) ^ dash) |
      (((w4 >>> 16) & 0xff) ^ dash) |
      ((w5 >>> 24) ^ dash);
    const wrong =
      dashes |
      strange(w0) |
      strange(w1) |
      strange(abcd) |
      strange(efgh) |
      strange(ijkl) |
      strange(w6) |
      strange(w7) |
      strange(w8);
    if (wrong !== 0) return false;
    this.#a = digits(w0) | (digits(w1) << 16);
    this.#b = digits(abcd) | (digits(efgh) << 16);
    this.#c = digits(ijkl) | (digits(w6) << 16);
    this.#d = digits(w7) | (digits(w8) << 16);
    return true;
  }
}

const dash = 0x2d;
const bytes = Buffer.alloc(64);
/** Of a machine whose first byte is the lowest. On any other no text passes for a GUID, and each is kept as a text. */
const words = new Int32Array(bytes.buffer, bytes.byteOffset, 9);

/** The values of four hexadecimal digits, one in each byte. */
function values(text: number): number {
  return (text & 0x0f0f_0f0f) + ((text >>> 6) & 0x0101_0101) * 9;
}

/** 0 if these four characters are digits of lower-case hexadecimal: those as which values below 16 are written. */
function strange(text: number): number {
  const each = values(text);
  const letters = ((each + 0x0606_0606) >>> 4) & 0x0101_0101;
  return ((each + 0x3030_3030 + letters * 0x27) ^ text) | (each & 0xf0f0_f0f0);
}

/** Four digits as 16 bits, in whatever order. */
function digits(text: number): number {
  const each = values(text);
  const pairs = each | (each >>> 4);
  return (pairs & 0xff) | ((pairs >>> 8) & 0xff00);
}
