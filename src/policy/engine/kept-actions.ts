/**
 * From names of actions, in any case, to numbers: a hash over the whole name without case finds the candidate, and the
 * name is always compared. Of each action the spelling that was met last is remembered, since callers stay with theirs.
 * For names from code: it never forgets.
 */
export class KeptActions {
  /** Number + 1; 0: empty. */
  #table = new Int32Array(256);
  readonly #names: (string | undefined)[] = [];
  readonly #spelled: (string | undefined)[] = [];
  readonly #planes: boolean[] = [];
  readonly #hashes: number[] = [];
  /** Of the action that was read last. */
  #hash = 0;

  /** The number, or -1. */
  find(action: string, dataAction: boolean): number {
    this.read(action, dataAction);
    return this.found(action, dataAction);
  }

  /** Makes the action the one that `found` looks for; looks at nothing but the text. */
  read(action: string, dataAction: boolean): void {
    this.#hash = hashOf(action, dataAction);
  }

  /** The number of the action that was read last, or -1. */
  found(action: string, dataAction: boolean): number {
    const table = this.#table;
    const mask = table.length - 1;
    for (let i = this.#hash & mask; ; i = (i + 1) & mask) {
      const number = (table[i] ?? 0) - 1;
      if (number < 0) return -1;
      if (this.#planes[number] !== dataAction) continue;
      if (this.#spelled[number] === action) return number;
      if (this.#names[number] !== action.toLowerCase()) continue;
      this.#spelled[number] = action;
      return number;
    }
  }

  /** `name` in lower case; numbers are given out one after the other. */
  add(name: string, dataAction: boolean, number: number): void {
    this.#names[number] = name;
    this.#spelled[number] = name;
    this.#planes[number] = dataAction;
    this.#hashes[number] = hashOf(name, dataAction);
    if (this.#hashes.length * 2 > this.#table.length) this.#grow();
    else this.#put(number);
  }

  /** How many others a look-up of this one passes by: seldom more than one. */
  passedBy(number: number): number {
    const mask = this.#table.length - 1;
    return (this.#table.indexOf(number + 1) - (this.#hashes[number] ?? 0)) & mask;
  }

  #put(number: number): void {
    const mask = this.#table.length - 1;
    let i = (this.#hashes[number] ?? 0) & mask;
    while (this.#table[i] !== 0) i = (i + 1) & mask;
    this.#table[i] = number + 1;
  }

  #grow(): void {
    this.#table = new Int32Array(this.#table.length * 2);
    for (const number of this.#hashes.keys()) this.#put(number);
  }
}

/** The same for every case of the letters of ASCII. */
function hashOf(action: string, dataAction: boolean): number {
  // Two hashes, of every other character each, so that one need not wait for the other.
  let even = dataAction ? 1 : 0;
  let odd = 0;
  const last = action.length - 1;
  for (let i = 0; i < last; i += 2) {
    even = Math.imul(even ^ (action.charCodeAt(i) | 0x20), 0x9e37_79b1);
    odd = Math.imul(odd ^ (action.charCodeAt(i + 1) | 0x20), 0x85eb_ca6b);
  }
  if ((last & 1) === 0) even = Math.imul(even ^ (action.charCodeAt(last) | 0x20), 0x9e37_79b1);
  even ^= odd >>> 15;
  return Math.imul(even, 0xc2b2_ae35) ^ (odd >>> 7) ^ (even >>> 16);
}
