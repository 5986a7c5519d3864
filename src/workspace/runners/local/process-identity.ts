import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * When a process started, in the operating system's own words; null when there is no such process or it is a zombie.
 * Together with the pid it names one process for ever: pids are reused, and so are start times after a reboot,
 * therefore the boot's id is part of it.
 */
export function processStart(pid: number): string | null {
  if (process.platform !== 'linux') return startFromPs(pid);
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // proc(5): the second field is the name in parentheses and may hold anything; state is field 3, start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0], fields[19]];
  if (state === undefined || start === undefined || state === 'Z' || state === 'X') return null;
  return `${bootId()}:${start}`;
}

export function isAlive(pid: number, started: string | null): boolean {
  return started !== null && processStart(pid) === started;
}

/** Signals one process, if it is still the one that was meant. */
export function signalProcess(pid: number, started: string | null, signal: NodeJS.Signals): boolean {
  return isAlive(pid, started) && send(pid, signal);
}

/**
 * Signals every process of a group, unless its number now belongs to another leader. While any member lives the
 * number is not given to another group, so a group whose leader has gone is still the one that was meant.
 */
export function signalGroup(leader: number, started: string, signal: NodeJS.Signals): boolean {
  const now = processStart(leader);
  if (now === null ? !isOfThisBoot(started) : now !== started) return false;
  return send(-leader, signal);
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Before a restart of the machine, every number meant something else. */
function isOfThisBoot(started: string): boolean {
  return process.platform !== 'linux' || started.startsWith(`${bootId()}:`);
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'boot';
  }
}

function startFromPs(pid: number): string | null {
  try {
    const [state = '', ...start] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
    })
      .trim()
      .split(/\s+/);
    return state === '' || state.startsWith('Z') ? null : start.join(' ');
  } catch {
    return null;
  }
}
