import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** A gate has one core to itself; the load, the upstream and the authorizer share the others. */
const cores = { gate: '0', load: availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0' };

export type Core = keyof typeof cores;

/** The command line that runs another one there. */
export function onCore(core: Core, command: readonly string[]): [string, ...string[]] {
  return ['taskset', '-c', cores[core], ...command];
}

/** Processor time in seconds of a process and those beneath it, threads included; steps of 10 ms. proc(5). */
export function processorSeconds(pid: number): number {
  const parents = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      parents.set(Number(name), { parent: Number(fields[1]), ticks });
    } catch {
      // It has ended meanwhile.
    }
  }
  let ticks = 0;
  for (const [each, own] of parents) {
    for (let at: number | undefined = each; at !== undefined; at = parents.get(at)?.parent) {
      if (at !== pid) continue;
      ticks += own.ticks;
      break;
    }
  }
  return ticks / 100;
}

/** Resident memory of one process in bytes. proc(5). */
export function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}
