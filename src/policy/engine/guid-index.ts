/** Of an entry: four numbers of the GUID, and what it stands for, plus one (0: the entry is empty). */
const width = 5;

/**
 * From GUIDs to numbers. A GUID of 32 lower-case digits and four dashes is read into numbers of 32 bits, by which it is
 * found and compared whole, without a look at any other text; whatever else serves as an id is kept as a text.
 */
export class GuidIndex {
  #entries = new Int32Array(64 * width);
  #mask = 63;
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
    if (++this.#count * 3 > (this.#mask + 1) * 2) this.#grow();
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
    let hash = Math.imul(a, 0x9e37_79b1) ^ Math.imul(d, 0x85eb_ca6b);
    hash ^= Math.imul(b, 0xc2b2_ae35) ^ Math.imul(c, 0x27d4_eb2f);
    return ((hash ^ (hash >>> 15)) & this.#mask) * width;
  }

  #grow(): void {
    const old = this.#entries;
    this.#mask = this.#mask * 2 + 1;
    this.#entries = new Int32Array((this.#mask + 1) * width);
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
    let wrong = 0;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < 8; i++) {
      const first = digits[text.charCodeAt(i)] ?? 0xff;
      const second = digits[text.charCodeAt(i + (i < 4 ? 9 : 10))] ?? 0xff;
      const third = digits[text.charCodeAt(i + (i < 4 ? 19 : 20))] ?? 0xff;
      const fourth = digits[text.charCodeAt(i + 28)] ?? 0xff;
      wrong |= first | second | third | fourth;
      a = (a << 4) | (first & 15);
      b = (b << 4) | (second & 15);
      c = (c << 4) | (third & 15);
      d = (d << 4) | (fourth & 15);
    }
    if (wrong > 15) return false;
    if ((text.charCodeAt(8) ^ dash) | (text.charCodeAt(13) ^ dash) | (text.charCodeAt(18) ^ dash))
      return false;
    if (text.charCodeAt(23) !== dash) return false;
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    return true;
  }
}

const dash = 0x2d;
/** By character: its value as a lower-case hexadecimal digit, or 255. */
const digits = Uint8Array.from({ length: 256 }, (_, code) => {
  const at = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return at < 0 ? 0xff : at;
});
