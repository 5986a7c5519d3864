import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { writeFileAtomically } from '../workspace/runners/local/job-directory.ts';

export interface HomeLock {
  /** Says where this process is reached, to whoever is refused because of it. */
  serves(url: string): void;
  release(): void;
}

const holderSchema = z.object({ pid: z.number(), url: z.string().nullable() });

/**
 * One process per home: an exclusive transaction on a file of its own, which the operating system lets go of at any
 * death. Throws an Error that names the process that holds it, so far as that is known, and what to do.
 */
export function lockHome(home: string): HomeLock {
  const lock = new DatabaseSync(join(home, 'lock.sqlite'));
  const holder = join(home, 'holder.json');
  try {
    lock.exec('begin exclusive');
  } catch (cause) {
    lock.close();
    throw new Error(
      `another Lockstep process is running on ${home}${heldBy(holder)}: stop it first, or choose another $LOCKSTEP_HOME`,
      { cause },
    );
  }
  const tell = (url: string | null) => writeFileAtomically(holder, JSON.stringify({ pid: process.pid, url }));
  tell(null);
  return {
    serves: tell,
    release() {
      rmSync(holder, { force: true });
      lock.close();
    },
  };
}

/** Empty where it cannot be told. */
function heldBy(file: string): string {
  try {
    const { pid, url } = holderSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return url === null ? ` (process ${pid})` : ` (process ${pid}, which serves ${url})`;
  } catch {
    // That the home is held is what matters; by whom is told where the file says it.
    return '';
  }
}
