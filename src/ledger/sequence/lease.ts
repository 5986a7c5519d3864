import { randomBytes } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { hostname } from 'node:os';
import type { Turns } from '../../store/connection.ts';

/** How long a lease holds without being renewed; renewed once half of it is gone. */
export const leaseMilliseconds = 5_000;

/** Who holds the lease instead, and until when unless it is renewed (milliseconds since the epoch). */
export interface Held {
  readonly holder: string;
  readonly until: number;
}

/**
 * The right to sequence and publish: one holder per database. The time decides only when another may take it; what
 * keeps two from ever acting on it is its epoch, which every step of the holder requires within its own transaction.
 * Synchronous; to be used inside the database's turn.
 */
export class Lease {
  readonly #holder: string;
  readonly #statements: Record<'begin' | 'read' | 'renew' | 'take' | 'holds' | 'release', StatementSync>;
  #epoch = 0;

  constructor({ raw }: Pick<Turns, 'raw'>, holder: string = newHolder()) {
    this.#holder = holder;
    this.#statements = {
      begin: raw.prepare(
        `insert into ledger_lease (id, holder, epoch, until) values (1, '', 0, 0) on conflict (id) do nothing`,
      ),
      read: raw.prepare(`select holder, epoch, until from ledger_lease where id = 1`),
      renew: raw.prepare(`update ledger_lease set until = ? where id = 1 and epoch = ?`),
      take: raw.prepare(
        `update ledger_lease set holder = ?, epoch = epoch + 1, until = ? where id = 1 and epoch = ?`,
      ),
      holds: raw.prepare(`select 1 as held from ledger_lease where id = 1 and epoch = ? and holder = ?`),
      release: raw.prepare(`update ledger_lease set holder = '', until = 0 where id = 1 and epoch = ?`),
    };
  }

  /** Whether it is ours now, and was before; who has it otherwise. */
  lead(now: number): 'kept' | 'taken' | Held {
    this.#statements.begin.run();
    const row = this.#statements.read.get() ?? {};
    const [holder, epoch, until] = [String(row['holder']), Number(row['epoch']), Number(row['until'])];
    const renewed = now + leaseMilliseconds;
    if (holder === this.#holder && epoch === this.#epoch) {
      if (until - now < leaseMilliseconds / 2 || until > renewed) this.#statements.renew.run(renewed, epoch);
      return 'kept';
    }
    // Nobody writes a time so far ahead, unless by a clock that has since been set back.
    const runsOut = until <= renewed;
    if (holder !== '' && until > now && runsOut && !isGone(holder, this.#holder)) return { holder, until };
    if (Number(this.#statements.take.run(this.#holder, renewed, epoch).changes) === 0) {
      return { holder: 'another process', until: renewed };
    }
    this.#epoch = epoch + 1;
    return 'taken';
  }

  /** Throws LeaseLost when another has taken it. To be called within the transaction that acts on it. */
  require(): void {
    if (!this.isHeld()) throw new LeaseLost();
  }

  /** Whether nobody has taken it since. */
  isHeld(): boolean {
    return this.#statements.holds.get(this.#epoch, this.#holder) !== undefined;
  }

  /** Lets another take it at once. */
  release(): void {
    this.#statements.release.run(this.#epoch);
  }
}

export class LeaseLost extends Error {
  constructor() {
    super('another process has taken the lease on the ledger');
  }
}

/** `host/process/nonce`. */
function newHolder(): string {
  return `${hostname()}/${process.pid}/${randomBytes(8).toString('hex')}`;
}

/** Whether a process of this host no longer runs; an earlier one may have had our own number. */
function isGone(holder: string, ours: string): boolean {
  const [host, pid] = holder.split('/');
  const [ourHost, ourPid] = ours.split('/');
  if (host !== ourHost) return false;
  if (pid === ourPid) return true;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
