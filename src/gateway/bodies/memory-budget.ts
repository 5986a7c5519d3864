export interface MemoryBounds {
  /** Bytes of all callers together. */
  readonly all: number;
  /** Bytes of one caller: the person or workload on whose account it happens. */
  readonly perCaller: number;
}

/** Enough for one message of the largest size beside everything else that a caller has begun. */
export const defaultMemoryBounds: MemoryBounds = { all: 134_217_728, perCaller: 33_554_432 };

/** Whose bound stands against holding more. */
export type Shortage = 'caller' | 'process';

/** What a piece of memory takes beside the bytes in it: counted too, for a body may come byte by byte. */
export const pieceBytes = 256;

/** Beyond so many callers, those that hold nothing are forgotten: to forget each at once would change the table with every body. */
const mostRemembered = 1024;

/**
 * The memory that is held for what callers have begun and not finished: bodies that are not decided on yet, messages
 * that are not whole. Nobody holds more than their share, nor more than is left for others: so however many hold all
 * that they can, there is room for who comes with little.
 */
export class MemoryBudget {
  readonly #bounds: MemoryBounds;
  readonly #held = new Map<string, number>();
  #all = 0;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  /** One thing of a caller's for which memory may be held; nothing is yet. */
  holdingOf(caller: string): Holding {
    return new Holding((bytes) => this.#add(caller, bytes));
  }

  /** To give back is always possible. */
  #add(caller: string, bytes: number): Shortage | null {
    const held = (this.#held.get(caller) ?? 0) + bytes;
    const all = this.#all + bytes;
    if (bytes > 0 && held > this.#bounds.perCaller) return 'caller';
    if (bytes > 0 && held > this.#bounds.all - all) return 'process';
    if (held === bytes && this.#held.size >= mostRemembered) this.#forget();
    this.#held.set(caller, held);
    this.#all = all;
    return null;
  }

  #forget(): void {
    for (const [caller, held] of this.#held) if (held === 0) this.#held.delete(caller);
  }
}

export class Holding {
  readonly #add: (bytes: number) => Shortage | null;
  #bytes = 0;

  constructor(add: (bytes: number) => Shortage | null) {
    this.#add = add;
  }

  /** Holds so many bytes in place of what it held; where that is refused, it holds what it held. */
  hold(bytes: number): Shortage | null {
    if (bytes === this.#bytes) return null;
    const shortage = this.#add(bytes - this.#bytes);
    if (shortage === null) this.#bytes = bytes;
    return shortage;
  }

  /** Any number of times. */
  release(): void {
    this.hold(0);
  }
}
