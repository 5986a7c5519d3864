import { readFileSync } from 'node:fs';

/** What `work` takes of this thread's processor, in milliseconds: the same however much else the machine has to do. */
export function processorMilliseconds(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/** How long this process has waited for a processor while others had it; nothing where the system does not tell. */
export function heldUpMilliseconds(): number {
  try {
    // Time on a processor, time of waiting for one, turns: https://docs.kernel.org/scheduler/sched-stats.html
    const [, waited = '0'] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
    return Number(waited) / 1_000_000;
  } catch {
    return 0;
  }
}

/** From now on tells the milliseconds that have passed, without those for which this process was held up by others. */
export function startWatch(): () => number {
  const began = performance.now() - heldUpMilliseconds();
  return () => performance.now() - heldUpMilliseconds() - began;
}
