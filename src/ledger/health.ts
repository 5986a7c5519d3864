import type { Clock } from '../lib/clock.ts';
import type { ClockStep } from './clock-watch.ts';

export type LedgerHealth = (
  { readonly state: 'ok' } | { readonly state: 'failing'; readonly since: number; readonly error: string }
) & {
  /** The last time that the clock was set since the start; absent when it never was. Nothing fails by it. */
  readonly clockStep?: ClockStep;
};

export type LedgerPart = 'append' | 'sync' | 'publish' | 'follow' | 'journal';

/** Remembers, for each part of the ledger, since when it has been failing and what it last said. */
export class Health {
  readonly #clock: Clock;
  #clockStep: ClockStep | null = null;
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

  worked(part: LedgerPart): void {
    this.#failing.delete(part);
  }

  read(): LedgerHealth {
    const [first] = [...this.#failing.values()].sort((a, b) => a.since - b.since);
    const clock = this.#clockStep === null ? {} : { clockStep: this.#clockStep };
    return first === undefined ? { state: 'ok', ...clock } : { state: 'failing', ...first, ...clock };
  }
}
