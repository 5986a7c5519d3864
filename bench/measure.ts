/**
 * Processor time of this process in seconds: other programs on the machine do not count, its own garbage collector
 * does. That of the thread alone is counted in steps of several milliseconds by some kernels.
 */
export function coreSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Median and extremes of the repetitions of one measurement. */
export interface Repeated {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export function repeated(values: readonly number[]): Repeated {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, lowest: sorted[0]!, highest: sorted.at(-1)! };
}

export function spreadOf({ lowest, highest }: Repeated): string {
  return `${short(lowest)}–${short(highest)}`;
}

/**
 * Each once a round, so that a busy neighbour troubles all of them alike, and what comes first changes from round to
 * round. The first rounds only warm up.
 */
export function inTurns<K extends string>(
  measures: Readonly<Record<K, () => number>>,
  { rounds, warmUps }: { readonly rounds: number; readonly warmUps: number },
): Record<K, readonly number[]> {
  const names = Object.keys(measures) as K[];
  const measured: Partial<Record<K, readonly number[]>> = {};
  for (let round = -warmUps; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const figure = measures[name]();
      if (round >= 0) measured[name] = [...(measured[name] ?? []), figure];
    }
  }
  return measured as Record<K, readonly number[]>;
}

/** What one is of the other, each time by what both were in the same round. */
export function ratiosOf(values: readonly number[], others: readonly number[]): Repeated {
  return repeated(values.map((value, round) => value / others[round]!));
}

/** Nanoseconds of the clock for each call of `call(i)`, sorted; what reading the clock itself takes is in it. */
export function latencies(count: number, call: (i: number) => unknown): Float64Array {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = process.hrtime.bigint();
    call(i);
    times[i] = Number(process.hrtime.bigint() - start);
  }
  return times.sort();
}

export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;
}

function short(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
