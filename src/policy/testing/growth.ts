/** How often longer it takes for eight times the input: about 8 if the time is linear, about 64 if it is quadratic. */
export function growth(work: (size: number) => void, size: number): number {
  fastest(() => work(size * 8), 1);
  // So often that the clock is fine enough.
  const times = Math.ceil(
    2 /
      Math.max(
        fastest(() => work(size), 1),
        0.002,
      ),
  );
  return fastest(() => work(size * 8), times) / fastest(() => work(size), times);
}

/** Milliseconds of this process alone for so many times: the best of some tries, since the rest is only ever added. */
function fastest(work: () => void, times: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 7; i++) {
    const start = process.cpuUsage();
    for (let j = 0; j < times; j++) work();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / 1000);
  }
  return Math.max(best, 0.001);
}
