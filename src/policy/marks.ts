import type { Reach } from './nodes.ts';

/** Index that stands for everyone; no principal has it. */
export const everyoneIndex = 0;

/** Reached, but by way of a disabled group: denies count, grants and exclusions do not. */
export const reachedForDenies = 1;
/** The principal itself, or a group reached by way of enabled groups only. */
export const reached = 2;

/**
 * Which principals the one being decided for is, or belongs to: one byte per principal, so that a test is one read
 * of a small array. 0 is "not reached".
 */
export class Marks {
  bytes = new Uint8Array(1_024);
  #last: Reach | null = null;

  constructor() {
    this.bytes[everyoneIndex] = reachedForDenies;
  }

  mark(reach: Reach): void {
    if (reach === this.#last) return;
    const { bytes } = this;
    if (this.#last) for (const index of this.#last.all) bytes[index] = 0;
    if (reach.all !== reach.active) for (const index of reach.all) bytes[index] = reachedForDenies;
    for (const index of reach.active) bytes[index] = reached;
    this.#last = reach;
  }

  /** Makes room for one more principal. */
  admit(index: number): void {
    if (index < this.bytes.length) return;
    const grown = new Uint8Array(this.bytes.length * 2);
    grown.set(this.bytes);
    this.bytes = grown;
  }
}
