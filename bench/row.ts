/** One measured figure; `npm run bench -- --json` prints one such object a line. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The peer or floor measured in the same run, and its value in the same unit. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  /** value ÷ peerValue, or its inverse where less is better: more than 1 is in our favour. */
  readonly ratio: number | null;
  readonly target: string | null;
  readonly met: boolean | null;
  /** Lowest to highest of the repetitions. */
  readonly spread?: string;
  /** The same of the ratio, where each round gives one. */
  readonly ratioSpread?: string;
}

/** A figure without a peer. */
export function lone(
  name: string,
  value: number,
  unit: string,
  target: string | null = null,
  met: boolean | null = null,
): BenchRow {
  return { name, value, unit, peer: null, peerValue: null, ratio: null, target, met };
}

/** From the command line; null: everything. A program that has no parts or sizes does everything. */
export interface BenchOptions {
  readonly only: readonly string[] | null;
  readonly size: readonly string[] | null;
}
