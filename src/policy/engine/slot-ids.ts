/**
 * From the ids of assignments to their slots: hashes and slots in one array of numbers; the ids themselves stay where
 * they are, with the records, and are always compared.
 */
export class SlotIds {
  /** Slot + 1; 0: empty. */
  #table = new Int32Array(64);
  #mask = 63;
  #count = 0;
  readonly #idOf: (slot: number) => string;

  constructor(idOf: (slot: number) => string) {
    this.#idOf = idOf;
  }

  get size(): number {
    return this.#count;
  }

  /** The slot, or -1. */
  get(id: string): number {
    const at = this.#find(id);
    return at < 0 ? -1 : (this.#table[at] ?? 0) - 1;
  }

  add(id: string, slot: number): void {
    if (++this.#count * 4 > this.#table.length * 3) this.#grow();
    this.#put(id, slot);
  }

  /** To be called while the record still has its id. */
  remove(id: string): void {
    let gap = this.#find(id);
    if (gap < 0) return;
    const table = this.#table;
    const mask = this.#mask;
    this.#count--;
    for (let i = (gap + 1) & mask; table[i] !== 0; i = (i + 1) & mask) {
      const at = hashOf(this.#idOf((table[i] ?? 0) - 1)) & mask;
      if (((i - at) & mask) < ((i - gap) & mask)) continue;
      table[gap] = table[i] ?? 0;
      gap = i;
    }
    table[gap] = 0;
  }

  *slots(): Generator<number> {
    for (const entry of this.#table) if (entry !== 0) yield entry - 1;
  }

  #find(id: string): number {
    for (let i = hashOf(id) & this.#mask; this.#table[i] !== 0; i = (i + 1) & this.#mask) {
      if (this.#idOf((this.#table[i] ?? 0) - 1) === id) return i;
    }
    return -1;
  }

  #put(id: string, slot: number): void {
    let i = hashOf(id) & this.#mask;
    while (this.#table[i] !== 0) i = (i + 1) & this.#mask;
    this.#table[i] = slot + 1;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Int32Array(old.length * 2);
    this.#mask = this.#table.length - 1;
    for (const entry of old) if (entry !== 0) this.#put(this.#idOf(entry - 1), entry - 1);
  }
}

function hashOf(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  return Math.imul(hash ^ (hash >>> 15), 0x9e37_79b1) >>> 3;
}
