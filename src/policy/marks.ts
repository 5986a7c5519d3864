import type { Reach } from './nodes.ts';

/** Index that stands for everyone; no principal has it. */
export const everyoneIndex = 0;

/**
 * Which principals the one being decided for is, or belongs to: one number per principal, so that a test is one
 * array read. A number at or above `base` means "reached", `base + 1` "reached by way of enabled groups". Raising
 * `base` clears all marks at once.
 */
export class Marks {
  stamps = new Uint32Array(1_024);
  base = 0;
  #last: Reach | null = null;

  constructor() {
    this.stamps[everyoneIndex] = 0xffff_ffff;
  }

  mark(reach: Reach): void {
    if (reach === this.#last) return;
    this.#last = reach;
    this.base += 2;
    if (this.base >= 0xffff_fff0) {
      this.stamps.fill(0);
      this.stamps[everyoneIndex] = 0xffff_ffff;
      this.base = 2;
    }
    const { stamps, base } = this;
    if (reach.all !== reach.active) for (const index of reach.all) stamps[index] = base;
    for (const index of reach.active) stamps[index] = base + 1;
  }

  /** Makes room for one more principal. */
  admit(index: number): void {
    if (index < this.stamps.length) return;
    const grown = new Uint32Array(this.stamps.length * 2);
    grown.set(this.stamps);
    this.stamps = grown;
  }
}
