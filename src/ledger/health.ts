import type { Clock } from '../lib/clock.ts';
import type { ClockStep } from './clock-watch.ts';
import type { AlteredRow } from './logged-entries.ts';

export type LedgerHealth = (
  { readonly state: 'ok' } | { readonly state: 'failing'; readonly since: number; readonly error: string }
) & {
  /** The last time that the clock was set since the start; absent when it never was. Nothing fails by it. */
  readonly clockStep?: ClockStep;
  /** Rows of the database met since the start that are not what the log holds; absent for none. The log is told. */
  readonly alteredRows?: number;
};

export type LedgerPart = 'append' | 'sync' | 'publish' | 'follow' | 'journal';

/** Altered rows that are told from one another; beyond it they are only known to be many. */
const mostAltered = 10_000;

/** Remembers, for each part of the ledger, since when it has been failing and what it last said. */
export class Health {
  readonly #clock: Clock;
  #clockStep: ClockStep | null = null;
  readonly #altered = new Set<number>();
  readonly #failing = new Map<string, { since: number; error: string }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(part: LedgerPart, error: unknown): void {
    const since = this.#failing.get(part)?.since ?? this.#clock.now();
    const message = error instanceof Error ? error.message : String(error);
    this.#failing.set(part, { since, error: `${part}: ${message}` });
  }

  clockSet(step: ClockStep): void {
    this.#clockStep = step;
  }

  /** Whether it is the first time that this row is met. */
  rowAltered({ sequence }: AlteredRow): boolean {
    if (this.#altered.has(sequence) || this.#altered.size >= mostAltered) return false;
    this.#altered.add(sequence);
    return true;
  }

  worked(part: LedgerPart): void {
    this.#failing.delete(part);
  }

  read(): LedgerHealth {
    const [first] = [...this.#failing.values()].sort((a, b) => a.since - b.since);
    const noticed = {
      ...(this.#clockStep !== null && { clockStep: this.#clockStep }),
      ...(this.#altered.size > 0 && { alteredRows: this.#altered.size }),
    };
    return first === undefined ? { state: 'ok', ...noticed } : { state: 'failing', ...first, ...noticed };
  }
}
